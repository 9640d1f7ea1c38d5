"""The preconditions of things: those of every entity, and Ditto's conditions about a thing's content."""

from __future__ import annotations

from typing import Final

from protocol.errors import PreconditionFailed, PreconditionNotModified, SignalUnsupported
from protocol.preconditions import Preconditions
from protocol.signals import Command
from protocol.things import views
from protocol.things.state import ThingState

CONDITIONS: Final = Preconditions(PreconditionFailed, PreconditionNotModified)

_CONDITIONAL = frozenset(
    {"if-match", "if-none-match", "condition", "live-channel-condition", "merge-thing-patch-conditions"}
)
_NEEDS_RQL = ("condition", "live-channel-condition", "merge-thing-patch-conditions")


def check_tags(command: Command, state: ThingState | None) -> None:
    """Raise what the headers forbid, ``state`` being the living thing; nothing if there is no such header."""
    headers = command.headers
    if _CONDITIONAL.isdisjoint(headers):
        return
    for name in _NEEDS_RQL:
        if name in headers:
            raise SignalUnsupported(name, "conditions are not evaluated yet, and none is taken for granted")
    if command.verb == "retrieve" and "_policy" in (command.fields or ""):
        return  # the tag of a thing says nothing about its policy
    CONDITIONS.check(command, None if state is None else views.etag(state, command.path))
