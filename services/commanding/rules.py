"""The one place that tells things and policies apart: which rules decide a command, and what they need to know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from eventstore.events import StreamName
from protocol.context import Context
from protocol.decision import Decision
from protocol.enforcement.enforce import enforce
from protocol.entities import EntityState
from protocol.errors import DittoError, PolicyNotFound, ThingNotFound
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.policies.decide import decide_policy, policies_needed
from protocol.policies.removal import RemoveSubjects, decide_removal
from protocol.policies.state import PolicyState
from protocol.signals import Command
from protocol.streams import stream_of
from protocol.things.creation import entities_needed
from protocol.things.decide import decide
from protocol.things.state import ThingState

_CREATING: Final = frozenset({"create", "modify", "merge"})
"""What makes an entity of nothing, so that its root cannot be decided as if there were none."""


stream_name: Final = cast("Callable[[EntityId], StreamName]", stream_of)
"""The stream of an entity, in the store's own type."""


def needed(command: Command, state: EntityState | None, context: Context) -> tuple[EntityId, ...]:
    """What the context must learn about, with all that it imports, before the command can be decided."""
    if isinstance(command.entity_id, PolicyId):
        return policies_needed(command, state if isinstance(state, PolicyState) else None, context)
    return entities_needed(command, state if isinstance(state, ThingState) else None, context)


def foreseen(
    command: Command, remembered: EntityState | None, subjects: tuple[str, ...], now: datetime
) -> list[StreamName]:
    """The streams that the command may need beside its own: a guess that saves a trip, from what memory has of it.

    A thing that is not known probably has a policy of its own name.
    """
    guessed = [stream_name(each) for each in needed(command, None, Context(now=now, subjects=subjects))]
    if isinstance(command.entity_id, ThingId):
        policy_id = remembered.policy_id if isinstance(remembered, ThingState) else PolicyId(command.entity_id)
        if policy_id is not None:
            guessed.append(stream_name(policy_id))
    return guessed


def permitted(command: Command, state: EntityState | None, context: Context) -> tuple[Command, EntityState | None]:
    """What ``enforce`` says; a removal that the service itself commands is not asked."""
    if isinstance(command, RemoveSubjects):
        return command, state
    try:
        return enforce(command, state, context)
    except (ThingNotFound, PolicyNotFound) as hidden:
        if command.path or command.verb not in _CREATING:
            _refuse_as_missing(command, hidden, context)
        raise


def _refuse_as_missing(command: Command, hidden: DittoError, context: Context) -> None:
    """Raise what is wrong with a command before it matters whether there is such an entity.

    A value or a condition that cannot be read is 400 where nothing is. If it were 404 where something is hidden, every
    stranger could find out what exists.
    """
    try:
        decided(command, None, context)
    except DittoError as error:
        if type(error) is not type(hidden):
            raise error from None


def decided(command: Command, state: EntityState | None, context: Context) -> Decision:
    """What the command leads to, or the ``DittoError`` to answer with."""
    if isinstance(command.entity_id, PolicyId):
        policy = state if isinstance(state, PolicyState) else None
        if isinstance(command, RemoveSubjects):
            return decide_removal(command, policy)
        return decide_policy(command, policy, context)
    return decide(command, state if isinstance(state, ThingState) else None, context)
