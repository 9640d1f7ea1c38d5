"""How an entity was: its state after an earlier revision, or at an earlier time; a policy also resolved as it was then.

Source: Ditto documentation, page *basic-history*. Who may see it is decided on how things are now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent, StreamName
from eventstore.store import EventStore
from protocol.context import Context, Limits
from protocol.enforcement.auth import AuthContext
from protocol.enforcement.enforce import enforce_history
from protocol.enforcement.sources import Sources
from protocol.entities import EntityState, respond
from protocol.errors import DittoError, HeaderInvalid, PolicyHistoryNotFound, ThingHistoryNotFound
from protocol.identifiers import PolicyId
from protocol.json import JsonValue, parse
from protocol.policies.resolve import resolved_view, sources_of
from protocol.policies.state import PolicyState
from protocol.signals import Command
from protocol.stored import headers_of_part, published_headers
from services.commanding.errors import StoreDown
from services.commanding.ledger import Ledger
from services.commanding.loading import States
from services.commanding.pending import Answer, Pending
from services.commanding.replaying import Moment, imported_then, replayed
from services.commanding.rules import decide_command
from services.commanding.surroundings import Surroundings

AT_REVISION: Final = "at-historical-revision"
AT_TIMESTAMP: Final = "at-historical-timestamp"
HISTORICAL_HEADERS: Final = "historical-headers"


def is_historical(command: Command) -> bool:
    """Whether the command asks for an earlier state."""
    return AT_REVISION in command.headers or AT_TIMESTAMP in command.headers


class History:
    """Answers by replaying streams up to a point of their past."""

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
        surroundings = self._surroundings(known)
        known.update(await self._states.verified((pending.stream,)))
        state = known[pending.stream]
        while isinstance(around := surroundings.of(pending.command, state, pending.auth), tuple):
            known.update(await self._states.verified(around))
        enforce_history(pending.command, state, around.context)
        return around.context

    def _surroundings(self, known: dict[StreamName, EntityState | None]) -> Surroundings:
        return Surroundings(known, now=self._clock(), limits=self._limits, compile=self._states.compile)

    async def _state_at(self, pending: Pending) -> tuple[EntityState, RecordedEvent]:
        command = pending.command
        revision = _revision(command)
        found = await replayed(self._store, pending.stream, Moment(revision=revision, until=_timestamp(command)))
        if found is None or found[0].deleted or (revision is not None and found[1].revision != revision):
            raise _nothing(command)
        state, last = found
        if isinstance(state, PolicyState) and command.headers.get("policy-view") == "resolved":
            # A revision stands for the moment in which it came to be, also for everything else in the log.
            moment = Moment(position=last.position) if revision is not None else Moment(until=_timestamp(command))
            state = await self._resolved(state, pending.auth, moment)
        return state, last

    async def _resolved(self, policy: PolicyState, auth: AuthContext, moment: Moment) -> PolicyState:
        """The policy with what counted for it then, as far as the caller may read all of each entry today.

        Which root policies count is a setting, of which there is no history: those of today, as they said then.
        """
        roots = self._limits.roots_of(policy.policy_id)
        then = await imported_then(self._store, policy.document, roots, moment)
        today = await self._about(sources_of(policy.document, then, roots=roots), auth)
        view = resolved_view(policy.document, then, roots=roots, readable=Sources(today).shows)
        return replace(policy, document=view)

    async def _about(self, policies: tuple[PolicyId, ...], auth: AuthContext) -> Context:
        """The present as far as these policies go."""
        known: dict[StreamName, EntityState | None] = {}
        surroundings = self._surroundings(known)
        while isinstance(around := surroundings.about(policies, auth, None), tuple):
            known.update(await self._states.verified(around))
        return around.context


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
