"""Both sides of the broker: the stations that publish readings, the backend app that counts what comes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from protocol.wire.envelope import CONTENT_TYPE
from services.amqp.channels import Delivery
from services.amqp.frames import persistent_properties, short_string
from services.amqp.sending import open_sender
from services.demo.readings import Reading

TOLD_EVERY: Final = 64
_TYPE: Final = short_string(CONTENT_TYPE)


async def publish_readings(
    url: str, exchange: str, user: str, readings: Iterable[Reading], progress: Callable[[int], None]
) -> int:
    """Publish as fast as the broker confirms; says how many it has confirmed."""
    async with open_sender(url, exchange) as sender:
        for number, reading in enumerate(readings, start=1):
            properties = persistent_properties(content_type=_TYPE, message_id=reading.message_id, user_id=user)
            await sender.send(number, reading.station.thing_id, properties, reading.envelope(time.time()))
            if not number % TOLD_EVERY:
                progress(sender.sent)
        await sender.settle()
        progress(sender.sent)
        return sender.sent


@dataclass(slots=True)
class Audience:
    """Counts the stations' events; a repeated delivery of the same event counts once.

    It is all ears before anybody looks into the log, and told afterwards which revisions were there already: so no
    event falls between, also if messages of an interrupted run are still on their way.
    """

    heard: dict[str, dict[int, float]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    out_of_order: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.time)

    def hear(self, delivery: Delivery) -> None:
        """Take one event."""
        now = time.time()
        envelope = orjson.loads(delivery.body)
        thing_id = ":".join(envelope["topic"].split("/", 2)[:2])
        revision = envelope["revision"]
        revisions = self.heard.setdefault(thing_id, {})
        if revision in revisions:
            return
        self.out_of_order += bool(revisions) and revision < next(reversed(revisions))
        revisions[revision] = now
        sent_at = envelope["headers"].get("demo-sent-at", 0)
        if sent_at >= self.began:
            self.latencies.append(now - sent_at)
        self.moved.set()

    def received(self, after: Mapping[str, int]) -> int:
        """How many different events have come with revisions beyond those in ``after``."""
        return sum(
            revision > after.get(thing_id, 0) for thing_id, revisions in self.heard.items() for revision in revisions
        )

    @property
    def last_at(self) -> float:
        """When the last event came, in seconds since 1970; 0 if none did."""
        return max((at for revisions in self.heard.values() for at in revisions.values()), default=0.0)
