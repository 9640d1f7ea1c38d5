"""The one place that tells things and policies apart: which rules decide a command, and what they need to know."""

from __future__ import annotations

from datetime import datetime

from eventstore.events import StreamName
from protocol.context import Context
from protocol.decision import Decision
from protocol.entities import EntityState, respond
from protocol.errors import SignalUnsupported
from protocol.identifiers import EntityId, ThingId
from protocol.policies.state import PolicyState
from protocol.signals import Command, Response
from protocol.streams import stream_of
from protocol.things.creation import entities_needed
from protocol.things.decide import decide


def stream_name(entity_id: EntityId) -> StreamName:
    """The stream of an entity, in the store's own type."""
    return StreamName(stream_of(entity_id))


def needed(command: Command, state: EntityState | None, context: Context) -> tuple[EntityId, ...]:
    """What the context must still learn about before the command can be decided."""
    return () if isinstance(state, PolicyState) else entities_needed(command, state, context)


def foreseen(command: Command, subjects: tuple[str, ...], now: datetime) -> list[StreamName]:
    """The streams that the command needs beside its own if there is no such entity yet: a guess that saves a trip."""
    return [stream_name(entity_id) for entity_id in needed(command, None, Context(now=now, subjects=subjects))]


def decided(command: Command, state: EntityState | None, context: Context) -> Decision:
    """What the command leads to, or the ``DittoError`` to answer with."""
    if isinstance(command.entity_id, ThingId) and not isinstance(state, PolicyState):
        return decide(command, state, context)
    raise SignalUnsupported(f"policies:{command.verb}")


def responded(decision: Decision, state: EntityState, *, position: int | None = None) -> Response:
    """The answer to a decision that has become true."""
    if isinstance(state, PolicyState):
        raise SignalUnsupported(f"policies:{decision.verb}")
    return respond(decision, state, position=position)
