"""The floor of the message path: aio-pika consumes, asyncpg stores in groups, aio-pika publishes with confirms.

No Ditto, no rule, no projection: the least that "in, durable, out, acknowledged" costs with the given libraries.
"""

from __future__ import annotations

import asyncio
import sys

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractIncomingMessage

PREFETCH = 1_000
GROUP = 256
TABLE = "create table if not exists floor_events (position bigserial primary key, body json not null)"
INSERT = "insert into floor_events (body) select unnest($1::text[])::json"


async def serve(amqp_url: str, database_url: str) -> None:
    """Move messages from ``floor.commands`` to ``floor.events`` through the table until killed."""
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=4)
    await pool.execute(TABLE)
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel(publisher_confirms=True)
    await channel.set_qos(prefetch_count=PREFETCH)
    exchange = await channel.declare_exchange("floor.events", aio_pika.ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue("floor.commands", durable=True)
    waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await queue.consume(waiting.put)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    publishing: set[asyncio.Task[None]] = set()
    while True:
        group = [await waiting.get()]
        while not waiting.empty() and len(group) < GROUP:
            group.append(waiting.get_nowait())
        await pool.execute(INSERT, [message.body.decode() for message in group])
        await group[-1].channel.basic_ack(group[-1].delivery_tag or 0, multiple=True)
        task = asyncio.create_task(_publish(exchange, group))
        publishing.add(task)
        task.add_done_callback(publishing.discard)


async def _publish(exchange: aio_pika.abc.AbstractExchange, group: list[AbstractIncomingMessage]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for message in group:
            event = aio_pika.Message(message.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            tasks.create_task(exchange.publish(event, routing_key="things.bench.thing.modified"))


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:3]))
