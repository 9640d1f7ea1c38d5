"""Entities at a moment of the past, from the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventstore.events import RecordedEvent, StreamName
from eventstore.store import EventStore
from projections.events import follow
from protocol.entities import EntityState
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from protocol.policies.resolve import policies_imported
from protocol.policies.state import PolicyState
from services.commanding.rules import stream_name

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Up to where events count; every bound is optional and inclusive, and together they all hold.

    The order of the log is also that of recorded times, so that a position or a time cuts all streams at once.
    """

    revision: int | None = None
    position: int | None = None
    until: datetime | None = None

    def includes(self, event: RecordedEvent) -> bool:
        """Whether the event had happened."""
        if self.position is not None and event.position > self.position:
            return False
        return self.until is None or event.recorded_at <= self.until


async def replayed(store: EventStore, stream: StreamName, moment: Moment) -> tuple[EntityState, RecordedEvent] | None:
    """The entity at the moment, and the last event of it by then; nothing if there had been none."""
    found: tuple[EntityState, RecordedEvent] | None = None
    async for event in _events(store, stream, moment.revision):
        if not moment.includes(event):
            break
        found = follow(None if found is None else found[0], event), event
    return found


async def imported_then(
    store: EventStore, document: JsonObject, roots: tuple[PolicyId, ...], moment: Moment
) -> dict[PolicyId, JsonObject | None]:
    """What resolving the policy needs of others as they stood at the moment; ``None`` for what there was not."""
    known: dict[PolicyId, JsonObject | None] = {}
    wanted = {*roots, *policies_imported(document, known)}
    while wanted:
        for policy_id in wanted:
            found = await replayed(store, stream_name(policy_id), moment)
            state = None if found is None or found[0].deleted else found[0]
            known[policy_id] = state.document if isinstance(state, PolicyState) else None
        wanted = set(policies_imported(document, known))
    return known


async def _events(store: EventStore, stream: StreamName, to_revision: int | None) -> AsyncIterator[RecordedEvent]:
    after = 0
    while to_revision is None or after < to_revision:
        end = after + PAGE if to_revision is None else min(after + PAGE, to_revision)
        page = await store.read_stream(stream, after_revision=after, to_revision=end)
        for event in page:
            yield event
        if len(page) < end - after:
            return
        after = end
