from __future__ import annotations

import pytest

from protocol.errors import PlaceholderNotResolvable, PlaceholderUnresolved
from protocol.json import JsonObject
from protocol.placeholders import TEXTS_MAX, claim_values, expand

CLAIMS: JsonObject = {
    "sub": "ada",
    "aud": ["x", "y"],
    "n": {"d": [{"k": 1}, {"k": 2}]},
    "none": None,
    "a/b": "c",
    "empty": [],
}


def texts(template: str) -> tuple[str, ...]:
    return expand(template, {"jwt": lambda path: claim_values(CLAIMS, path), "own": lambda name: (name.upper(),)})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", ("plain",)),
        ("{{ jwt:sub }}", ("ada",)),
        ("{{jwt:sub}}:{{  own:label  }}!", ("ada:LABEL!",)),
        ("{{ jwt:aud }}-{{ jwt:aud }}", ("x-x", "x-y", "y-x", "y-y")),
        ("{{ jwt:n/d/k }}", ("1", "2")),
        ("{{ jwt:a/b }}", ("c",)),
    ],
)
def test_a_template_stands_for_every_combination_of_values(template: str, expected: tuple[str, ...]) -> None:
    assert texts(template) == expected


@pytest.mark.parametrize(
    "template", ["{{ jwt:no }}", "{{ jwt:none }}", "{{ jwt:n }}", "{{ jwt:empty }}", "{{ jwt:sub/x }}"]
)
def test_a_placeholder_without_value_is_unresolved(template: str) -> None:
    with pytest.raises(PlaceholderUnresolved):
        texts(template)


@pytest.mark.parametrize(
    "template", ["{{}}", "{{ x }}", "{{ x:y }}", "{{ jwt: }}", "{{ jwt:sub | fn:lower() }}", "{{ jwt:"]
)
def test_a_placeholder_that_does_not_exist_is_refused(template: str) -> None:
    with pytest.raises(PlaceholderNotResolvable):
        texts(template)


def test_arrays_do_not_multiply_without_end() -> None:
    with pytest.raises(PlaceholderUnresolved):
        expand("{{ a:b }}" * 40, {"a": lambda _: tuple(map(str, range(TEXTS_MAX)))})
