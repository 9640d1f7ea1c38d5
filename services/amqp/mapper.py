"""What stands between payloads and signals, whatever the payload's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from protocol.acknowledgements import Outcome
from protocol.errors import DittoError
from protocol.signals import Incoming, Response
from services.amqp.requests import Request


class Mapper(Protocol):
    """Turns payloads into signals and answers into payloads; a managed connection may bring another one."""

    @property
    def content_type(self) -> bytes:
        """The content type of answers, as an AMQP short string."""
        ...

    def read(self, request: Request) -> Incoming:
        """Read the delivery's payload into ``request``, as far as it can be read; raises ``DittoError``."""
        ...

    def answer(self, request: Request, response: Response) -> bytes:
        """The payload of the answer to a request that was read."""
        ...

    def outcomes(self, request: Request, outcomes: Mapping[str, Outcome]) -> bytes:
        """The payload that says how the acknowledgements of a command turned out."""
        ...

    def refusal(self, request: Request, error: DittoError) -> bytes:
        """The payload of an error; the request may have been read in part only."""
        ...
