"""Announcements on their way to the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Final, Protocol

from aiormq.abc import AbstractConnection

from protocol.announcements.envelope import ANNOUNCEMENT_ID, SUBJECT_DELETION, announcement_envelope
from protocol.announcements.records import correlation_id
from protocol.announcements.watch import Watch
from protocol.identifiers import PolicyId
from protocol.wire.envelope import CONTENT_TYPE, encode_envelope
from services.amqp.channels import Outbox, PublishingChannel
from services.amqp.connection import Link, SessionEnded
from services.amqp.frames import persistent_properties, short_string, table
from services.amqp.routing import announcement_key

_TYPE: Final = short_string(CONTENT_TYPE)


@dataclass(frozen=True, slots=True)
class Message:
    """An attempt of an announcement, ready to go."""

    routing_key: str
    properties: bytes
    body: bytes


class Publishes(Protocol):
    """Where announcements go."""

    def silence(self) -> float:
        """For how many seconds nothing could have been published; 0 while it can."""
        ...

    async def ready(self, seconds: float) -> None:
        """Return when something can be published, or after so many seconds."""
        ...

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """For each message whether it is surely kept; where not, it may be."""
        ...


class AnnouncementPublisher:
    """Publishes to ``topology.announcements`` with confirms; ``run`` keeps it connected."""

    def __init__(self, link: Link, *, confirm_seconds: float = 10.0) -> None:
        self.link = link
        self._confirm_seconds = confirm_seconds
        self._channel: PublishingChannel | None = None
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._up = asyncio.Event()
        self._down_since = time.monotonic()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self.link.run(self._session)

    def silence(self) -> float:
        """See ``Publishes``."""
        return 0.0 if self._channel is not None else time.monotonic() - self._down_since

    async def ready(self, seconds: float) -> None:
        """See ``Publishes``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._up.wait()

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """See ``Publishes``; a confirm that does not come within ``confirm_seconds`` counts as none."""
        channel = self._channel
        if channel is None:
            return [False] * len(messages)
        loop = asyncio.get_running_loop()
        futures: dict[int, asyncio.Future[bool]] = {}
        for message in messages:
            tag = channel.publish(
                self.link.topology.announcements, message.routing_key, message.properties, message.body
            )
            futures[tag] = self._waiting[tag] = loop.create_future()
        await asyncio.wait(futures.values(), timeout=self._confirm_seconds)
        return [future.done() and future.result() for future in futures.values()]

    async def _session(self, connection: AbstractConnection) -> None:
        outbox = Outbox(connection)
        channel = await connection.channel(publisher_confirms=True)
        closing = channel.closing
        sending = asyncio.ensure_future(outbox.run())
        self._waiting = {}
        self._channel = PublishingChannel(channel, outbox, self._settled)
        self._up.set()
        try:
            await asyncio.wait({sending, closing}, return_when=asyncio.FIRST_COMPLETED)
            raise SessionEnded("the broker closed the channel of announcements")
        finally:
            self._leave()
            sending.cancel()
            closing.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _leave(self) -> None:
        self._channel = None
        self._up.clear()
        self._down_since = time.monotonic()
        for future in self._waiting.values():
            if not future.done():
                future.set_result(False)

    def _settled(self, tag: int, multiple: bool, taken: bool) -> None:  # noqa: FBT001 - as a confirm says it
        tags = list(takewhile(lambda each: each <= tag, self._waiting)) if multiple else [tag]
        for each in tags:
            future = self._waiting.pop(each, None)
            if future is not None and not future.done():
                future.set_result(taken)


class KeptInLog:
    """Where there is no broker: an announcement is told by standing in the log, and nobody can answer it."""

    def silence(self) -> float:
        """See ``Publishes``."""
        return 0.0

    async def ready(self, seconds: float) -> None:
        """See ``Publishes``."""

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """See ``Publishes``."""
        return [True] * len(messages)


def message_of(policy_id: PolicyId, watch: Watch, now: datetime) -> Message:
    """The present attempt of the watch's announcement.

    The property ``message_id`` and the header ``announcement-id`` are the same in all attempts.
    """
    headers = table(
        (
            (ANNOUNCEMENT_ID, watch.announcement_id),
            ("attempt", watch.attempt),
            ("policy", policy_id),
            ("subject", watch.subject_id),
        )
    )
    properties = persistent_properties(
        content_type=_TYPE,
        headers=headers,
        correlation_id=correlation_id(watch.correlation or watch.watch_id, watch.attempt),
        message_id=watch.announcement_id,
        timestamp=int(now.timestamp()),
        message_type=SUBJECT_DELETION,
    )
    key = announcement_key(policy_id, SUBJECT_DELETION, watch.subject_id)
    return Message(key, properties, encode_envelope(announcement_envelope(policy_id, watch)))
