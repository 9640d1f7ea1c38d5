from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.searching.solutions import Solution, searched_by
from services.settings import SettingsInvalid, load_settings

ACME = Solution(subjects=("nginx:acme-*", "oidc:a.b"), namespaces=("com.acme", "com.acme.lab"))
FARMS = Solution(subjects=("*:farmer",), namespaces=("farm.one", "farm.two"), default_namespace="farm.two")
SOLUTIONS = {"acme": ACME, "farms": FARMS}


@pytest.mark.parametrize(
    ("subjects", "searched"),
    [
        (("nginx:acme-ada",), ("com.acme", "com.acme.lab")),
        (("oidc:a.b",), ("com.acme", "com.acme.lab")),
        (("oidc:axb",), None),
        (("x:farmer",), ("farm.two",)),
        (("x:farmers",), None),
        (("x:farmer", "nginx:acme-"), ("com.acme", "com.acme.lab", "farm.two")),
        ((), None),
    ],
)
def test_a_caller_searches_the_namespaces_of_its_solutions(
    subjects: tuple[str, ...], searched: tuple[str, ...] | None
) -> None:
    assert searched_by(subjects, SOLUTIONS) == searched
    assert searched_by(subjects, {}) is None


def test_the_default_is_one_of_the_namespaces() -> None:
    with pytest.raises(ValidationError):
        Solution(subjects=("a:b",), namespaces=("one",), default_namespace="two")


def test_solutions_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    farms = '{"subjects": ["*:farmer"], "namespaces": ["farm.one", "farm.two"], "default-namespace": "farm.two"}'
    monkeypatch.setenv("TWINLOG_SOLUTIONS", f'{{"farms": {farms}}}')
    assert load_settings().solutions == {"farms": FARMS}
    for bad in ("farms", '{"farms": {"subjects": []}}', '{"farms": {"subjects": ["a"], "namespaces": ["9"]}}'):
        monkeypatch.setenv("TWINLOG_SOLUTIONS", bad)
        with pytest.raises(SettingsInvalid, match="TWINLOG_SOLUTIONS"):
            load_settings()
