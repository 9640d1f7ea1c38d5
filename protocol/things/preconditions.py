"""The preconditions of things by their entity tags; what a thing holds is asked in ``protocol.things.conditions``."""

from __future__ import annotations

from typing import Final

from protocol.errors import PreconditionFailed, PreconditionNotModified
from protocol.preconditions import Preconditions
from protocol.signals import Command
from protocol.things import views
from protocol.things.state import ThingState

CONDITIONS: Final = Preconditions(PreconditionFailed, PreconditionNotModified)


def check_tags(command: Command, state: ThingState | None) -> None:
    """Raise what the headers forbid, ``state`` being the living thing; nothing if there is no such header."""
    headers = command.headers
    if "if-match" not in headers and "if-none-match" not in headers:
        return
    if command.verb == "retrieve" and "_policy" in (command.fields or ""):
        return  # the tag of a thing says nothing about its policy
    CONDITIONS.check(command, None if state is None else views.etag(state, command.path))
