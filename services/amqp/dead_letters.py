"""What could not be read or was refused for good, put aside with the reason."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime

from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError
from pamqp.commands import Basic
from pamqp.common import FieldTable

from protocol.errors import DittoError
from services.amqp.channels import Delivery

HEADERS_MAX = 65_536
"""Bytes of original headers that are carried over; together with ours they must fit one frame of 128 kB."""

_ROUTED_BY_HEADER = ("CC", "BCC")
"""RabbitMQ would route the dead letter to these too (*Sender-selected Distribution*); they are renamed."""


class DeadLetters:
    """Publishes dead letters to the exchange ``name`` with confirms, on a channel of its own."""

    def __init__(self, connection: AbstractConnection, name: str, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._name = name
        self._clock = clock
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def put(self, delivery: Delivery, error: DittoError) -> None:
        """Put a message aside; returns when the broker has it in a queue.

        Raises ``aiormq``'s errors if it has not: the exchange is gone, no queue is bound to it, or the connection is
        lost. Then nothing may be acknowledged.
        """
        channel = await self._open()
        await channel.basic_publish(
            delivery.body,
            exchange=self._name,
            routing_key=delivery.routing_key,
            properties=properties(delivery, error, self._clock()),
            mandatory=True,
        )

    async def _open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel


def properties(delivery: Delivery, error: DittoError, now: datetime) -> Basic.Properties:
    """The properties of a dead letter: those of the original, and the reason in headers ``x-twinlog-...``.

    Left out are ``expiration`` (a dead letter must not expire), ``user_id`` (the broker would compare it with ours)
    and ``message_id`` (ours are unique, which tells returned ones apart); the last two are kept in headers.
    """
    original = delivery.properties
    return Basic.Properties(
        content_type=original.content_type,
        content_encoding=original.content_encoding,
        headers=_carried(original.headers) | _reason(delivery, error, now),
        delivery_mode=2,
        priority=original.priority,
        correlation_id=original.correlation_id,
        reply_to=original.reply_to,
        message_id=uuid.uuid4().hex,
        timestamp=original.timestamp,
        message_type=original.message_type,
        app_id=original.app_id,
    )


def _reason(delivery: Delivery, error: DittoError, now: datetime) -> FieldTable:
    facts: FieldTable = {
        "x-twinlog-reason": error.code,
        "x-twinlog-status": error.status,
        "x-twinlog-message": error.message,
        "x-twinlog-exchange": delivery.exchange,
        "x-twinlog-routing-key": delivery.routing_key,
        "x-twinlog-time": now.isoformat(),
    }
    if error.description is not None:
        facts["x-twinlog-description"] = error.description
    if delivery.properties.user_id is not None:
        facts["x-twinlog-user-id"] = delivery.properties.user_id
    if delivery.properties.message_id is not None:
        facts["x-twinlog-message-id"] = delivery.properties.message_id
    return facts


def _carried(headers: FieldTable | None) -> FieldTable:
    if not headers:
        return {}
    carried = {f"x-twinlog-{name}" if name in _ROUTED_BY_HEADER else name: value for name, value in headers.items()}
    if len(Basic.Properties(headers=carried).marshal()) > HEADERS_MAX:
        return {"x-twinlog-headers-left-out": True}
    return carried


TROUBLE = (AMQPError, RuntimeError, OSError)
"""What ``put`` raises when the broker did not take the letter (a closed channel is a ``RuntimeError`` to aiormq)."""
