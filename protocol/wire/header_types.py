"""How the values of known headers are read: one function per type, from what was sent to a typed value.

Over HTTP and in AMQP properties everything is text; in an envelope a value may have its JSON type. Each function
takes both and returns the JSON form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import orjson

from protocol.durations import parse_duration
from protocol.errors import (
    AcknowledgementLabelInvalid,
    AcknowledgementRequestParsingFailed,
    HeaderInvalid,
    PolicyViewInvalid,
)
from protocol.json import JsonValue
from protocol.wire import timestamps
from protocol.wire.etags import EntityTags

Reader: TypeAlias = Callable[[str, object], JsonValue]
"""Takes a header's lower-case name and raw value (never null), returns its typed value or raises a Ditto error."""

_label = re.compile(r"[a-zA-Z0-9\-_:]{3,165}")
_whole_number = re.compile(r"-?[0-9]{1,18}")


def text(name: str, raw: object) -> JsonValue:
    """Any text; numbers and truth values are taken as the text that JSON has for them."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, (bool, int, float)):
        return orjson.dumps(raw).decode()
    raise HeaderInvalid(name, "a string", raw)


def filled_text(name: str, raw: object) -> JsonValue:
    """Text that is not empty."""
    value = text(name, raw)
    if value == "":
        raise HeaderInvalid(name, "a string that is not empty", raw)
    return value


def boolean(name: str, raw: object) -> JsonValue:
    """Exactly ``true`` or ``false``."""
    if isinstance(raw, bool):
        return raw
    if raw == "true":
        return True
    if raw == "false":
        return False
    raise HeaderInvalid(name, "true or false", raw)


def whole_number(name: str, raw: object) -> JsonValue:
    """A whole number of 64 bits."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and _whole_number.fullmatch(raw):
        return int(raw)
    raise HeaderInvalid(name, "a whole number", raw)


def duration(name: str, raw: object) -> JsonValue:
    """A duration, kept as text; ``TimeoutInvalid`` if it is none."""
    value = text(name, raw)
    parse_duration(str(value))
    return value


def moment(name: str, raw: object) -> JsonValue:
    """An ISO-8601 time with its zone, kept as text."""
    if isinstance(raw, str) and timestamps.parse(raw) is not None:
        return raw
    raise HeaderInvalid(name, "an ISO-8601 time such as 2026-01-02T03:04:05Z", raw)


def entity_tags(name: str, raw: object) -> JsonValue:
    """A list of entity tags or ``*``, kept as text."""
    if not isinstance(raw, str):
        raise HeaderInvalid(name, "entity tags", raw)
    return EntityTags.parse(raw, name).text


def json_object(name: str, raw: object) -> JsonValue:
    """An object, or text that holds one."""
    value = _loaded(raw)
    if isinstance(value, dict):
        return value
    raise HeaderInvalid(name, "a JSON object", raw)


def json_array(name: str, raw: object) -> JsonValue:
    """An array, or text that holds one."""
    value = _loaded(raw)
    if isinstance(value, list):
        return value
    raise HeaderInvalid(name, "a JSON array", raw)


def pointer_list(name: str, raw: object) -> JsonValue:
    """Pointers separated by commas, kept as text; an array of them is joined."""
    if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        return ",".join(raw)
    return filled_text(name, raw)


def labels(name: str, raw: object) -> JsonValue:
    """Acknowledgement labels: an array, text that holds one, or text with commas. Doubles are left out."""
    value = _loaded(raw) if not isinstance(raw, str) or raw.lstrip().startswith("[") else raw.split(",")
    if not isinstance(value, list):
        raise HeaderInvalid(name, 'a JSON array of labels such as ["twin-persisted"]', raw)
    found: list[JsonValue] = []
    for item in value:
        if not isinstance(item, str):
            raise AcknowledgementRequestParsingFailed(str(item))
        label = item.strip()
        if label and _label.fullmatch(label) is None:
            raise AcknowledgementLabelInvalid(label)
        if label and label not in found:
            found.append(label)
    return found


def one_of(*choices: str) -> Reader:
    """A reader of exactly these texts."""

    def read(name: str, raw: object) -> JsonValue:
        if isinstance(raw, str) and raw in choices:
            return raw
        raise HeaderInvalid(name, " or ".join(choices), raw)

    return read


def policy_view(_name: str, raw: object) -> JsonValue:
    """``original`` or ``resolved``; this one has an error of its own."""
    if raw in {"original", "resolved"}:
        return str(raw)
    raise PolicyViewInvalid(str(raw))


def _loaded(raw: object) -> object:
    """What JSON text stands for; anything else as it is, text that is no JSON as None."""
    if not isinstance(raw, str):
        return raw
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
