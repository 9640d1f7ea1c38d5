"""The values of RQL: numbers, strings, ``true``, ``false``, ``null`` and placeholders of time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from protocol.errors import DittoError
from protocol.rql.tree import TimeName, TimePlaceholder, Value
from protocol.wire.timestamps import iso

_number = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?")
_string = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_time = re.compile(
    r"time:(now_epoch_millis|now_epoch_seconds|now)(?:([+-])(\d{1,9})(ms|mo|[smhdwy]))?(?:\[(ms|mo|[smhdwy])\])?"
)
_word = re.compile(r"true|false|null")
_end = re.compile(r"[,)]|$")

_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}

Fault = Callable[[str, int | None], DittoError]


def read_value(text: str, start: int, fault: Fault) -> tuple[Value, int]:
    """The value at ``start`` and the place behind it; raises ``fault`` for what is none.

    Numbers have no exponent and no leading zero; strings stand in double or single quotes with JSON's escapes.
    """
    value, end = _read(text, start, fault)
    if _end.match(text, end) is None:
        raise fault("',' or ')' after the value", end)
    return value, end


def _read(text: str, start: int, fault: Fault) -> tuple[Value, int]:
    if (found := _string.match(text, start)) is not None:
        body = found[1] if found[1] is not None else found[2]
        return _unescaped(body, start, fault), found.end()
    if (found := _time.match(text, start)) is not None:
        return _placeholder(found), found.end()
    if (found := _word.match(text, start)) is not None:
        return _WORDS[found[0]], found.end()
    if (found := _number.match(text, start)) is not None:
        return (float(found[0]) if "." in found[0] else int(found[0])), found.end()
    raise fault('a number, "string", true, false, null or time:now', start)


def printed(value: Value) -> str:
    """The value as RQL text; what ``read_value`` reads back as the same."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(_PRINTED.get(character, character) for character in value) + '"'
        case int() | float():
            return _number_text(value)
        case TimePlaceholder():
            cut = f"[{value.truncation}]" if value.truncation else ""
            return f"time:{value.name}{value.offset_text}{cut}"


_PRINTED: Final = {'"': '\\"', "\\": "\\\\"} | {character: f"\\{name}" for name, character in _ESCAPES.items()}


def resolved(value: Value, now: datetime) -> str | int | float | bool | None:
    """The value with placeholders of time filled in: ISO text for ``time:now``, a number for the epochs."""
    if not isinstance(value, TimePlaceholder):
        return value
    moment = _truncated(now.astimezone(UTC) + value.offset, value.truncation)
    match value.name:
        case "now":
            return iso(moment)
        case "now_epoch_millis":
            return round(moment.timestamp() * 1_000)
        case "now_epoch_seconds":
            return int(moment.timestamp())


def _unescaped(body: str, start: int, fault: Fault) -> str:
    def character(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2])

    plain = _escape.sub(character, body) if "\\" in body else body
    try:
        plain.encode()
    except UnicodeEncodeError:
        # Escapes may spell a pair of surrogates; joined they are one character, alone they are none.
        try:
            return plain.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise fault("a string of whole characters", start) from None
    return plain


def _placeholder(found: re.Match[str]) -> TimePlaceholder:
    name, sign, amount, unit, cut = found.groups()
    offset = timedelta()
    if amount is not None:
        offset = int(amount) * _UNITS[unit] * (-1 if sign == "-" else 1)
    text = f"{sign}{amount}{unit}" if amount is not None else ""
    return TimePlaceholder(cast("TimeName", name), text, offset, cut or "")


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


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    text = f"{value:.17f}".rstrip("0")
    text = repr(value) if "e" not in repr(value) else text
    return text + "0" if text.endswith(".") else text
