"""The role that announces and removes: claims what is due, decides on the log's present state, records, publishes.

Order is everything. An attempt is recorded before it is published, under the condition that neither the policy nor its
announcements have moved on: of two processes one is refused, and a subject that was just extended is not announced. A
crash after the record publishes the same attempt again, under the same ids. That the broker has it is recorded after
its confirm, so none gets lost. Nothing is remembered here from one round to the next.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from eventstore.errors import StoreError
from eventstore.events import StreamName
from projections.deadlines import Claims, DeadlinesReader, Release, Waking
from protocol.announcements.decide import Broker, Moment, Publish, Remove, Rules, Step
from protocol.announcements.records import Failed, Published, Record
from protocol.announcements.watch import Watch
from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError
from protocol.identifiers import PolicyId
from protocol.policies.removal import ANNOUNCER, removal
from protocol.signals import Response, Signal
from protocol.streams import entity_of
from services.announcer.meters import Meters
from services.announcer.publishing import Publishes, message_of
from services.announcer.recording import Draft, Recorder
from services.announcer.round import PASSES, Round, Share

log = structlog.get_logger(__name__)

EDGE: Final = "announcer"


class Submits(Protocol):
    """The part of ``services.commanding.Commanding`` that is used here."""

    def submit(
        self, signal: Signal, auth: AuthContext, *, command_id: str | None = None, edge: str = "internal"
    ) -> asyncio.Future[Response]:
        """Take a signal; see ``Commanding.submit``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the announcer works.

    ``subjects`` is how many are worked on at a time, so that other commands get their turn: about so many are claimed
    (whole policies), told in one go and removed in one go. ``rounds`` go on side by side, one working while another
    waits for the database or the broker. ``poll`` seconds pass at most between two looks. What cannot be done now rests
    for ``rest`` seconds. The broker counts as lost after ``lost`` seconds, and is waited for at the start for
    ``patience``.
    """

    subjects: int = 96
    rounds: int = 2
    poll: float = 0.5
    rest: float = 1.0
    lost: float = 30.0
    patience: float = 2.0


class Announcer:
    """Works off deadlines for ever; any number of processes may."""

    def __init__(  # noqa: PLR0913 - everything that it touches, and the chances that it takes
        self,
        *,
        claims: Claims,
        reader: DeadlinesReader,
        recorder: Recorder,
        publisher: Publishes,
        commanding: Submits,
        clock: Callable[[], datetime],
        rules: Rules,
        meters: Meters,
        waking: Waking,
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._claims = claims
        self._reader = reader
        self._recorder = recorder
        self._publisher = publisher
        self._commanding = commanding
        self._clock = clock
        self._rules = rules
        self._meters = meters
        self._waking = waking
        self._pace = pace or Pace()
        self._chance = chance
        self._new_id = new_id
        self._share = Share(self._pace.subjects)

    async def run(self) -> None:
        """Do what is due, then wait until more is; cancel to stop."""
        await self._publisher.ready(self._pace.patience)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._pace.rounds):
                group.create_task(self._rounds())

    async def _rounds(self) -> None:
        idle = 0
        while True:
            try:
                if await self.work():
                    continue
                idle += 1
                if idle % 1_000 == 0:
                    await self._claims.sweep()
            except (StoreError, OSError) as trouble:
                log.warning("announcer_trouble", reason=str(trouble), retry_in=self._pace.rest)
                await asyncio.sleep(self._pace.rest)
            await self._waking.wait(self._pace.poll)

    async def work(self) -> int:
        """One round; answers how many policies were claimed, 0 if nothing was due."""
        began = time.monotonic()
        claimed = await self._claims.take(self._clock(), self._share.policies)
        if not claimed:
            return 0
        rest = Release(rest=self._pace.rest)
        round_ = Round(watched={}, releases=dict.fromkeys(claimed, rest), until=began + self._claims.seconds)
        try:
            await self._begin(round_)
            while await self._pass(round_) and time.monotonic() < round_.until:
                pass
        finally:
            await self._claims.release(round_.releases)
        return len(claimed)

    async def _begin(self, round_: Round) -> None:
        """Load what is claimed; whatever is more than can be done soon is given back, before it waits for its turn."""
        round_.watched = await self._reader.load(round_.releases)
        surplus = self._share.surplus(round_.watched)
        if surplus:
            await self._claims.release(dict.fromkeys(surplus, Release()))
            round_.give_up(surplus)

    async def _pass(self, round_: Round) -> bool:
        moment = Moment(
            now=self._clock(), rules=self._rules, chance=self._chance, new_id=self._new_id, broker=self._broker()
        )
        steps = round_.due(moment, self._pace.subjects)
        done = await self._record(round_, steps)
        done |= await self._publish(round_, steps, moment.now)
        done |= await self._remove(round_, steps)
        return done

    def _broker(self) -> Broker:
        silence = self._publisher.silence()
        return "up" if not silence else "lost" if silence > self._pace.lost else "down"

    async def _record(self, round_: Round, steps: Mapping[StreamName, Sequence[Step]]) -> bool:
        drafts: dict[StreamName, Draft] = {}
        for stream, due in steps.items():
            records: list[Record] = [step for step in due if not isinstance(step, (Publish, Remove))]
            if records:
                drafts[stream] = Draft(watching=round_.watched[stream], records=records, firm=True)
                self._meters.failed.inc(sum(isinstance(record, Failed) for record in records))
        return await self._append(round_, drafts)

    async def _append(self, round_: Round, drafts: Mapping[StreamName, Draft]) -> bool:
        recorded = await self._recorder.append(drafts)
        round_.follow(recorded)
        overtaken = drafts.keys() - recorded.keys()
        round_.leave(overtaken)
        for stream in overtaken:
            round_.releases[stream] = Release(rest=self._pace.rest / 10)
        self._meters.overtaken.inc(len(overtaken))
        return bool(recorded)

    async def _publish(self, round_: Round, steps: Mapping[StreamName, Sequence[Step]], now: datetime) -> bool:
        attempts: list[tuple[StreamName, Watch]] = []
        for stream, due in steps.items():
            if stream in round_.watched:
                attempts += [(stream, step.watch) for step in due if isinstance(step, Publish)]
        if not attempts or time.monotonic() >= round_.until:
            return False
        messages = [message_of(_policy_id(stream), watch, now) for stream, watch in attempts]
        confirmed = await self._publisher.publish(messages)
        records: dict[StreamName, list[Record]] = {}
        for (stream, watch), taken in zip(attempts, confirmed, strict=True):
            if taken:
                record = Published(watch_id=watch.watch_id, subject_id=watch.subject_id, attempt=watch.attempt)
                records.setdefault(stream, []).append(record)
        self._meters.announced.inc(sum(confirmed))
        self._meters.unpublished.inc(len(confirmed) - sum(confirmed))
        drafts = {
            stream: Draft(watching=round_.watched[stream], records=each, firm=False) for stream, each in records.items()
        }
        for _ in range(PASSES):
            recorded = await self._recorder.append(drafts)
            round_.follow(recorded)
            drafts = await self._reloaded(round_, drafts, drafts.keys() - recorded.keys())
            if not drafts:
                return True
        round_.leave(drafts)
        return True

    async def _reloaded(
        self, round_: Round, drafts: Mapping[StreamName, Draft], overtaken: Set[StreamName]
    ) -> dict[StreamName, Draft]:
        """What has happened is recorded in any case; an answer may come before the record of what it answers."""
        if not overtaken:
            return {}
        round_.watched |= await self._reader.load(overtaken)
        return {stream: replace(drafts[stream], watching=round_.watched[stream]) for stream in overtaken}

    async def _remove(self, round_: Round, steps: Mapping[StreamName, Sequence[Step]]) -> bool:
        """One command for each policy; all are in one append, and other commands have their turn after it."""
        due: dict[StreamName, list[Watch]] = {}
        for stream, each in steps.items():
            if watches := [step.watch for step in each if isinstance(step, Remove)]:
                due[stream] = watches
        answers = await asyncio.gather(*(self._removal(*each) for each in due.items()), return_exceptions=True)
        for (stream, watches), answer in zip(due.items(), answers, strict=True):
            round_.removed.update(watch.watch_id for watch in watches)
            if isinstance(answer, Response):
                round_.releases[stream] = Release(position=answer.position or 0)
                self._meters.removed.inc(0 if answer.position is None else len(watches))
            elif isinstance(answer, DittoError):
                log.warning("removal_refused", policy=stream, subjects=len(watches), reason=answer.message)
                round_.releases[stream] = Release(rest=self._pace.rest)
            else:
                raise answer
        return bool(due)

    async def _removal(self, stream: StreamName, watches: Sequence[Watch]) -> Response:
        command = removal(_policy_id(stream), [(watch.subject_id, watch.subject) for watch in watches])
        return await self._commanding.submit(command, ANNOUNCER, edge=EDGE)


def _policy_id(stream: StreamName) -> PolicyId:
    return PolicyId(entity_of(stream))
