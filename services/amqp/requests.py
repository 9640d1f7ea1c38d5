"""A delivery while it is worked on."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.enforcement.auth import NOBODY, AuthContext
from protocol.signals import Command, Headers, Signal
from services.amqp.channels import Delivery


@dataclass(slots=True)
class Request:
    """What is known so far of what a delivery asks for; a message that cannot be read stays without ``signal``.

    ``headers`` are those of the envelope over those of the message. ``attempts`` counts failed tries.
    """

    delivery: Delivery
    command_id: str
    topic: str | None = None
    headers: Headers = field(default_factory=dict)
    signal: Signal | None = None
    auth: AuthContext = NOBODY
    attempts: int = 0

    @property
    def query(self) -> bool:
        """Whether it only asks."""
        signal = self.signal
        return signal is not None and (not isinstance(signal, Command) or signal.verb == "retrieve")

    @property
    def reply_address(self) -> str | None:
        """Where the answer goes; None if nobody waits for one."""
        headers = self.headers
        if headers.get("response-required") is False:
            return None
        address = headers.get("reply-to")
        return address if isinstance(address, str) and address else None
