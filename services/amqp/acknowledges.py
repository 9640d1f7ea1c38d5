"""Where the acknowledgements that clients send go."""

from __future__ import annotations

import asyncio
from typing import Protocol

from protocol.enforcement.auth import AuthContext
from protocol.signals import Acknowledgement, Response


class Acknowledges(Protocol):
    """Whoever asked for acknowledgements."""

    def submit(self, acknowledgement: Acknowledgement, auth: AuthContext) -> asyncio.Future[Response]:
        """Take an acknowledgement; done when it is recorded, or when it turned out that nobody waits for it."""
        ...


class NobodyAsked:
    """Takes acknowledgements where none are ever asked for: they are ignored, as Ditto ignores those not awaited."""

    def submit(self, acknowledgement: Acknowledgement, auth: AuthContext) -> asyncio.Future[Response]:
        """See ``Acknowledges``."""
        del auth
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        future.set_result(taken(acknowledgement))
        return future


def taken(acknowledgement: Acknowledgement) -> Response:
    """That an acknowledgement needs no further attention; nobody is told."""
    return Response(entity_id=acknowledgement.entity_id, verb="modify", path=(), status=204)
