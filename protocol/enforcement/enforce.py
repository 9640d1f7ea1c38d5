"""The one question whether a caller may do what a command says, asked before anything is decided."""

from __future__ import annotations

from protocol.enforcement.auth import AuthContext
from protocol.errors import ThingNotFound, ThingNotModifiable
from protocol.policies.state import PolicyState
from protocol.signals import Command
from protocol.things.state import ThingState


def enforce(
    command: Command,
    state: ThingState | PolicyState | None,  # noqa: ARG001 - what the policy's answer will depend on
    policy: PolicyState | None,  # noqa: ARG001 - the policy that governs the entity
    auth: AuthContext,
) -> None:
    """Return if the caller may, else raise the error that hides what the caller may not know.

    Every authenticated caller may do everything; nobody may do nothing. ``state`` and ``policy`` are the current ones.
    """
    if auth.subjects:
        return
    if command.verb == "retrieve":
        raise ThingNotFound(command.entity_id)
    raise ThingNotModifiable(command.entity_id)
