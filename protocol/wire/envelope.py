"""The envelope: the JSON object that every Ditto protocol message is, before anyone asks what it means.

Source: Ditto documentation page *protocol-specification*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, TypeVar

from protocol import json
from protocol.errors import DittoError, JsonFieldMissing, JsonFormatInvalid, JsonInvalid
from protocol.immutable import immutable
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.wire.topics import Topic, parse_topic

CONTENT_TYPE: Final = "application/vnd.eclipse.ditto+json"
"""The media type of an envelope as a whole; the header ``content-type`` inside is that of its value."""


_NO_HEADERS: Final[Mapping[str, JsonValue]] = {}
_KINDS: Final[Mapping[type, str]] = {str: "a string", dict: "an object", int: "a whole number"}

_Kind = TypeVar("_Kind", str, int, JsonObject)


@immutable
class Envelope:
    """A message in its parts, as they were said; nothing but the topic has been understood yet.

    ``headers`` have lower-case names and the values that were sent. ``path`` is the text of the pointer. ``value`` and
    ``metadata`` tell absent from null. ``status`` is what makes a message a response. ``timestamp`` is ISO-8601.
    """

    topic: Topic
    path: str
    headers: Mapping[str, JsonValue] = field(default_factory=dict)
    value: JsonValue | Missing = MISSING
    fields: str | None = None
    extra: JsonObject | None = None
    status: int | None = None
    revision: int | None = None
    timestamp: str | None = None
    metadata: JsonObject | None = None


def decode_envelope(data: bytes | str, defaults: Mapping[str, JsonValue] = _NO_HEADERS) -> Envelope:
    """Read a message; ``defaults`` are headers (lower case) that hold where the message does not say otherwise.

    ``JsonInvalid`` if it is no JSON object, ``JsonFieldMissing`` without topic or path, ``JsonFormatInvalid`` for
    members of the wrong type, ``UnknownTopicPath`` for a topic that does not parse. Missing headers are no headers;
    members that Ditto does not know are ignored, and so is null where only a value makes sense.
    """
    message = json.parse(data)
    if not isinstance(message, dict):
        raise JsonInvalid("a message has to be a JSON object", "Send an envelope with topic, headers, path and value.")
    return read_envelope(message, defaults)


def read_envelope(message: JsonObject, defaults: Mapping[str, JsonValue] = _NO_HEADERS) -> Envelope:
    """The envelope that a JSON object is; see ``decode_envelope``."""
    topic, path, given = message.get("topic"), message.get("path"), message.get("headers")
    if type(topic) is not str or type(path) is not str:
        raise _unusable(message)
    headers = dict(defaults)
    if type(given) is dict:
        for name, header in given.items():
            headers[name if name.islower() else name.lower()] = header
    elif given is not None:
        raise JsonFormatInvalid("'headers'", "an object")
    value = message.get("value", MISSING)
    if len(message) == 2 + (given is not None) + (value is not MISSING):
        return Envelope(topic=parse_topic(topic), path=path, headers=headers, value=value)
    return Envelope(
        topic=parse_topic(topic),
        path=path,
        headers=headers,
        value=value,
        fields=_optional(message, "fields", str),
        extra=_optional(message, "extra", dict),
        status=_optional(message, "status", int),
        revision=_optional(message, "revision", int),
        timestamp=_optional(message, "timestamp", str),
        metadata=_optional(message, "metadata", dict),
    )


def headers_said(data: bytes | str) -> dict[str, JsonValue]:
    """The headers (lower case) of a message that is no envelope, as far as they can be read.

    They tell whom to answer, and how.
    """
    try:
        message = json.parse(data)
    except DittoError:
        return {}
    given = message.get("headers") if isinstance(message, dict) else None
    said = given.items() if isinstance(given, dict) else ()
    return {name.lower(): header for name, header in said if header is not None}


def encode_envelope(envelope: Envelope) -> bytes:
    """Print a message, its members in the order of Ditto's Java implementation; absent ones are left out."""
    message: JsonObject = {
        "topic": str(envelope.topic),
        "headers": dict(envelope.headers),
        "path": envelope.path,
    }
    if envelope.value is not MISSING:
        message["value"] = envelope.value
    later: dict[str, JsonValue] = {
        "extra": envelope.extra,
        "status": envelope.status,
        "revision": envelope.revision,
        "timestamp": envelope.timestamp,
        "metadata": envelope.metadata,
        "fields": envelope.fields,
    }
    message.update({name: member for name, member in later.items() if member is not None})
    return json.dump(message)


def _optional(message: JsonObject, name: str, kind: type[_Kind]) -> _Kind | None:
    member = message.get(name)
    if member is None:
        return None
    if not isinstance(member, kind) or isinstance(member, bool):
        raise JsonFormatInvalid(f"'{name}'", _KINDS[kind])
    return member


def _unusable(message: JsonObject) -> DittoError:
    """What is wrong with the topic or the path."""
    for name in ("topic", "path"):
        if name not in message:
            return JsonFieldMissing(name, "the message")
    return JsonFormatInvalid("'topic' and 'path'", "strings")
