"""How a thing is taken apart for search: every value as one text that sorts as RQL compares.

A key is the path of a value, a mark, the class of the value and the value itself. One ordered column of keys answers
every question: equality is one key, an order comparison a range, ``like`` with a prefix a range, ``exists`` the range
of everything at and below a path. As the class stands before the value, nothing is ever compared across types, and the
statistics that PostgreSQL keeps of the column speak of path and value together.

| written                  | stands for                                                                    |
|--------------------------|-------------------------------------------------------------------------------|
| ``a VALUE class text``   | a scalar at the path ``a``, or in an array there, however deep in arrays      |
| ``a VALUE 0``            | the value at ``a`` is null, ``""``, ``{}`` or ``[]``                          |
| ``a VALUE 1``            | there is an array at ``a``, or ``a`` is reached through one: it may have many |
| ``a BELOW b VALUE ...``  | a value at the path ``a/b``                                                   |
| ``~ BELOW b VALUE ...``  | the same for ``features/<some id>/b``; the id stands in a column of its own   |

Path and value together take at most 950 bytes: longer strings are cut, values at longer paths are not indexed (Ditto
documentation, page *basic-search*).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.rql.tree import ANY_FEATURE

VALUE: Final = "\x01"
BELOW: Final = "\x02"
BEYOND: Final = "\x03"
"""Follows everything at and below a path."""

EMPTY: Final = "0"
MANY: Final = "1"
NULL: Final = "2"
NUMBER: Final = "3"
STRING: Final = "4"
BOOLEAN: Final = "5"
LAST_CLASS: Final = "6"

SOME_FEATURE: Final = "~"
"""Takes the place of ``features/<id>``; sorts behind every root."""

MAX_BYTES: Final = 950
ROOTS: Final = ("attributes", "definition", "features", "_metadata")

_FEATURE_PREFIX: Final = "features" + BELOW
_feature_end: Final = re.compile(f"[{VALUE}{BELOW}]")
_marks: Final = re.compile("[\x00-\x04]")
_LONG: Final = 2.0**63
_CLEAR: Final = 200
"""Up to this many characters a key cannot be too long, whatever the characters."""


def path_key(path: Pointer) -> str:
    """The text of a path, as keys begin with it. ``features/*`` is written with ``SOME_FEATURE``."""
    if path[:2] == ("features", ANY_FEATURE):
        return BELOW.join((SOME_FEATURE, *map(_segment, path[2:])))
    return BELOW.join(map(_segment, path))


def feature_text(feature: str) -> str:
    """A feature's id as it stands in its column."""
    return _segment(feature)


def scalar_key(value: str | float | bool | None) -> str:  # noqa: FBT001 - a value like any other
    """Class and value, as they follow ``VALUE`` in a key."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN + ("1" if value else "0")
    if isinstance(value, str):
        return STRING + string_text(value)
    return NUMBER + number_text(value)


def scalar_value(written: str) -> str | int | float | bool | None:
    """The inverse of ``scalar_key``; a number that is whole comes back as an integer while 64 bits hold it."""
    kind, text = written[:1], written[1:]
    if kind == NUMBER:
        return _number(text)
    if kind == STRING:
        return _string(text)
    return text == "1" if kind == BOOLEAN else None


def string_text(value: str) -> str:
    """The string itself, but for U+0000, which PostgreSQL cannot keep; the order stays that of code points."""
    if "\x00" in value or "\x01" in value:
        return value.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return value


def number_text(value: float) -> str:
    """A number as text that sorts like it: the bits of the double, and how far a long integer is from its double."""
    try:
        double = float(value) + 0.0
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    (bits,) = struct.unpack(">Q", struct.pack(">d", double))
    bits = bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63
    digits = f"{bits:016x}".rstrip("0")
    rest = value - int(double) if isinstance(value, int) and math.isfinite(double) else 0
    if rest == 0:
        return digits + "."
    # "-", "." and "/" sort in this order and before every digit.
    return digits + ("-" if rest < 0 else "/") + f"{min(max(rest + 0x8000, 0), 0xFFFF):04x}"


def _number(text: str) -> int | float:
    digits, mark, rest = re.split("([-./])", text, maxsplit=1)
    bits = int(digits.ljust(16, "0"), 16)
    bits = bits & 0x7FFF_FFFF_FFFF_FFFF if bits >> 63 else bits ^ 0xFFFF_FFFF_FFFF_FFFF
    (double,) = struct.unpack(">d", struct.pack(">Q", bits))
    if mark != ".":
        return int(double) + int(rest, 16) - 0x8000
    return int(double) if double.is_integer() and abs(double) < _LONG else float(double)


def _string(text: str) -> str:
    return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") if "\x01" in text else text


@dataclass(frozen=True, slots=True)
class Changes:
    """What went and what came between two documents of a thing: keys with their features, and paths to sort by."""

    gone: set[tuple[str, str]]
    come: set[tuple[str, str]]
    lost_paths: set[str]
    new_paths: set[str]


def keys_of(document: JsonObject) -> set[tuple[str, str]]:
    """Every key of a thing with its feature column."""
    return changed_keys({}, document).come


def rows_of(thing_id: str, document: JsonObject) -> tuple[list[tuple[str, str, str]], set[str]]:
    """The rows of a thing that has none yet, in the order of their primary key, and the paths to sort by.

    The same as ``changed_keys`` finds between nothing and the document, at once and in one go.
    """
    keys: set[str] = set()
    for root in ROOTS:
        if not isinstance(value := document.get(root, MISSING), Missing):
            _emit(value, root, keys)
    rows: list[tuple[str, str, str]] = []
    paths: set[str] = set()
    for key in keys:
        rows.append((thing_id, key, ""))
        end = key.index(VALUE)
        if NUMBER <= key[end + 1] < LAST_CLASS:
            paths.add(key[:end])
        if key.startswith(_FEATURE_PREFIX) and (found := _in_some_feature(key)) is not None:
            rows.append((thing_id, *found))
    rows.sort()
    return rows, paths


def changed_keys(before: JsonObject, after: JsonObject) -> Changes:
    """The changes that lead from one document to the other. Parts that both share are not looked at."""
    gone: set[str] = set()
    come: set[str] = set()
    for root in ROOTS:
        _compare(before.get(root, MISSING), after.get(root, MISSING), root, gone, come)
    had, has = _sortable(gone), _sortable(come)
    return Changes(_rows(gone - come), _rows(come - gone), had - has, has - had)


def difference(present: set[tuple[str, str]], wanted: set[tuple[str, str]]) -> Changes:
    """The changes that lead from the keys that a thing has to those that it should have."""
    had, has = (_sortable(key for key, feature in keys if not feature) for keys in (present, wanted))
    return Changes(present - wanted, wanted - present, had - has, has - had)


def _sortable(keys: Iterable[str]) -> set[str]:
    """The paths at which there is a number, a string or a boolean."""
    return {path for path, _, text in (key.partition(VALUE) for key in keys) if NUMBER <= text < LAST_CLASS}


def _rows(keys: Iterable[str]) -> set[tuple[str, str]]:
    rows = {(key, "") for key in keys}
    for key in keys:
        if key.startswith(_FEATURE_PREFIX) and (found := _in_some_feature(key)) is not None:
            rows.add(found)
    return rows


def _in_some_feature(key: str) -> tuple[str, str] | None:
    """A key of a feature as one of ``features/*``, and the feature."""
    found = _feature_end.search(key, len(_FEATURE_PREFIX))
    if found is None:
        return None
    end = found.start()
    return SOME_FEATURE + key[end:], key[len(_FEATURE_PREFIX) : end]


def _compare(
    before: JsonValue | Missing, after: JsonValue | Missing, prefix: str, gone: set[str], come: set[str]
) -> None:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict) and before and after:
        for key, value in before.items():
            _compare(value, after.get(key, MISSING), prefix + BELOW + _segment(key), gone, come)
        for key, value in after.items():
            if key not in before:
                _emit(value, prefix + BELOW + _segment(key), come)
        return
    if not isinstance(before, Missing):
        _emit(before, prefix, gone)
    if not isinstance(after, Missing):
        _emit(after, prefix, come)


def _emit(value: JsonValue, prefix: str, keys: set[str]) -> None:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            _emit(member, prefix + BELOW + _segment(key), keys)
    elif isinstance(value, list) and value:
        _add(prefix, MANY, keys)
        _emit_elements(value, prefix, keys)
    elif isinstance(value, (dict, list)):
        _add(prefix, EMPTY, keys)
        if isinstance(value, list):
            _add(prefix, MANY, keys)
    else:
        _add(prefix, scalar_key(value), keys)
        if value is None or value == "":
            _add(prefix, EMPTY, keys)


def _emit_elements(value: list[JsonValue], prefix: str, keys: set[str]) -> None:
    for item in value:
        if isinstance(item, list):
            _emit_elements(item, prefix, keys)
        elif isinstance(item, dict):
            for key, member in item.items():
                inner = prefix + BELOW + _segment(key)
                _emit(member, inner, keys)
                _mark_many(member, inner, keys)
        else:
            _add(prefix, scalar_key(item), keys)


def _mark_many(value: JsonValue, prefix: str, keys: set[str]) -> None:
    """Note at every path of the value that other elements of the array around it may have values there, too."""
    _add(prefix, MANY, keys)
    if isinstance(value, dict):
        for key, member in value.items():
            _mark_many(member, prefix + BELOW + _segment(key), keys)


def _add(prefix: str, text: str, keys: set[str]) -> None:
    if len(prefix) + len(text) > _CLEAR:
        room = MAX_BYTES - len(prefix.encode())
        if room < 1:
            return
        encoded = text.encode()
        if len(encoded) > room:
            if text[0] != STRING:
                return
            text = encoded[:room].decode(errors="ignore")
    keys.add(f"{prefix}{VALUE}{text}")


def _segment(key: str) -> str:
    return key if key.isprintable() else _marks.sub(lambda found: "\x04" + chr(ord(found[0]) + 0x30), key)
