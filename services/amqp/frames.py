"""Frames of AMQP 0-9-1 written without an object per frame: publications, properties and acknowledgements.

``aiormq`` builds, locks and queues four objects for each publication; that costs more than everything else that happens
to an event on its way out. The few frames that go out once per message are packed here instead (AMQP 0-9-1
specification, sections 2.3.5 and 4.2); whatever is rare is left to ``aiormq``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

FRAME_END: Final = b"\xce"
FRAME_OVERHEAD: Final = 8
SHORT_STRING_BYTES: Final = 255
PERSISTENT: Final = b"\x02"

_HEAD: Final = struct.Struct(">BHI")
_CONTENT: Final = struct.Struct(">BHIHHQ")
_ACKNOWLEDGE: Final = struct.Struct(">BHIHHQBB")
_LONG: Final = struct.Struct(">I")
_SIGNED: Final = struct.Struct(">cq")
_EVENT: Final = struct.Struct(">10sq10sq")

_METHOD, _HEADER, _BODY = 1, 2, 3
_BASIC, _PUBLISH, _ACK = 60, 40, 80

_CONTENT_TYPE, _HEADERS, _DELIVERY_MODE = 1 << 15, 1 << 13, 1 << 12
_CORRELATION_ID, _MESSAGE_ID, _TIMESTAMP, _TYPE = 1 << 10, 1 << 7, 1 << 6, 1 << 5
_USER_ID = 1 << 4


def short_string(text: str) -> bytes:
    """``text`` as a short string: one length byte and at most 255 bytes of UTF-8; longer is a ``ValueError``."""
    data = text.encode()
    if len(data) > SHORT_STRING_BYTES:
        raise ValueError("longer than 255 bytes")
    return bytes((len(data),)) + data


def table(entries: Iterable[tuple[str, str | int]]) -> bytes:
    """A field table of long strings and signed 64-bit integers."""
    parts: list[bytes] = []
    for name, value in entries:
        parts.append(short_string(name))
        if isinstance(value, int):
            parts.append(_SIGNED.pack(b"l", value))
        else:
            data = value.encode()
            parts.append(b"S" + _LONG.pack(len(data)) + data)
    body = b"".join(parts)
    return _LONG.pack(len(body)) + body


@lru_cache(maxsize=16_384)
def _stream_entry(stream: str) -> bytes:
    data = stream.encode()
    return b"\x06streamS" + _LONG.pack(len(data)) + data


def event_headers(stream: str, revision: int, position: int) -> bytes:
    """The table ``{stream, revision, position}``, as ``table`` would pack it, with the stream's part kept."""
    entry = _stream_entry(stream)
    return _LONG.pack(len(entry) + 36) + entry + _EVENT.pack(b"\x08revisionl", revision, b"\x08positionl", position)


def persistent_properties(
    *,
    content_type: bytes,
    headers: bytes = b"",
    correlation_id: str | None = None,
    message_id: str | None = None,
    timestamp: int | None = None,
    message_type: str | None = None,
    user_id: str | None = None,
) -> bytes:
    """Flags and values of the properties of a persistent message.

    ``content_type`` is a short string, ``headers`` a table (both as packed here), ``timestamp`` counts whole seconds.
    """
    flags = _CONTENT_TYPE | _DELIVERY_MODE
    parts = [content_type]
    if headers:
        flags |= _HEADERS
        parts.append(headers)
    parts.append(PERSISTENT)
    if correlation_id is not None:
        flags |= _CORRELATION_ID
        parts.append(short_string(correlation_id))
    if message_id is not None:
        flags |= _MESSAGE_ID
        parts.append(short_string(message_id))
    if timestamp is not None:
        flags |= _TIMESTAMP
        parts.append(timestamp.to_bytes(8, "big"))
    if message_type is not None:
        flags |= _TYPE
        parts.append(short_string(message_type))
    if user_id is not None:
        flags |= _USER_ID
        parts.append(short_string(user_id))
    return flags.to_bytes(2, "big") + b"".join(parts)


@lru_cache(maxsize=16_384)
def publish_method(channel: int, exchange: str, routing_key: str) -> bytes:
    """The ``basic.publish`` frame; the same for every message from one channel to one address."""
    arguments = b"\x00\x00" + short_string(exchange) + short_string(routing_key) + b"\x00"
    head = _HEAD.pack(_METHOD, channel, 4 + len(arguments))
    return head + struct.pack(">HH", _BASIC, _PUBLISH) + arguments + FRAME_END


def publication(method: bytes, channel: int, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """All frames of one message: method, content header, and the body in frames of at most ``frame_max`` bytes."""
    size = len(body)
    header = _CONTENT.pack(_HEADER, channel, 12 + len(properties), _BASIC, 0, size)
    if size <= frame_max - FRAME_OVERHEAD:
        return b"".join(
            (method, header, properties, FRAME_END, _HEAD.pack(_BODY, channel, size), body, FRAME_END)
            if size
            else (method, header, properties, FRAME_END)
        )
    parts = [method, header, properties, FRAME_END]
    step = frame_max - FRAME_OVERHEAD
    for start in range(0, size, step):
        piece = body[start : start + step]
        parts += (_HEAD.pack(_BODY, channel, len(piece)), piece, FRAME_END)
    return b"".join(parts)


def acknowledgement(channel: int, delivery_tag: int, *, multiple: bool) -> bytes:
    """A ``basic.ack`` frame."""
    return _ACKNOWLEDGE.pack(_METHOD, channel, 13, _BASIC, _ACK, delivery_tag, multiple, FRAME_END[0])
