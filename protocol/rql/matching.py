"""Does this thing match? RQL evaluated in memory, for conditions, patch conditions and event filters.

The semantics are those of the search index (Ditto documentation, page *basic-rql*), so that a condition and a search
never disagree, with one exception that clients rely on: in memory ``ne`` is true where the property is absent.

An array matches by any of its elements, nested arrays are flattened, and the members of objects in arrays are reached
by a longer path. Numbers compare with numbers, strings with strings by code point, booleans with booleans; nothing is
converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias, assert_never

from protocol.json import JsonObject, JsonValue
from protocol.rql.literals import resolved
from protocol.rql.tree import ANY_FEATURE, And, Comparison, Empty, Exists, In, Not, Or, Property, Query

Scalar: TypeAlias = str | int | float | bool | None

_ORDERED: Final[dict[str, Callable[[int], bool]]] = {
    "gt": lambda sign: sign > 0,
    "ge": lambda sign: sign >= 0,
    "lt": lambda sign: sign < 0,
    "le": lambda sign: sign <= 0,
}


def matches(query: Query, document: JsonObject, *, now: datetime, ne_absent: bool = True) -> bool:
    """Whether the query holds for the document: a thing with its ``_revision``, ``_modified`` and the like.

    ``ne_absent``: what ``ne`` answers where the property is absent; the index answers False.
    """
    match query:
        case And(queries):
            return all(matches(inner, document, now=now, ne_absent=ne_absent) for inner in queries)
        case Or(queries):
            return any(matches(inner, document, now=now, ne_absent=ne_absent) for inner in queries)
        case Not(queries):
            return not any(matches(inner, document, now=now, ne_absent=ne_absent) for inner in queries)
        case Exists(subject):
            return next(_found(document, subject), None) is not None
        case Empty(subject):
            return _is_empty(document, subject)
        case In(subject, values):
            wanted = [resolved(value, now) for value in values]
            return any(_equal(scalar, value) for scalar in _scalars(document, subject) for value in wanted)
        case Comparison(relation, subject, value):
            return _compares(relation, document, subject, resolved(value, now), ne_absent=ne_absent)
        case _:
            assert_never(query)


def like_pattern(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    """``*`` is any run, ``?`` exactly one character, everything else itself; for ``fullmatch``."""
    return _like(re.sub(r"\*+", "*", pattern), ignore_case)


@lru_cache(maxsize=1_024)
def _like(pattern: str, ignore_case: bool) -> re.Pattern[str]:  # noqa: FBT001 - a key of the cache
    # A star takes as little as possible and may not be tried again once the next literal was found: linear, not 2^n.
    head, *runs = pattern.split("*")
    parts = [_literal(head)]
    parts += [f"(?>.*?{_literal(run)})" for run in runs[:-1]]
    if runs:
        parts.append(f".*{_literal(runs[-1])}")
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _literal(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)


def _compares(relation: str, document: JsonObject, subject: Property, value: Scalar, *, ne_absent: bool) -> bool:
    found = list(_scalars(document, subject))
    match relation:
        case "eq":
            return any(_equal(scalar, value) for scalar in found)
        case "ne":
            if next(_found(document, subject), None) is None:
                return ne_absent
            return not any(_equal(scalar, value) for scalar in found)
        case "like" | "ilike":
            pattern = like_pattern(str(value), ignore_case=relation == "ilike")
            return any(isinstance(scalar, str) and pattern.fullmatch(scalar) for scalar in found)
        case _:
            ordered = _ORDERED[relation]
            return any((sign := _order(scalar, value)) is not None and ordered(sign) for scalar in found)


def _equal(one: Scalar, other: Scalar) -> bool:
    return _kind(one) == _kind(other) and one == other


def _order(one: Scalar, other: Scalar) -> int | None:
    """Negative, zero or positive; nothing when the two cannot be compared."""
    if _kind(one) != _kind(other) or one is None or other is None:
        return None
    return (one > other) - (one < other)  # type: ignore[operator]  # the same kind, so both strings or both numbers


def _kind(value: Scalar) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _is_empty(document: JsonObject, subject: Property) -> bool:
    """Absent, null, ``[]``, ``{}`` or ``""``; of several features one is enough."""
    values = [value for (value,) in _found(document, subject)]
    return not values or any(value is None or value in ("", [], {}) for value in values)


def _scalars(document: JsonObject, subject: Property) -> Iterator[Scalar]:
    for (value,) in _found(document, subject):
        yield from _flat(value)


def _flat(value: JsonValue) -> Iterator[Scalar]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif not isinstance(value, dict):
        yield value


def _found(document: JsonObject, subject: Property) -> Iterator[tuple[JsonValue]]:
    """Every value at the property, each in a tuple of one, so that null and absent are different things."""
    yield from _walk(document, subject.path, 0, any_feature=subject.any_feature)


def _walk(value: JsonValue, path: tuple[str, ...], place: int, *, any_feature: bool) -> Iterator[tuple[JsonValue]]:
    if place == len(path):
        yield (value,)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, path, place, any_feature=any_feature)
    elif isinstance(value, dict):
        if any_feature and place == 1 and path[1] == ANY_FEATURE:
            for feature in value.values():
                yield from _walk(feature, path, place + 1, any_feature=any_feature)
        elif path[place] in value:
            yield from _walk(value[path[place]], path, place + 1, any_feature=any_feature)
