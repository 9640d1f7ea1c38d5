"""A load generator for the message path: publishes commands, counts the events that come out at the other end.

It writes and reads the frames of many messages at once (``services.amqp.channels``) and publishes without confirms, so
that it takes a tenth of what a client library would of the two cores that it shares with everything measured. A bounded
number of messages is on its way at any time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

import aiormq
import orjson
import uvloop

from services.amqp.channels import ConsumingChannel, Delivery, Outbox
from services.amqp.frames import SHORT_STRING_BYTES, persistent_properties, short_string

CONTENT_TYPE: Final = short_string("application/vnd.eclipse.ditto+json")
SENT_AT: Final = b'"sent-at":'
TIMED: Final = 8
"""One message in so many bears the time it was sent; a latency costs the generator more than a message."""
AT_ONCE: Final = 50
PATIENCE_SECONDS: Final = 120.0
USER_ID: Final = 1 << 4


class Audience:
    """Counts deliveries and keeps the latency of those that carry the time they were sent."""

    def __init__(self, count: int) -> None:
        self.count = 0
        self.last_at = 0.0
        self.latencies: list[float] = []
        self.finished = asyncio.Event()
        self._moved = asyncio.Event()
        self._target = count

    def hear(self, delivery: Delivery) -> None:
        """Take one event."""
        self.count += 1
        body = delivery.body
        at = body.find(SENT_AT)
        if at >= 0:
            sent = body[at + len(SENT_AT) : at + 40].split(b",", 1)[0].split(b"}", 1)[0]
            if sent != b"0":
                self.latencies.append(time.time() - float(sent))
        self._moved.set()
        if self.count >= self._target:
            self.last_at = time.perf_counter()
            self.finished.set()

    async def reaches(self, count: int) -> None:
        """Return as soon as so many were heard."""
        while self.count < count:
            self._moved.clear()
            await self._moved.wait()


async def generate(job: dict[str, Any]) -> dict[str, object]:
    """Run one job: ``amqp_url, exchange, routing_key, events, binding, body, user, keys, run, count, window, rate``.

    ``{n}`` in the body becomes a counter, ``{k}`` one of so many ``keys``, ``{t}`` the time of sending. ``rate``
    (messages per second) 0 means as fast as the window allows.
    """
    connection = await aiormq.connect(job["amqp_url"])
    outbox = Outbox(connection)
    sending = asyncio.create_task(outbox.run())
    channel = await connection.channel(publisher_confirms=False)
    audience = Audience(job["count"])
    queue = (await channel.queue_declare(exclusive=True)).queue or ""
    await channel.queue_bind(queue, job["events"], job["binding"])
    frames = ConsumingChannel(channel, outbox, audience.hear)
    await channel.basic_consume(queue, _unheard, no_ack=True)
    cpu, began = time.process_time(), time.perf_counter()
    await _publish(frames, audience, job)
    await asyncio.wait_for(audience.finished.wait(), PATIENCE_SECONDS)
    took = audience.last_at - began
    cpu = time.process_time() - cpu
    sending.cancel()
    await connection.close()
    ordered = sorted(audience.latencies) or [0.0]
    return {
        "rate": job["count"] / took,
        "count": job["count"],
        "cpu": cpu,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
    }


async def _publish(frames: ConsumingChannel, audience: Audience, job: dict[str, Any]) -> None:
    count, window, rate, keys = job["count"], job["window"], job["rate"], job["keys"]
    user = short_string(job["user"])
    began = time.perf_counter()
    for number in range(count):
        if number % AT_ONCE == 0 or rate:
            await audience.reaches(number + min(AT_ONCE, window) - window)
            ahead = began + number / rate - time.perf_counter() if rate else 0.0
            if ahead > 0 or number % AT_ONCE == 0:
                await asyncio.sleep(max(ahead, 0.0))
        sent_at = "0" if number % TIMED else repr(time.time())
        body = job["body"].replace("{n}", str(number)).replace("{t}", sent_at).replace("{k}", str(number % keys))
        properties = _properties(f"{job['run']}-{number}", user)
        frames.publish(job["exchange"], job["routing_key"], properties, body.encode())


def _properties(message_id: str, user: bytes) -> bytes:
    """Those that a device sets; the user id is the last of them in the order of the protocol."""
    properties = persistent_properties(content_type=CONTENT_TYPE, message_id=message_id)
    flags = int.from_bytes(properties[:2], "big") | USER_ID
    assert len(user) <= SHORT_STRING_BYTES
    return flags.to_bytes(2, "big") + properties[2:] + user


async def _unheard(_: object) -> None:
    """Stands where the library wants a consumer; deliveries never come this far."""


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
