"""Conditional commands: ``If-Match``, ``If-None-Match`` and ``if-equal``.

| header                 | resource | query | modify, merge, create | delete |
|------------------------|----------|-------|-----------------------|--------|
| ``If-Match: "x"``      | other    | 412   | 412                   | 412    |
| ``If-Match: "x", *``   | missing  | (404) | 412                   | (404)  |
| ``If-None-Match: "x"`` | same     | 304   | 412                   | 412    |
| ``If-None-Match: *``   | exists   | 304   | 412                   | 412    |

Source: Ditto documentation, page *httpapi-concepts*; the answers in brackets are given by the verb itself.
"""

from __future__ import annotations

from protocol.errors import (
    HeaderInvalid,
    PreconditionFailed,
    PreconditionNotModified,
    SignalUnsupported,
)
from protocol.signals import Command, Headers
from protocol.things import views
from protocol.things.state import ThingState
from protocol.wire.etags import EntityTags

_CONDITIONAL = frozenset(
    {"if-match", "if-none-match", "condition", "live-channel-condition", "merge-thing-patch-conditions"}
)
_NEEDS_RQL = ("condition", "live-channel-condition", "merge-thing-patch-conditions")


def check_tags(command: Command, state: ThingState | None) -> None:
    """Raise what the table above says, ``state`` being the living thing; nothing if there is no such header."""
    headers = command.headers
    if _CONDITIONAL.isdisjoint(headers):
        return
    for name in _NEEDS_RQL:
        if name in headers:
            raise SignalUnsupported(name, "conditions are not evaluated yet, and none is taken for granted")
    if command.verb == "retrieve" and "_policy" in (command.fields or ""):
        return  # the tag of a thing says nothing about its policy
    tag = None if state is None else views.etag(state, command.path)
    if "if-match" in headers:
        _check_if_match(command, str(headers["if-match"]), tag)
    if tag is not None and "if-none-match" in headers:
        _check_if_none_match(command, str(headers["if-none-match"]), tag)


def if_equal(headers: Headers) -> str:
    """What to do with a change that changes nothing: ``update``, ``skip`` or ``skip-minimizing-merge``."""
    wish = headers.get("if-equal", "update")
    if wish not in {"update", "skip", "skip-minimizing-merge"}:
        raise HeaderInvalid("if-equal", "update, skip or skip-minimizing-merge", wish)
    return str(wish)


def _check_if_match(command: Command, wanted: str, tag: str | None) -> None:
    if tag is None:
        if command.verb not in {"retrieve", "delete"}:
            raise PreconditionFailed("if-match", wanted, None)
    elif not EntityTags.parse(wanted).matches(tag):
        raise PreconditionFailed("if-match", wanted, tag)


def _check_if_none_match(command: Command, unwanted: str, tag: str) -> None:
    if EntityTags.parse(unwanted, "if-none-match").matches(tag):
        if command.verb == "retrieve":
            raise PreconditionNotModified("if-none-match", unwanted, tag)
        raise PreconditionFailed("if-none-match", unwanted, tag)
