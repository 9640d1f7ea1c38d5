"""A delivery while it is worked on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from protocol.enforcement.auth import NOBODY, AuthContext
from protocol.signals import (
    Acknowledgement,
    CancelSearch,
    Command,
    Headers,
    Incoming,
    RequestPages,
    SubscribeToSearch,
)
from protocol.wire.topics import Topic
from services.amqp.channels import Delivery
from services.expectations import Expectation

_NO: Final = (False, "false")
"""Not wanted, as a boolean and as text, for the headers of a message that could not be read to its end."""

_ANSWERED_OTHERWISE: Final = (Acknowledgement, SubscribeToSearch, RequestPages, CancelSearch)
"""Nobody is told of an acknowledgement, and what a search says goes its own way."""


@dataclass(slots=True)
class Request:
    """What is known so far of what a delivery asks for; a message that cannot be read stays without ``signal``.

    ``headers`` are those of the envelope over those of the message. ``attempts`` counts failed tries. ``expectation``
    is what is to be waited for, if the command says anything about that, and ``began`` when the waiting began.
    """

    delivery: Delivery
    command_id: str
    topic: Topic | None = None
    headers: Headers = field(default_factory=dict)
    signal: Incoming | None = None
    auth: AuthContext = NOBODY
    attempts: int = 0
    began: float = 0.0
    expectation: Expectation | None = None

    @property
    def query(self) -> bool:
        """Whether it only asks."""
        signal = self.signal
        return signal is not None and (not isinstance(signal, Command) or signal.verb == "retrieve")

    @property
    def reply_address(self) -> str | None:
        """Where the answer goes; None if nobody waits for one, as for that to an acknowledgement."""
        headers = self.headers
        if self.expectation is not None and not self.expectation.response_required:
            return None
        if isinstance(self.signal, _ANSWERED_OTHERWISE) or headers.get("response-required") in _NO:
            return None
        address = headers.get("reply-to")
        return address if isinstance(address, str) and address else None
