"""Acknowledgements of announcements, on their way into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from eventstore.errors import StoreError
from eventstore.events import StreamName
from projections.deadlines import DeadlinesReader
from protocol.announcements.evolve import Watching
from protocol.announcements.records import Acknowledged, Record, correlation_of
from protocol.announcements.watch import Watch, requests_redelivery
from protocol.enforcement.auth import AuthContext
from protocol.errors import GatewayServiceUnavailable
from protocol.identifiers import PolicyId
from protocol.signals import Acknowledgement, Response
from protocol.streams import stream_of
from services.announcer.meters import Meters
from services.announcer.recording import Draft, Recorder
from services.commanding.lane import Lane

log = structlog.get_logger(__name__)

TRIES: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    acknowledgement: Acknowledgement
    auth: AuthContext
    future: asyncio.Future[Response]

    @property
    def stream(self) -> StreamName:
        return StreamName(stream_of(PolicyId(self.acknowledgement.entity_id)))


class Acknowledging:
    """Takes acknowledgements, in groups: matched by correlation id, recorded with who sent them.

    One that nobody waits for is ignored, as Ditto does: unknown or outdated correlation ids, labels that were not asked
    for, a second answer. Everything read here is exact, so an answer may overtake the read model.
    """

    def __init__(self, *, reader: DeadlinesReader, recorder: Recorder, meters: Meters) -> None:
        self._reader = reader
        self._recorder = recorder
        self._meters = meters
        self._lane = Lane[_Answer](self._work, group_max=256, failed=_failed)

    async def run(self) -> None:
        """Record for ever; cancel to stop."""
        await self._lane.run()

    def submit(self, acknowledgement: Acknowledgement, auth: AuthContext) -> asyncio.Future[Response]:
        """Done when the acknowledgement is durable or ignored; fails with 503 when the log cannot be reached."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._lane.put(_Answer(acknowledgement, auth, future))
        return future

    async def _work(self, group: list[_Answer]) -> None:
        left = group
        try:
            for _ in range(TRIES):
                left = await self._try(left)
                if not left:
                    return
        except (StoreError, OSError, TimeoutError) as trouble:
            log.warning("acknowledgements_not_recorded", reason=str(trouble))
        _failed(left)

    async def _try(self, group: Sequence[_Answer]) -> list[_Answer]:
        """Record the group; answers those that somebody has overtaken."""
        watched = await self._reader.load({answer.stream for answer in group})
        drafts: dict[StreamName, Draft] = {}
        meant: dict[StreamName, list[_Answer]] = {}
        for answer in group:
            records = _records(watched, answer)
            if records:
                before = drafts[answer.stream].records if answer.stream in drafts else ()
                drafts[answer.stream] = Draft(watching=watched[answer.stream], records=(*before, *records), firm=False)
                meant.setdefault(answer.stream, []).append(answer)
            else:
                self._meters.ignored.inc()
                _done(answer)
        recorded = await self._recorder.append(drafts)
        for stream in recorded:
            self._meters.acknowledged.inc(len(drafts[stream].records))
            for answer in meant[stream]:
                _done(answer)
        return [answer for stream, answers in meant.items() if stream not in recorded for answer in answers]


def _records(watched: Mapping[StreamName, Watching], answer: _Answer) -> list[Record]:
    watching = watched.get(answer.stream)
    acknowledgement = answer.acknowledgement
    watch = None if watching is None else _meant(watching, acknowledgement.correlation_id)
    if watch is None:
        return []
    settled = {ack.label for ack in watch.acks if not requests_redelivery(ack.status)}
    return [
        Acknowledged(
            watch_id=watch.watch_id,
            subject_id=watch.subject_id,
            announcement_id=watch.announcement_id,
            label=label,
            status=status,
            by=answer.auth.default_subject,
        )
        for label, status in acknowledgement.statuses.items()
        if label in watch.announcement.ack_labels and label not in settled
    ]


def _meant(watching: Watching, correlation_id: str) -> Watch | None:
    """The watch whose announcement has this correlation id, whichever attempt it was."""
    correlation = correlation_of(correlation_id)
    for watch in watching.watches.values():
        waits = watch.stage in {"waiting", "announced", "published"}
        if waits and watch.correlation is not None and watch.correlation == correlation:
            return watch
    return None


def _done(answer: _Answer) -> None:
    if not answer.future.done():
        entity_id = answer.acknowledgement.entity_id
        answer.future.set_result(Response(entity_id=entity_id, verb="modify", path=(), status=204))


def _failed(group: Sequence[_Answer]) -> None:
    for answer in group:
        if not answer.future.done():
            answer.future.set_exception(
                GatewayServiceUnavailable("The acknowledgement could not be recorded.", "It will be tried again.")
            )
