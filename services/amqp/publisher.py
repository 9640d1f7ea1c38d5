"""The role that publishes every event of the log, in order, each at least once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import lru_cache, partial
from typing import Final, Protocol

import structlog
from aiormq.abc import AbstractConnection

from eventstore.errors import StoreError
from eventstore.events import RecordedEvent
from protocol.wire.envelope import CONTENT_TYPE
from services.amqp.channels import Outbox, PublishingChannel
from services.amqp.connection import Link, SessionEnded
from services.amqp.frames import event_headers, persistent_properties, short_string
from services.amqp.meters import Meters
from services.amqp.progress import Progress
from services.amqp.routing import hashed, routing_prefix

log = structlog.get_logger(__name__)

BREATH: Final = 64
"""Events encoded between two turns of the event loop."""


class Turn(Protocol):
    """The part of ``projections.consumers.Turn`` that is used here: a place in the log that only this process holds."""

    position: int

    def batches(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Everything after ``position``, for ever."""
        ...

    async def advance(self, position: int) -> None:
        """Make ``position`` the durable checkpoint."""
        ...


class EventPublisher:
    """Publishes to ``topology.events`` with confirms, many in flight; ``work`` is for ``CheckpointedReader.run``.

    The checkpoint follows the confirmed beginning of what was sent, every ``save_seconds``. A crash, a lost connection
    or a refused publication resumes from there: the events of one entity keep their order, and at most what was not yet
    confirmed and saved is published again, under the same message id (``<stream>@<revision>``).
    """

    def __init__(
        self,
        link: Link,
        *,
        envelope_of: Callable[[RecordedEvent], bytes],
        meters: Meters,
        visible: Callable[[RecordedEvent], Awaitable[RecordedEvent | None]] | None = None,
        in_flight: int = 2_000,
        save_seconds: float = 0.1,
    ) -> None:
        self.link = link
        self._envelope_of = envelope_of
        self._meters = meters
        self._visible = visible
        self._in_flight = in_flight
        self._save_seconds = save_seconds

    async def work(self, turn: Turn) -> None:
        """Publish for as long as it is this process's turn; cancel to stop."""
        await self.link.run(partial(self._session, turn))

    async def _session(self, turn: Turn, connection: AbstractConnection) -> None:
        outbox = Outbox(connection)
        channel = await connection.channel(publisher_confirms=True)
        progress = Progress(turn.position, limit=self._in_flight)
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settled(tag: int, multiple: bool, taken: bool) -> None:  # noqa: FBT001 - as a confirm says it
            if taken:
                progress.settled(tag, multiple=multiple)
            elif not refused.done():
                refused.set_exception(SessionEnded("the broker did not take an event"))

        publishing = PublishingChannel(channel, outbox, settled)
        closing = channel.closing
        tasks = [
            asyncio.ensure_future(outbox.run()),
            asyncio.ensure_future(self._publish(turn, publishing, progress)),
            asyncio.ensure_future(self._save(turn, progress)),
        ]
        try:
            done, _ = await asyncio.wait({*tasks, refused, closing}, return_when=asyncio.FIRST_COMPLETED)
            _raise_first(done - {closing})
            raise SessionEnded("the broker closed the publishing channel")
        finally:
            for task in (*tasks, refused, closing):
                task.cancel()
            await asyncio.gather(*tasks, refused, return_exceptions=True)

    async def _publish(self, turn: Turn, publishing: PublishingChannel, progress: Progress) -> None:
        exchange = self.link.topology.events
        breath = BREATH
        async for batch in turn.batches():
            for event in batch:
                prefix = routing_prefix(event.stream)
                if prefix is None:
                    progress.skipped(event.position)
                    continue
                if self._visible is not None:
                    seen = await self._visible(event)
                    if seen is None:
                        progress.skipped(event.position)
                        continue
                    event = seen  # noqa: PLW2901 - what leaves is what may be seen of it
                if progress.in_flight >= self._in_flight:
                    await progress.room()
                tag = publishing.publish(
                    exchange, prefix + event.type, event_properties(event), self._envelope_of(event)
                )
                progress.sent(tag, event.position)
                breath -= 1
                if not breath:
                    breath = BREATH
                    await asyncio.sleep(0)

    async def _save(self, turn: Turn, progress: Progress) -> None:
        """Let the checkpoint follow; the end of a session leaves it where it is, which costs repeats, not order."""
        counted = 0
        while True:
            position = await progress.moved()
            events = progress.events
            await turn.advance(position)
            self._meters.published(events - counted)
            counted = events
            await asyncio.sleep(self._save_seconds)


def _raise_first(done: set[asyncio.Future[None]]) -> None:
    for future in done:
        try:
            future.result()
        except StoreError as error:
            raise SessionEnded(f"the log cannot be read: {error}") from error


_TYPE: Final = short_string(CONTENT_TYPE)


@lru_cache(maxsize=16_384)
def _label(stream: str) -> str:
    """The stream as the beginning of a message id, which holds 255 bytes: a very long one is hashed."""
    return stream if len(stream.encode()) <= 230 else hashed(stream)


def message_id(event: RecordedEvent) -> str:
    """The same for every publication of the event, so that a consumer can drop repeats."""
    return f"{_label(event.stream)}@{event.revision}"


def event_properties(event: RecordedEvent) -> bytes:
    """Properties of a published event: enough for a consumer to drop repeats without reading the body."""
    return persistent_properties(
        content_type=_TYPE,
        headers=event_headers(event.stream, event.revision, event.position),
        message_id=message_id(event),
        timestamp=int(event.recorded_at.timestamp()),
        message_type=event.type,
    )
