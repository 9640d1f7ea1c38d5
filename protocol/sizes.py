"""An upper bound of the length of a document as JSON text, kept up to date without printing it.

The limit of a thing is on the characters of its JSON text. Printing 100 kB for every changed property would cost more
than everything else, so states carry an upper bound: each change adds what it brings and nothing is subtracted. Only
when the bound passes the limit is the document printed and the bound made exact again.
"""

from __future__ import annotations

from protocol.json import JsonObject, JsonValue, dump
from protocol.pointers import Pointer

RECOUNT_ABOVE = 102_400
"""Bounds beyond this are made exact after each change: Ditto's default limit, where exactness begins to matter."""


def printed_bytes(value: JsonValue) -> int:
    """The length of the JSON text in bytes of UTF-8, which is never less than its characters."""
    return len(dump(value))


def characters(document: JsonObject) -> int:
    """The exact number of characters of the JSON text."""
    return len(dump(document).decode())


def growth_bound(path: Pointer, length: int) -> int:
    """The most characters that a value of this printed length adds when it is put at the path.

    A key may be escaped to twice its length and brings quotes, a colon, braces for the object around it and a comma.
    """
    for key in path:
        length += 2 * len(key) + 6
    return length


def updated_bound(document: JsonObject, bound: int) -> int:
    """The bound to store for a document after a change: exact if ``bound`` is large, else ``bound`` itself."""
    return bound if bound <= RECOUNT_ABOVE else characters(document)
