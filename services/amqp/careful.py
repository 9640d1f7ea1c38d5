"""Reading from a broker that holds a message which the AMQP library cannot read.

RabbitMQ passes the properties of a message on without looking into them; one short string that is no UTF-8, or a time
beyond all calendars, makes ``aiormq`` give up the whole connection, the message comes back on the next one, and so for
ever: one device could stop the queue. So after such an end connections are read with care: properties that cannot be
read are replaced, in place and in the same length, by a mark that the consumer knows. That costs a second reading, so
it is not done from the start.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

from aiormq.connection import TransportFactory
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from pamqp.header import ContentHeader
from typing_extensions import override
from yarl import URL

UNREADABLE: Final = (ValueError, TypeError, LookupError, ArithmeticError, OSError, struct.error, PAMQPException)
"""What the library raises over bytes that make no sense to it."""

_HEADER_FRAME: Final = 2
_FIXED: Final = 12
_APP_ID: Final = 1 << 3
MARK: Final = "!"
"""The ``app_id`` of a message whose properties could not be read. Who sets it oneself has the message put aside."""


def unreadable(properties: Basic.Properties) -> bool:
    """Whether these properties stand for others that could not be read."""
    return properties.app_id == MARK


class CarefulReader(asyncio.StreamReader):
    """Reads frames as ``aiormq`` asks for them: one byte of type, six more of head, then payload and end."""

    _kind = 0

    @override
    async def readexactly(self, n: int) -> bytes:
        data = await super().readexactly(n)
        if n == 1:
            self._kind = data[0]
        elif n != 6 and self._kind == _HEADER_FRAME:
            return readable(data)
        return data


def readable(payload: bytes) -> bytes:
    """The payload of a content header frame with its end byte, marked if it cannot be read."""
    try:
        ContentHeader().unmarshal(payload[:-1])
    except UNREADABLE:
        marked = payload[:_FIXED] + _APP_ID.to_bytes(2, "big") + bytes((len(MARK),)) + MARK.encode()
        return marked + payload[len(marked) :]
    return payload


class CarefulTransport(TransportFactory):
    """Connects as ``aiormq`` does, with a ``CarefulReader``."""

    @override
    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # its own type
        provider = kwargs.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = CarefulReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 5672, ssl=context, **kwargs
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
