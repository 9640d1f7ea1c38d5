"""JSON as values: the types, the absent value, and the one place that reads and prints JSON text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

from protocol.errors import JsonInvalid
from protocol.json_types import MISSING, JsonObject, JsonValue, Missing

__all__ = [
    "MAX_DEPTH",
    "MISSING",
    "JsonObject",
    "JsonValue",
    "Missing",
    "as_list",
    "as_object",
    "as_strings",
    "canonical",
    "dump",
    "parse",
    "same",
]

MAX_DEPTH: Final = 64
"""How deeply arrays and objects may be nested; things of people are far below, attacks far above."""


def parse(data: bytes | str, *, max_depth: int = MAX_DEPTH) -> JsonValue:
    """The value that RFC 8259 text stands for; ``JsonInvalid`` if it is none or nested deeper than ``max_depth``.

    Of duplicate keys the last one counts. ``NaN`` and ``Infinity`` are no JSON, nor are half surrogate pairs or bytes
    that are not UTF-8. Whole numbers beyond 64 bits become floats, as they do in most JSON libraries; what no float
    can hold is refused.
    """
    deep = _may_be_deep(data, max_depth)
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise JsonInvalid(_reason(data, error, deep=deep)) from None
    if deep and _deeper_than(value, max_depth):
        raise JsonInvalid(f"it is nested more than {max_depth} levels deep", "Flatten the value.")
    return value


def dump(value: JsonValue) -> bytes:
    """JSON text in UTF-8, without spaces, members in their order. Takes all that ``parse`` returns."""
    return orjson.dumps(value)


def canonical(value: JsonValue) -> bytes:
    """JSON text that is the same for equal values: members sorted by name."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def same(one: JsonValue | Missing, other: JsonValue | Missing) -> bool:
    """Whether two values are the same JSON. Python alone would say that ``1`` equals ``True`` and ``1.0``."""
    if one is MISSING or other is MISSING:
        return one is other
    return one == other and canonical(one) == canonical(other)


def as_object(value: JsonValue) -> JsonObject:
    """The value if it is an object, else an empty one: for reading documents whose parts may be absent."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_strings(value: JsonValue) -> list[str]:
    """The strings among the elements of an array; none of anything else."""
    return [item for item in as_list(value) if isinstance(item, str)]


def _may_be_deep(data: bytes | str, max_depth: int) -> bool:
    """Whether there are enough opening brackets at all: two quick scans that spare nearly every message the walk.

    Every level takes two brackets, so that short text need not even be scanned.
    """
    if len(data) <= 2 * max_depth:
        return False
    if isinstance(data, str):
        return data.count("[") + data.count("{") > max_depth
    return data.count(b"[") + data.count(b"{") > max_depth


def _deeper_than(value: JsonValue, max_depth: int) -> bool:
    """Level by level and without recursion, so that the depth of hostile input costs no stack of ours."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(max_depth):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
    return bool(level)


def _children(parent: dict[str, JsonValue] | list[JsonValue]) -> Iterable[JsonValue]:
    return parent.values() if isinstance(parent, dict) else parent


def _reason(data: bytes | str, error: orjson.JSONDecodeError, *, deep: bool) -> str:
    if not data.strip():
        return "it is empty"
    if deep and "depth" in error.msg:
        return "it is nested too deeply"
    return f"{error.msg} (character {error.pos})"
