"""Events for an audience: what the configured subjects may see of each, under the policies of its time.

By default the exchange belongs to the operator and carries everything. With ``TWINLOG_AMQP_EVENT_SUBJECTS`` it carries
what these subjects may READ, filtered as for any subscriber (``protocol.enforcement.events``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from eventstore.events import RecordedEvent, StreamName
from eventstore.store import EventStore
from projections.events import follow
from protocol.context import Limits
from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.events import visible_event
from protocol.entities import EntityState
from protocol.identifiers import ThingId
from protocol.json import JsonObject, Missing, dump
from protocol.policies.state import PolicyState
from protocol.signals import Event
from protocol.stored import headers_of_part, restore_event
from protocol.things.state import ThingState
from services.commanding.enforcers import Enforcers
from services.commanding.rules import stream_name
from services.commanding.surroundings import Gathered

REMEMBERED: Final = 20_000
PAGE: Final = 1_000


class Visibility:
    """Follows the log, event by event and in order, and keeps the policies as they are at that point of it.

    What it has not seen yet it replays up to that point, so that a publisher which lags behind by hours still judges an
    event by the policy of its time.
    """

    def __init__(self, store: EventStore, subjects: tuple[str, ...], limits: Limits) -> None:
        self._store = store
        self._subjects = subjects
        self._limits = limits
        self._states: dict[StreamName, EntityState | None] = {}
        self._enforcers = Enforcers(max_entries=REMEMBERED)

    async def of(self, recorded: RecordedEvent) -> RecordedEvent | None:
        """The event as the audience may see it; nothing if it may not."""
        event = restore_event(recorded.stream, recorded.type, recorded.path, recorded.value, recorded.headers)
        before = await self._state(recorded.stream, recorded.position - 1)
        after = self._states[recorded.stream] = follow(before, recorded)
        gone = after.deleted and before is not None
        governed = before if gone and before is not None else after
        visible = visible_event(event, await self._enforcer(event, governed, recorded.position), self._subjects)
        if isinstance(after, ThingState):
            self._states[recorded.stream] = replace(after, document=_ids(after), metadata={})
        if visible is None:
            return None
        if visible is event:
            return recorded
        return replace(recorded, value=_value(visible), headers=headers_of_part(recorded.headers))

    async def _enforcer(self, event: Event, state: EntityState, position: int) -> Enforcer | None:
        """That of the policy which governs the entity; a thing's new policy comes right behind the thing."""
        policy_id = state.policy_id
        if policy_id is None:
            return None
        if event.action == "created" and not event.path and isinstance(event.entity_id, ThingId):
            self._states.pop(stream_name(policy_id), None)
            position += 1
        gathered = Gathered(self._states)
        gathered.add(policy_id)
        gathered.add_imports(policy_id, self._limits)
        while gathered.missing:
            for stream in gathered.missing:
                await self._state(stream, position)
            gathered = Gathered(self._states)
            gathered.add(policy_id)
            gathered.add_imports(policy_id, self._limits)
        policy = gathered.policies.get(policy_id)
        if not isinstance(policy, PolicyState) or policy.deleted:
            return None
        return self._enforcers.compile(policy, gathered.policies, self._limits.roots_of(policy_id))

    async def _state(self, stream: StreamName, position: int) -> EntityState | None:
        """The state after the event at the position, replayed if it is not known from following."""
        if stream not in self._states:
            if len(self._states) >= REMEMBERED:
                self._states.clear()
            self._states[stream] = await self._replayed(stream, position)
        return self._states[stream]

    async def _replayed(self, stream: StreamName, position: int) -> EntityState | None:
        state: EntityState | None = None
        after = 0
        while page := await self._store.read_stream(stream, after_revision=after, to_revision=after + PAGE):
            for event in page:
                if event.position > position:
                    return state
                state = follow(state, event)
            after += PAGE
        return state


def _ids(thing: ThingState) -> JsonObject:
    return {name: thing.document[name] for name in ("thingId", "policyId") if name in thing.document}


def _value(event: Event) -> bytes | None:
    return None if isinstance(event.value, Missing) else dump(event.value)
