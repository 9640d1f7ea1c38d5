"""Reading a request target (RFC 9112 section 3.2): percent-decoding exactly once, and never guessing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from services.http.refusals import bad_uri

Query: TypeAlias = Mapping[str, tuple[str, ...]]
"""The parameters of a query string with all values of each, in their order."""

NO_QUERY: Query = {}
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_PARAMETERS_MAX: Final = 256


def split_target(target: str) -> tuple[str, str]:
    """Path and query string of a request target, still encoded; the absolute form loses its authority."""
    if not target.startswith("/"):
        parts = _split_absolute(target)
        target = (parts[0] or "/") + (f"?{parts[1]}" if parts[1] else "")
    path, _, query = target.partition("?")
    return path, query.partition("#")[0]


def percent_decode(text: str) -> str:
    """Decode escapes once, to UTF-8. A plus stays a plus; a bad escape or bad UTF-8 refuses the request with 400."""
    if "%" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise bad_uri("a percent sign is not followed by two hexadecimal digits")
    try:
        # The parser keeps bytes beyond ASCII as surrogates: they count as if they had been escaped.
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        raise bad_uri("it is not UTF-8") from None


def percent_decode_if_possible(text: str) -> str:
    """As ``percent_decode``, but what holds a bad escape stays as it is."""
    return text if _BAD_ESCAPE.search(text) else percent_decode(text)


def read_query(text: str) -> Query:
    """Parameters of a query string, where a plus is a space (WHATWG URL section 5.1); 400 if it is malformed."""
    if not text:
        return NO_QUERY
    pairs = text.split("&")
    if len(pairs) > _PARAMETERS_MAX:
        raise bad_uri(f"it has more than {_PARAMETERS_MAX} parameters")
    found: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, pairs):
        name, _, value = pair.replace("+", " ").partition("=")
        name = percent_decode(name)
        found[name] = (*found.get(name, ()), percent_decode(value))
    return found


def _split_absolute(target: str) -> tuple[str, str]:
    try:
        parts = urlsplit(target)
    except ValueError:
        raise bad_uri("it has no valid authority") from None
    return parts.path, parts.query
