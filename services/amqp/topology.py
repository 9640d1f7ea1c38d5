"""The exchanges, queues and bindings that Twinlog uses, and their declaration."""

from __future__ import annotations

from dataclasses import dataclass

from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPChannelError

DECLARE_SECONDS = 20.0


class TopologyConflict(Exception):
    """Something exists in the broker under one of our names, but not as we need it; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Names in the broker. ``commands`` and ``dead_letters`` name an exchange and a queue each."""

    commands: str = "twinlog.commands"
    events: str = "twinlog.events"
    announcements: str = "twinlog.announcements"
    dead_letters: str = "twinlog.dead-letters"

    @property
    def exchanges(self) -> tuple[tuple[str, str], ...]:
        """Names and types of the exchanges, all durable."""
        return (
            (self.commands, "topic"),
            (self.events, "topic"),
            (self.announcements, "topic"),
            (self.dead_letters, "fanout"),
        )

    @property
    def queues(self) -> tuple[tuple[str, str, str], ...]:
        """Name, exchange and binding of the queues, all durable."""
        return ((self.commands, self.commands, "#"), (self.dead_letters, self.dead_letters, ""))

    @property
    def names(self) -> frozenset[str]:
        """All names; nobody may have replies sent there."""
        return frozenset((self.commands, self.events, self.announcements, self.dead_letters))


async def declare(connection: AbstractConnection, topology: Topology) -> None:
    """Declare everything; what is there already as needed stays as it is.

    A queue that an operator has declared with arguments of its own (a quorum queue, a length limit) is used as it is:
    a declaration is only tried for what a passive declaration does not find. Raises ``TopologyConflict`` if an
    exchange has another type, or if the broker refuses, and ``ConnectionError`` if the connection is lost meanwhile.
    """
    for name, kind in topology.exchanges:
        await _exchange(connection, name, kind)
    for name, exchange, binding in topology.queues:
        await _queue(connection, name, exchange, binding)


async def _channel(connection: AbstractConnection) -> AbstractChannel:
    try:
        return await connection.channel(publisher_confirms=False, timeout=DECLARE_SECONDS)
    except RuntimeError:
        if connection.is_closed:  # which is all that aiormq tells by this error
            raise ConnectionError("the connection was lost") from None
        raise


async def _exchange(connection: AbstractConnection, name: str, kind: str) -> None:
    channel = await _channel(connection)
    try:
        await channel.exchange_declare(name, exchange_type=kind, durable=True, timeout=DECLARE_SECONDS)
    except AMQPChannelError as refused:
        raise TopologyConflict(
            f"The exchange '{name}' cannot be declared as a durable {kind} exchange: {refused}. "
            "Remove the other one, or configure another name."
        ) from refused
    await channel.close()


async def _queue(connection: AbstractConnection, name: str, exchange: str, binding: str) -> None:
    if not await _queue_exists(connection, name):
        await _declare_queue(connection, name)
    channel = await _channel(connection)
    try:
        await channel.queue_bind(name, exchange, binding, timeout=DECLARE_SECONDS)
    except AMQPChannelError as refused:
        raise TopologyConflict(
            f"The queue '{name}' cannot be bound to the exchange '{exchange}': {refused}."
        ) from refused
    await channel.close()


async def _queue_exists(connection: AbstractConnection, name: str) -> bool:
    channel = await _channel(connection)
    try:
        await channel.queue_declare(name, passive=True, timeout=DECLARE_SECONDS)
    except AMQPChannelError:
        return False  # absent, exclusive to another connection, or not ours to see: the declaration tells which
    await channel.close()
    return True


async def _declare_queue(connection: AbstractConnection, name: str) -> None:
    channel = await _channel(connection)
    try:
        await channel.queue_declare(name, durable=True, timeout=DECLARE_SECONDS)
    except AMQPChannelError as refused:
        raise TopologyConflict(
            f"The queue '{name}' cannot be declared as a durable queue: {refused}. "
            "Remove the other one, or configure another name."
        ) from refused
    await channel.close()
