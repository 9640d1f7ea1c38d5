"""Where an intake sends what comes of messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from protocol.errors import DittoError
from services.amqp.channels import Delivery
from services.amqp.requests import Request


class Settles(Protocol):
    """Where acknowledgements go: a ``ConsumingChannel``."""

    def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Settle one delivery, or all up to this one."""
        ...


class Sends(Protocol):
    """Where answers go: ``Replies``."""

    def send(self, request: Request, address: str, content_type: bytes, body: bytes, sent: Callable[[], None]) -> None:
        """Send an answer and call ``sent`` when the delivery may be acknowledged."""
        ...


class PutsAside(Protocol):
    """Where refused messages go: ``DeadLetters``."""

    async def put(self, delivery: Delivery, error: DittoError) -> None:
        """Put a message aside, durably."""
        ...
