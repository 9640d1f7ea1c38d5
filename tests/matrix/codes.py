"""Which error belongs to which resource: statuses and codes as the error catalogue has them, written out again.

Source: Ditto documentation, page *basic-errors*; the keys are paths in which ``*`` stands for one key and ``**``
for any number of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Path = tuple[str, ...]


class Codes(NamedTuple):
    """Not found (404), not modifiable (403)."""

    pattern: str
    not_found: str
    not_modifiable: str


THING: Final = (
    Codes("", "things:thing.notfound", "things:thing.notmodifiable"),
    Codes("policyId", "things:policyId.notfound", "things:policyId.notmodifiable"),
    Codes("definition", "things:definition.notfound", "things:definition.notmodifiable"),
    Codes("attributes", "things:attributes.notfound", "things:attributes.notmodifiable"),
    Codes("attributes/**", "things:attribute.notfound", "things:attribute.notmodifiable"),
    Codes("features", "things:features.notfound", "things:features.notmodifiable"),
    Codes("features/*", "things:feature.notfound", "things:feature.notmodifiable"),
    Codes("features/*/definition", "things:feature.definition.notfound", "things:feature.definition.notmodifiable"),
    Codes("features/*/properties", "things:feature.properties.notfound", "things:feature.properties.notmodifiable"),
    Codes("features/*/properties/**", "things:feature.property.notfound", "things:feature.property.notmodifiable"),
    Codes(
        "features/*/desiredProperties",
        "things:feature.desiredProperties.notfound",
        "things:feature.desiredProperties.notmodifiable",
    ),
    Codes(
        "features/*/desiredProperties/**",
        "things:feature.desiredProperty.notfound",
        "things:feature.desiredProperty.notmodifiable",
    ),
)

_OF_ENTRY: Final = ("policies:entry.notfound", "policies:entry.notmodifiable")
_OF_IMPORT: Final = ("policies:import.notfound", "policies:import.notmodifiable")

POLICY: Final = (
    Codes("", "policies:policy.notfound", "policies:policy.notmodifiable"),
    Codes("entries", "policies:policy.notfound", "policies:policy.notmodifiable"),
    Codes("entries/*", *_OF_ENTRY),
    Codes("entries/*/subjects", "policies:subjects.notfound", "policies:subjects.notmodifiable"),
    Codes("entries/*/subjects/*", "policies:subject.notfound", "policies:subject.notmodifiable"),
    Codes("entries/*/resources", "policies:resources.notfound", "policies:resources.notmodifiable"),
    Codes("entries/*/resources/*", "policies:resource.notfound", "policies:resource.notmodifiable"),
    Codes("entries/*/importable", *_OF_ENTRY),
    Codes("entries/*/namespaces", *_OF_ENTRY),
    Codes("entries/*/allowedAdditions", *_OF_ENTRY),
    Codes("entries/*/references", *_OF_ENTRY),
    Codes("imports", "policies:imports.notfound", "policies:imports.notmodifiable"),
    Codes("imports/*", *_OF_IMPORT),
    Codes("imports/*/entries", *_OF_IMPORT),
    Codes("imports/*/transitiveImports", *_OF_IMPORT),
)

CHANGED_ONLY: Final = (
    *("entries", "entries/*/subjects", "entries/*/resources", "entries/*/importable", "entries/*/namespaces"),
    *("imports/*/entries", "imports/*/transitiveImports"),
)
"""Parts of a policy that cannot be deleted."""

ALWAYS_THERE: Final = (*CHANGED_ONLY, "entries/*/allowedAdditions", "imports")
"""Parts of a policy that a change answers with 204 whether they were stored before or not."""

DEFAULTS: Final[dict[str, object]] = {
    "entries/*/importable": "implicit",
    "entries/*/namespaces": [],
    "entries/*/allowedAdditions": [],
    "entries/*/references": [],
    "imports": {},
    "imports/*/entries": [],
    "imports/*/transitiveImports": [],
}
"""What is read where nothing is stored; to delete it then changes nothing."""


def codes_of(kind: str, path: Path) -> Codes | None:
    """The row of a path; nothing for a path that the entity does not have."""
    return next((row for row in (THING if kind == "thing" else POLICY) if _fits(row.pattern, path)), None)


def _fits(pattern: str, path: Path) -> bool:
    parts = tuple(part for part in pattern.split("/") if part)
    if parts[-1:] == ("**",):
        return len(path) >= len(parts) and _same(parts[:-1], path[: len(parts) - 1])
    return len(path) == len(parts) and _same(parts, path)


def _same(parts: Path, path: Path) -> bool:
    return all(part in {"*", key} for part, key in zip(parts, path, strict=True))
