"""The values of RQL: numbers, strings, ``true``, ``false``, ``null`` and placeholders of time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, cast

from protocol.durations import UNITS
from protocol.errors import DittoError
from protocol.rql.tree import TimeName, TimePlaceholder, Value
from protocol.wire.timestamps import iso

MAX_OFFSET: Final = timedelta(days=365_000)
"""How far a placeholder may be from now, so that it always names a year that dates can have."""

_number = re.compile(r"(?P<whole>[+-]?(?:0|[1-9][0-9]*))(?P<fraction>\.[0-9]+)?")
_string = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_time = re.compile(
    r"time:(now_epoch_millis|now_epoch_seconds|now)"
    r"(?:([+-])([0-9]{1,18})(ms|mo|[smhdwy]))?(?:\[(ms|mo|[smhdwy])\])?(?=[,)]|$)"
)
_word = re.compile(r"(?:true|false|null)(?=[,)]|$)")

_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_NAMED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES: Final = _NAMED | {character: character for character in "\"'\\/"}
_LONGS: Final = range(-(2**63), 2**63)

Fault = Callable[[str, int | None], DittoError]
"""Makes the error that says what was expected, and where if that is not the place that the reader has come to."""


def read_value(text: str, start: int, fault: Fault) -> tuple[Value, int]:
    """The value at ``start`` and the place behind it; raises ``fault`` for what is none.

    Numbers have no exponent and no leading zero, and there is no ``-0``; strings stand in double or single quotes with
    JSON's escapes. Blanks and bare words are no values. (Ditto documentation, page *basic-rql*.)
    """
    if text.startswith(('"', "'"), start):
        found = _string.match(text, start)
        if found is None:
            raise fault(f"{text[start]} at the end of the string", len(text))
        body = found[1] if found[1] is not None else found[2]
        return unescaped(body, start + 1, fault), found.end()
    if (found := _time.match(text, start)) is not None:
        return _placeholder(found, fault), found.end()
    if (found := _word.match(text, start)) is not None:
        return _WORDS[found[0]], found.end()
    if (found := _number.match(text, start)) is not None:
        return _number_of(found, fault), found.end()
    raise fault('a number, "string", true, false, null or time:now', start)


def unescaped(body: str, start: int, fault: Fault, *, also: str = "") -> str:
    """The characters that the text stands for, which begins at ``start`` of the expression.

    Known are the escapes of JSON strings, the single quote, and the characters of ``also``.
    """

    def character(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] in _ESCAPES:
            return _ESCAPES[found[2]]
        if found[2] in also:
            return found[2]
        raise fault('one of the escapes \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX', start + found.start())

    plain = _escape.sub(character, body) if "\\" in body else body
    try:
        # Escapes may spell a pair of surrogates; joined they are one character, alone they are none.
        return plain if plain.isascii() else plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise fault("whole characters instead of half a surrogate pair", start) from None


def print_value(value: Value) -> str:
    """The value as RQL text; what ``read_value`` reads back as the same."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.translate(_PRINTED) + '"'
        case int():
            return str(value)
        case float():
            digits = format(Decimal(repr(value)), "f")
            return digits if "." in digits else digits + ".0"
        case TimePlaceholder():
            cut = f"[{value.truncation}]" if value.truncation else ""
            return f"time:{value.name}{value.offset_text}{cut}"


_PRINTED: Final = str.maketrans(
    {'"': '\\"', "\\": "\\\\"} | {character: f"\\{name}" for name, character in _NAMED.items()}
)


def resolve_time(value: Value, now: datetime) -> str | int | float | bool | None:
    """The value with placeholders of time filled in: ISO text for ``time:now``, a number for the epochs."""
    if not isinstance(value, TimePlaceholder):
        return value
    moment = _truncated(now.astimezone(UTC) + value.offset, value.truncation)
    match value.name:
        case "now":
            return iso(moment)
        case "now_epoch_millis":
            return (moment - _EPOCH) // timedelta(milliseconds=1)
        case "now_epoch_seconds":
            return (moment - _EPOCH) // timedelta(seconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _number_of(found: re.Match[str], fault: Fault) -> int | float:
    if found["fraction"] is not None:
        value = float(found[0])
        if math.isfinite(value):
            return value
        raise fault("a number that 64 bits can hold", found.start())
    # The length first: turning thousands of digits into a number is slow, and Python refuses it.
    if len(found[0]) > 20 or int(found[0]) not in _LONGS:
        raise fault("a whole number of 64 bits", found.start())
    if found[0] == "-0":
        raise fault("0 without a sign", found.start())
    return int(found[0])


def _placeholder(found: re.Match[str], fault: Fault) -> TimePlaceholder:
    name, sign, amount, unit, cut = found.groups()
    if amount is None:
        return TimePlaceholder(cast("TimeName", name), truncation=cut or "")
    if int(amount) > MAX_OFFSET // UNITS[unit]:
        raise fault(f"at most {MAX_OFFSET.days} days before or after now", found.start(2))
    offset = int(amount) * UNITS[unit] * (-1 if sign == "-" else 1)
    return TimePlaceholder(cast("TimeName", name), f"{sign}{amount}{unit}", offset, cut or "")


def _truncated(moment: datetime, unit: str) -> datetime:
    match unit:
        case "":
            return moment
        case "ms":
            return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
        case "s":
            return moment.replace(microsecond=0)
        case "m":
            return moment.replace(second=0, microsecond=0)
        case "h":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "w":
            moment -= timedelta(days=moment.weekday())
        case "mo":
            moment = moment.replace(day=1)
        case "y":
            moment = moment.replace(month=1, day=1)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
