"""Hearing what an exchange carries: a queue of one's own for as long as somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiormq

from services.amqp.channels import ConsumingChannel, Delivery, Outbox
from services.amqp.connection import TROUBLE
from services.demo.service import DemoFailedError


@asynccontextmanager
async def listening(url: str, exchange: str, *bindings: str, hear: Callable[[Delivery], None]) -> AsyncIterator[None]:
    """Give ``hear`` every message whose routing key fits one of the bindings. Raises ``DemoFailedError``."""
    try:
        connection = await aiormq.connect(url)
        channel = await connection.channel()
        queue = (await channel.queue_declare(exclusive=True)).queue or ""
        for binding in bindings:
            await channel.queue_bind(queue, exchange, binding)
        ConsumingChannel(channel, Outbox(connection), hear)
        await channel.basic_consume(queue, _never, no_ack=True)
    except TROUBLE as trouble:
        raise DemoFailedError(f"RabbitMQ said: {trouble}") from trouble
    try:
        yield
    finally:
        with suppress(*TROUBLE, asyncio.CancelledError):
            await connection.close()


async def _never(message: object) -> None:
    raise AssertionError(message)  # the consuming channel takes every delivery before aiormq sees it
