"""Cursors: the place behind a page, sealed together with the query that it belongs to.

A cursor is given to the client and comes back. The seal (HMAC, RFC 2104) keeps it as it was made, so that nobody reads
a place into it; what it holds is what the client was shown anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from projections.search.paging import Place
from protocol.errors import JsonInvalid, SearchOptionInvalid
from protocol.json import JsonValue, dump, parse
from services.endpoints import write_private

KEY_FILE: Final = "cursor.key"
_KEY_BYTES: Final = 32
_SEAL_BYTES: Final = 16
_MOST: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where to go on, and with which query: its filters, namespaces and sort as the client wrote them."""

    filters: tuple[str, ...]
    namespaces: tuple[str, ...] | None
    sort: str
    place: Place


def sealed(cursor: Cursor, key: bytes) -> str:
    """The cursor as a client gets it."""
    place = cursor.place
    namespaces: JsonValue = None if cursor.namespaces is None else list(cursor.namespaces)
    content = zlib.compress(dump([list(cursor.filters), namespaces, cursor.sort, list(place.values), place.thing_id]))
    return base64.urlsafe_b64encode(_seal(content, key) + content).decode().rstrip("=")


def unsealed(text: str, key: bytes) -> Cursor:
    """The cursor that was sealed with this key; ``SearchOptionInvalid`` for anything else, without details."""
    try:
        data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        seal, content = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
        if hmac.compare_digest(seal, _seal(content, key)):
            return _read(zlib.decompressobj().decompress(content, _MOST))
    except (binascii.Error, ValueError, zlib.error, JsonInvalid):
        pass
    raise SearchOptionInvalid("cursor", "it is not a cursor of this service")


def cursor_key(home: Path) -> bytes:
    """The key of a data folder, made when it is needed first."""
    path = home / KEY_FILE
    if not path.exists():
        write_private(path, secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()


def _read(content: bytes) -> Cursor:
    match parse(content):
        case [list(filters), list() | None as namespaces, str(sort), list(values), str(thing_id)]:
            return Cursor(
                filters=tuple(map(str, filters)),
                namespaces=None if namespaces is None else tuple(map(str, namespaces)),
                sort=sort,
                place=Place(tuple(item for item in values if item is None or isinstance(item, str | int)), thing_id),
            )
        case _:
            raise ValueError("no cursor")


def _seal(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)[:_SEAL_BYTES]
