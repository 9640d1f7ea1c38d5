"""Which parts of an HTTP request become headers of its command.

HTTP carries much that is no concern of a twin (cookies, user agents, what proxies add), and headers of a command may
end up in the log. So only the headers in this table are taken, instead of all but a few.
"""

from __future__ import annotations

import os
import re
from typing import Final

from multidict import CIMultiDictProxy

from protocol.errors import DuplicateHeaderField, HeaderInvalid
from protocol.json import JsonValue
from protocol.wire.headers import read_headers
from services.http.urls import Query

PARAMETERS: Final = frozenset(
    {
        "channel",
        "requested-acks",
        "declared-acks",
        "response-required",
        "timeout",
        "live-channel-timeout-strategy",
        "allow-policy-lockout",
        "condition",
        "live-channel-condition",
        "at-historical-revision",
        "at-historical-timestamp",
        "dry-run",
        "policy-view",
    }
)
"""Headers that a query parameter may stand in for. Source: Ditto documentation, page *httpapi-concepts*."""

_TAKEN: Final = PARAMETERS | {
    "if-match",
    "if-none-match",
    "if-equal",
    "put-metadata",
    "get-metadata",
    "delete-metadata",
    "merge-thing-patch-conditions",
    "reply-to",
    "traceparent",
    "tracestate",
}
_ONCE: Final = _TAKEN | {
    "authorization",
    "content-type",
    "correlation-id",
    "x-correlation-id",
    "idempotency-key",
    "x-ditto-pre-authenticated",
}

_random: Final[list[str]] = []
"""Random digits fetched ahead: asking the system for 16 bytes costs more than all the rest of an id."""
_AT_ONCE: Final = re.compile("[0-9a-f]{32}")
_VARIANT: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def correlation_id_of(headers: CIMultiDictProxy[str], query: Query) -> str | None:
    """The id that the client gave: ``x-correlation-id``, ``correlation-id``, or the parameter; None if it gave none."""
    given = headers.get("x-correlation-id") or headers.get("correlation-id")
    if "correlation-id" not in query:
        return given
    parameter = _only("correlation-id", query)
    if given is not None and given != parameter:
        raise DuplicateHeaderField("correlation-id")
    return parameter


def new_correlation_id() -> str:
    """A fresh random id in the form of a UUID (RFC 9562, version 4)."""
    if not _random:
        _random.extend(_AT_ONCE.findall(os.urandom(16 * 256).hex()))
    digits = _random.pop()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def check_text(name: str, value: str) -> str:
    """The value, if it can be sent back as a header: no control characters, no broken UTF-8, not empty."""
    if not value.isprintable() or not value:
        raise HeaderInvalid(name, "printable text in UTF-8")
    return value


def check_once(headers: CIMultiDictProxy[str], name: str) -> None:
    """``DuplicateHeaderField`` for a header given twice, which two readers would take for two different things."""
    if len(headers.getall(name, ())) > 1:
        raise DuplicateHeaderField(name)


def command_headers(headers: CIMultiDictProxy[str], query: Query, correlation_id: str) -> dict[str, JsonValue]:
    """The typed headers of the command that a request stands for.

    ``DuplicateHeaderField`` for a header given twice or differently as parameter, else what ``read_headers`` raises.
    """
    raw: dict[str, object] = {"correlation-id": correlation_id}
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if lower not in _ONCE:
            continue
        if lower in seen:
            raise DuplicateHeaderField(lower)
        seen.add(lower)
        if lower in _TAKEN:
            raw[lower] = check_text(lower, value)
    if query:
        _add_parameters(raw, query)
    if len(raw) == 1:  # by far the most usual case, and the id has been checked
        return {"correlation-id": correlation_id}
    return read_headers(raw)


def _add_parameters(raw: dict[str, object], query: Query) -> None:
    for name in query:
        if name in PARAMETERS:
            value = check_text(name, _only(name, query))
            if raw.setdefault(name, value) != value:
                raise DuplicateHeaderField(name)


def _only(name: str, query: Query) -> str:
    values = query[name]
    if len(set(values)) > 1:
        raise DuplicateHeaderField(name)
    return values[0]
