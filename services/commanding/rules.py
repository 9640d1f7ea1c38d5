"""Dispatches between things and policies: which rules decide a command, and which other entities they need."""

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
"""Verbs that can create an entity: at the root they cannot be decided as if there were none."""


stream_name: Final = cast("Callable[[EntityId], StreamName]", stream_of)
"""The stream of an entity, as the event store's type."""


def needed_entities(command: Command, state: EntityState | None, context: Context) -> tuple[EntityId, ...]:
    """The entities that the context must contain, with all that they import, before the command can be decided."""
    if isinstance(command.entity_id, PolicyId):
        return policies_needed(command, state if isinstance(state, PolicyState) else None, context)
    return entities_needed(command, state if isinstance(state, ThingState) else None, context)


def predicted_streams(
    command: Command, remembered: EntityState | None, subjects: tuple[str, ...], now: datetime
) -> list[StreamName]:
    """The streams that the command probably needs beside its own, so that they are loaded in the same round trip.

    The guess rests on the remembered state, which may be outdated; an unknown thing probably has a policy of its id.
    """
    guessed = [stream_name(each) for each in needed_entities(command, None, Context(now=now, subjects=subjects))]
    if isinstance(command.entity_id, ThingId):
        policy_id = remembered.policy_id if isinstance(remembered, ThingState) else PolicyId(command.entity_id)
        if policy_id is not None:
            guessed.append(stream_name(policy_id))
    return guessed


def enforce_command(
    command: Command, state: EntityState | None, context: Context
) -> tuple[Command, EntityState | None]:
    """Authorize the command with ``enforce``; the service's own removals of expired subjects are not authorized."""
    if isinstance(command, RemoveSubjects):
        return command, state
    try:
        return enforce(command, state, context)
    except (ThingNotFound, PolicyNotFound) as hidden:
        if command.path or command.verb not in _CREATING:
            _refuse_as_missing(command, hidden, context)
        raise


def _refuse_as_missing(command: Command, hidden: DittoError, context: Context) -> None:
    """Raise the error that the command would get if there were no such entity, if that is another one than ``hidden``.

    An invalid value or condition is a 400 for an entity that does not exist. If it were a 404 for a hidden one, anybody
    could find out what exists.
    """
    try:
        decide_command(command, None, context)
    except DittoError as error:
        if type(error) is not type(hidden):
            raise error from None


def decide_command(command: Command, state: EntityState | None, context: Context) -> Decision:
    """The decision of the rules for the command's kind of entity; raises the ``DittoError`` to answer with."""
    if isinstance(command.entity_id, PolicyId):
        policy = state if isinstance(state, PolicyState) else None
        if isinstance(command, RemoveSubjects):
            return decide_removal(command, policy)
        return decide_policy(command, policy, context)
    return decide(command, state if isinstance(state, ThingState) else None, context)
