"""Reads: from memory at once where that is exact, else in groups that share one look at the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from eventstore.events import StreamName
from protocol.context import Context
from protocol.enforcement.auth import AuthContext
from protocol.enforcement.enforce import governing_policy
from protocol.entities import EntityState
from protocol.errors import DittoError
from protocol.identifiers import ThingId
from protocol.json import MISSING, JsonValue, Missing
from protocol.signals import Command, Response, RetrieveThings
from protocol.things import conditions
from protocol.things.conditions import CONDITION
from services.commanding.deciding import read
from services.commanding.draft import Draft
from services.commanding.errors import StoreDown
from services.commanding.ledger import Ledger
from services.commanding.limits import CommandingLimits
from services.commanding.loading import States
from services.commanding.pending import Answer, Pending
from services.commanding.rules import needed_entities, predicted_streams, stream_name
from services.commanding.states import NO_EPOCH
from services.commanding.surroundings import Surroundings, context_alone, context_under


@dataclass(slots=True)
class Gathering:
    """A request for several things on its way: one retrieve each, and the future of the whole."""

    signal: RetrieveThings
    parts: list[Pending]
    whole: Pending


class Reader:
    """Answers retrieves of entities that nothing on its way is about to change."""

    def __init__(
        self,
        *,
        states: States,
        ledger: Ledger,
        clock: Callable[[], datetime],
        limits: CommandingLimits,
    ) -> None:
        self._states = states
        self._ledger = ledger
        self._clock = clock
        self._limits = limits

    def from_memory(self, reads: Iterable[Pending]) -> list[Answer] | None:
        """The answers if memory knows them exactly (see ``States``), else nothing."""
        epoch = self._states.epoch()
        if epoch == NO_EPOCH:
            return None
        now = self._clock()
        answers: list[Answer] = []
        for pending in reads:
            state = self._recall(pending.stream, epoch)
            context = None if isinstance(state, Missing) else self._context(pending, state, now, epoch)
            if isinstance(state, Missing) or context is None:
                return None
            answers.append(read(pending.command, state, context))
        return answers

    def _recall(self, stream: StreamName, epoch: int) -> EntityState | Missing:
        return MISSING if stream in self._ledger.busy else self._states.trusted(stream, epoch)

    def _context(self, pending: Pending, state: EntityState, now: datetime, epoch: int) -> Context | None:
        """What the read has to know, if memory does; nearly always that is one policy, which imports nothing.

        Without a field selector a read asks for nothing else (``needed_entities``).
        """
        policy_id = governing_policy(state)
        rules, compile_ = self._limits.rules, self._states.compile
        if policy_id is None:
            return context_alone(pending.auth, now, rules, compile_)
        policy = self._recall(stream_name(policy_id), epoch)
        if isinstance(policy, Missing):
            return None
        context = context_under(policy, pending.auth, now, rules, compile_)
        if context is None or (pending.command.fields and needed_entities(pending.command, state, context)):
            return self._wide_context(pending, state, now, epoch)
        return context

    def _wide_context(self, pending: Pending, state: EntityState, now: datetime, epoch: int) -> Context | None:
        known: dict[StreamName, EntityState | None] = {pending.stream: state}
        around = Surroundings(known, now=now, limits=self._limits.rules, compile=self._states.compile)
        while isinstance(found := around.of(pending.command, state, pending.auth), tuple):
            for stream in found:
                recalled = self._recall(stream, epoch)
                if isinstance(recalled, Missing):
                    return None
                known[stream] = recalled
        return found.context

    async def work(self, group: list[Pending | Gathering]) -> None:
        """Answer the group from states compared with the log, in one round trip unless policies turn up."""
        reads = [part for item in group for part in (item.parts if isinstance(item, Gathering) else (item,))]
        try:
            answers = await self._answers(reads)
        except StoreDown:
            for item in group:
                self._ledger.close(item.whole if isinstance(item, Gathering) else item, StoreDown())
            return
        for item in group:
            if isinstance(item, Gathering):
                self._ledger.close(item.whole, combined_response(item.signal, [answers[part] for part in item.parts]))
            else:
                self._ledger.close(item, answers[item])

    async def _answers(self, reads: list[Pending]) -> dict[Pending, Answer]:
        draft = Draft(now=self._clock(), limits=self._limits.rules, compile=self._states.compile)
        streams: set[StreamName] = set()
        for pending in reads:
            remembered = self._states.remembered(pending.stream)
            streams.add(pending.stream)
            streams.update(predicted_streams(pending.command, remembered, pending.auth.subjects, draft.now))
        while streams:
            await self._learn(draft, streams)
            streams = {stream for pending in reads for stream in draft.missing(pending)}
        for pending in reads:
            draft.take(pending)
        return {verdict.pending: verdict.answer for verdict in draft.verdicts}

    async def _learn(self, draft: Draft, streams: Iterable[StreamName]) -> None:
        """Where a change is on its way memory may lag behind what others can read already, so the log is asked."""
        wanted = list(streams)
        busy = [stream for stream in wanted if stream in self._ledger.busy]
        for stream, state in (await self._states.verified(wanted, distrusted=busy)).items():
            draft.learn(stream, state)


def gathering(
    signal: RetrieveThings, auth: AuthContext, edge: str, future: asyncio.Future[Response], since: float
) -> Gathering:
    """One retrieve for each thing asked for; raises if a condition cannot be asked of any of them."""
    conditions.check_each_readable(signal.headers)
    parts = [
        Pending(_one(signal, thing_id), auth, None, edge, stream_name(thing_id), future, since)
        for thing_id in dict.fromkeys(signal.thing_ids)
    ]
    whole_id = ThingId(f"{signal.namespace or '_'}:_")
    whole = Pending(_one(signal, whole_id), auth, None, edge, stream_name(whole_id), future, since)
    return Gathering(signal, parts, whole)


def _one(signal: RetrieveThings, thing_id: ThingId) -> Command:
    headers = {CONDITION: signal.headers[CONDITION]} if CONDITION in signal.headers else {}
    return Command(entity_id=thing_id, verb="retrieve", path=(), fields=signal.fields, headers=headers)


def combined_response(signal: RetrieveThings, answers: list[Answer]) -> Response:
    """The things found, in the order asked for; what is missing, hidden or not as the condition wants is left out.

    The entity id of the answer is the placeholder of the request's topic, ``_:_`` or ``<namespace>:_``.
    """
    found: list[JsonValue] = [
        answer.value
        for answer in answers
        if not isinstance(answer, DittoError) and not isinstance(answer.value, Missing)
    ]
    return Response(
        entity_id=ThingId(f"{signal.namespace or '_'}:_"), verb="retrieve", path=(), status=200, value=found
    )
