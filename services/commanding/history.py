"""How an entity was: its state after an earlier revision, or at an earlier time.

Source: Ditto documentation, page *basic-history*. Who may see it is decided on how things are now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent, StreamName
from eventstore.store import EventStore
from projections.events import follow
from protocol.context import Context, Limits
from protocol.enforcement.enforce import enforce_history
from protocol.entities import EntityState, respond
from protocol.errors import DittoError, HeaderInvalid, PolicyHistoryNotFound, ThingHistoryNotFound
from protocol.identifiers import PolicyId
from protocol.json import JsonValue, parse
from protocol.signals import Command
from protocol.stored import headers_of_part, published_headers
from services.commanding.errors import StoreDown
from services.commanding.ledger import Ledger
from services.commanding.loading import States
from services.commanding.pending import Answer, Pending
from services.commanding.rules import decide_command
from services.commanding.surroundings import Surroundings

AT_REVISION: Final = "at-historical-revision"
AT_TIMESTAMP: Final = "at-historical-timestamp"
HISTORICAL_HEADERS: Final = "historical-headers"
PAGE: Final = 1_000


def is_historical(command: Command) -> bool:
    """Whether the command asks for an earlier state."""
    return AT_REVISION in command.headers or AT_TIMESTAMP in command.headers


class History:
    """Replays streams up to a point of their past, a page at a time."""

    def __init__(
        self,
        *,
        store: EventStore,
        states: States,
        ledger: Ledger,
        clock: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        self._store = store
        self._states = states
        self._ledger = ledger
        self._clock = clock
        self._limits = limits

    async def work(self, group: list[Pending]) -> None:
        """Answer each of the group; streams may be long, so one after the other."""
        for pending in group:
            self._ledger.close(pending, await self._answer(pending))

    async def _answer(self, pending: Pending) -> Answer:
        try:
            context = await self._context(pending)
            state, event = await self._state_at(pending)
            decision = decide_command(pending.command, state, context)
        except StoreUnavailable:
            return StoreDown()
        except DittoError as error:
            return error
        answer = respond(decision, state)
        return replace(answer, headers={**answer.headers, HISTORICAL_HEADERS: _told(event)})

    async def _context(self, pending: Pending) -> Context:
        """The present, if it lets the caller see the past."""
        known: dict[StreamName, EntityState | None] = {}
        surroundings = Surroundings(known, now=self._clock(), limits=self._limits, compile=self._states.compile)
        known.update(await self._states.verified((pending.stream,)))
        state = known[pending.stream]
        while isinstance(around := surroundings.of(pending.command, state, pending.auth), tuple):
            known.update(await self._states.verified(around))
        enforce_history(pending.command, state, around.context)
        return around.context

    async def _state_at(self, pending: Pending) -> tuple[EntityState, RecordedEvent]:
        command = pending.command
        revision = _revision(command)
        until = _timestamp(command)
        state: EntityState | None = None
        last: RecordedEvent | None = None
        async for event in self._events(pending.stream, revision):
            if until is not None and event.recorded_at > until:
                break
            state, last = follow(state, event), event
        if state is None or last is None or state.deleted or (revision is not None and last.revision != revision):
            raise _nothing(command)
        return state, last

    async def _events(self, stream: StreamName, to_revision: int | None) -> AsyncIterator[RecordedEvent]:
        after = 0
        while to_revision is None or after < to_revision:
            end = after + PAGE if to_revision is None else min(after + PAGE, to_revision)
            page = await self._store.read_stream(stream, after_revision=after, to_revision=end)
            for event in page:
                yield event
            if len(page) < end - after:
                return
            after = end


def _told(event: RecordedEvent) -> JsonValue:
    """The headers of the last event so far, which may have been about something that the caller may not read."""
    return parse(published_headers(headers_of_part(event.headers)))


def _revision(command: Command) -> int | None:
    given = command.headers.get(AT_REVISION)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise HeaderInvalid(AT_REVISION, "a revision, counted from 1", given)
    return given


def _timestamp(command: Command) -> datetime | None:
    given = command.headers.get(AT_TIMESTAMP)
    if given is None:
        return None
    try:
        when = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise HeaderInvalid(AT_TIMESTAMP, "an ISO 8601 timestamp such as 2026-01-31T12:00:00Z", given) from error
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def _nothing(command: Command) -> DittoError:
    revision = command.headers.get(AT_REVISION)
    when = f"revision {revision}" if revision is not None else f"{command.headers.get(AT_TIMESTAMP)}"
    if isinstance(command.entity_id, PolicyId):
        return PolicyHistoryNotFound(command.entity_id, when)
    return ThingHistoryNotFound(command.entity_id, when)
