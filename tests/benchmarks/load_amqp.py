"""A load generator for the message path: publishes commands, counts the events that come out at the other end.

It speaks through aiormq, the layer below aio-pika, and publishes without confirms, so that it takes little of the two
cores that it shares with everything measured. A bounded number of messages is on its way at any time.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aiormq
import orjson
import uvloop
from aiormq.abc import DeliveredMessage


class Audience:
    """Counts deliveries and keeps the latency of every one that carries the time it was sent."""

    def __init__(self, count: int) -> None:
        self.count = 0
        self.target = count
        self.latencies: list[float] = []
        self.finished = asyncio.Event()
        self.moved = asyncio.Event()
        self.last_at = 0.0

    async def hear(self, message: DeliveredMessage) -> None:
        """Take one event."""
        self.count += 1
        self.last_at = time.perf_counter()
        at = message.body.find(b'"sent-at":')
        if at >= 0:
            text = message.body[at + 10 : at + 40].split(b",", 1)[0].split(b"}", 1)[0]
            sent = float(text.strip(b'"'))
            self.latencies.append(time.time() - sent)
        self.moved.set()
        if self.count >= self.target:
            self.finished.set()


async def generate(job: dict[str, object]) -> dict[str, object]:
    """Run one job: ``amqp_url, exchange, routing_key, events, binding, body, user, count, window, rate``.

    ``{n}`` in the body becomes a counter, ``{t}`` the time of sending. ``rate`` (messages per second) 0 means as fast
    as the window allows.
    """
    count = int(str(job["count"]))
    connection = await aiormq.connect(str(job["amqp_url"]))
    listening = await connection.channel()
    audience = Audience(count)
    queue = (await listening.queue_declare(exclusive=True)).queue or ""
    await listening.queue_bind(queue, str(job["events"]), str(job["binding"]))
    await listening.basic_consume(queue, audience.hear, no_ack=True)
    began = time.perf_counter()
    await _publish(connection, audience, job)
    await asyncio.wait_for(audience.finished.wait(), timeout=120)
    took = audience.last_at - began
    await connection.close()
    ordered = sorted(audience.latencies) or [0.0]
    return {
        "rate": count / took,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
    }


async def _publish(connection: aiormq.abc.AbstractConnection, audience: Audience, job: dict[str, object]) -> None:
    channel = await connection.channel(publisher_confirms=False)
    keys = int(str(job["keys"]))
    count, window, rate = int(str(job["count"])), int(str(job["window"])), float(str(job["rate"]))
    body, user = str(job["body"]), str(job["user"])
    began = time.perf_counter()
    for number in range(count):
        while number - audience.count >= window:
            audience.moved.clear()
            await audience.moved.wait()
        if rate and (ahead := began + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        properties = aiormq.spec.Basic.Properties(
            content_type="application/vnd.eclipse.ditto+json",
            delivery_mode=2,
            user_id=user,
            message_id=f"{job['run']}-{number}",
        )
        text = body.replace("{n}", str(number)).replace("{t}", repr(time.time())).replace("{k}", str(number % keys))
        await channel.basic_publish(
            text.encode(), exchange=str(job["exchange"]), routing_key=str(job["routing_key"]), properties=properties
        )


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(generate(orjson.loads(sys.stdin.buffer.read())))))
