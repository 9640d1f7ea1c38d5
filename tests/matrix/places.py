"""The places of an entity that a pattern stands for, and what is written to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.matrix.codes import Path, codes_of
from tests.matrix.model import NOTHING, Ask, at
from tests.matrix.world import BASE, EXTRA, Document

KEYS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("features", "*"): ("lamp", "bare", "none"),
    ("attributes", "**"): (
        *("color", "secret", "secret/pin", "secret/hint", "list", "list/deep", "empty", "none", "color/deep"),
    ),
    ("properties", "**"): ("on", "secret", "secret/key", "none"),
    ("desiredProperties", "**"): ("on", "none"),
    ("subjects", "*"): ("s:owner", "nginx:template", "http://issuer:new"),
    ("resources", "*"): ("policy:/", "thing:/attributes/color"),
    ("imports", "*"): (BASE, EXTRA),
}
"""What a wildcard stands for, by the key before it."""


def places(pattern: str, labels: tuple[str, ...]) -> Iterator[Path]:
    """The paths for a pattern such as ``features/*/properties/**``; ``labels`` are those of a policy's entries."""
    found: list[Path] = [()]
    for part in filter(None, pattern.split("/")):
        found = [(*path, *keys) for path in found for keys in _keys(path, part, labels)]
    return iter(found)


def _keys(path: Path, part: str, labels: tuple[str, ...]) -> Iterator[Path]:
    if part not in {"*", "**"}:
        yield (part,)
    elif path[-1] == "entries":
        yield from ((label,) for label in labels)
    else:
        for name in KEYS[path[-1], part]:
            yield tuple(name.split("/")) if part == "**" else (name,)


def labels_of(policy: Document | None, pattern: str) -> tuple[str, ...]:
    """A few labels of a policy's entries, and one that it does not have."""
    wanted = ("owner", "executor", "lender") if "actions" in pattern else ("owner", "guests", "template", "e0")
    return (*(label for label in wanted if policy is not None and label in policy["entries"]), "none")


_NEW: Final[dict[str, Any]] = {
    "": {"attributes": {}},
    "attributes": {},
    "attributes/**": "new",
    "features": {},
    "features/*": {},
    "features/*/definition": ["a:b:2"],
    "features/*/properties": {},
    "features/*/properties/**": 1,
    "features/*/desiredProperties": {},
    "features/*/desiredProperties/**": 1,
    "definition": "a:b:2",
    "entries/*": {"subjects": {}, "resources": {}, "importable": "implicit"},
    "entries/*/subjects": {},
    "entries/*/subjects/*": {"type": "t"},
    "entries/*/resources": {},
    "entries/*/resources/*": {"grant": ["READ"], "revoke": []},
    "entries/*/importable": "never",
    "entries/*/namespaces": [],
    "entries/*/allowedAdditions": [],
    "entries/*/references": [],
    "imports": {},
    "imports/*": {},
    "imports/*/entries": [],
    "imports/*/transitiveImports": [],
    "entries": {},
    "policyId": "farm.one:main",
}


def written(kind: str, document: Document | None, path: Path) -> Any:  # noqa: ANN401 - JSON
    """A value for the place that the entity may have: the one that it has, else a new one."""
    value: Any = NOTHING if document is None else at(document, path)
    if value is not NOTHING:
        return value
    codes = codes_of(kind, path)
    assert codes is not None
    return _NEW[codes.pattern]


PATCHES: Final[tuple[tuple[Path, Any], ...]] = (
    ((), {"attributes": {"color": "red"}}),
    ((), {"attributes": {"secret": {"pin": None}}}),
    ((), {"attributes": {"color": "red"}, "features": {"lamp": {"properties": {"on": False}}}}),
    ((), {"attributes": {}}),
    ((), {"attributes": {"color": {}}}),
    ((), {"attributes": {"list": {"deep": 1}}}),
    ((), {"attributes": None}),
    ((), {"features": {"{{ ~la.*~ }}": None}}),
    ((), {"features": {"lamp": {"properties": {"{{ /o.*/ }}": None}}}}),
    ((), {"policyId": "farm.one:main"}),
    (("attributes",), {"{{ ~.*~ }}": None, "color": "red"}),
    (("attributes", "secret"), {"hint": "none"}),
    (("attributes", "secret"), None),
    (("attributes", "none"), {"deep": {"deeper": 1}}),
    (("features", "lamp"), {"properties": {"on": None}}),
    (("features", "lamp", "properties"), {}),
    (("features", "none"), {"properties": {"on": 1}}),
)
"""Merge patches that write here and there."""


def merges(thing_id: str) -> Iterator[Ask]:
    for path, patch in PATCHES:
        yield Ask(kind="thing", entity_id=thing_id, verb="merge", path=path, value=patch)
