"""A command on its way: who said it, who waits for the answer, how far it is."""

from __future__ import annotations

import asyncio
from typing import Final, TypeAlias

from eventstore.events import StreamName
from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError
from protocol.signals import Command, Response

Answer: TypeAlias = Response | DittoError
Outcome: TypeAlias = str

DONE: Final[Outcome] = "done"
REPEATED: Final[Outcome] = "repeated"
REFUSED: Final[Outcome] = "refused"
FAILED: Final[Outcome] = "failed"
WITHDRAWN: Final[Outcome] = "withdrawn"


class Pending:
    """A command and its future. Made per command on the hot path, hence a plain class with slots."""

    __slots__ = (
        "attempts",
        "auth",
        "changing",
        "command",
        "command_id",
        "edge",
        "future",
        "ordered",
        "serial",
        "since",
        "stream",
        "taken",
    )

    def __init__(
        self,
        command: Command,
        auth: AuthContext,
        command_id: str | None,
        edge: str,
        stream: StreamName,
        future: asyncio.Future[Response],
        since: float,
    ) -> None:
        self.command = command
        self.auth = auth
        self.command_id = command_id
        self.edge = edge
        self.stream = stream
        self.future = future
        self.since = since
        self.attempts = 0
        self.taken = False
        self.changing = False
        self.ordered = False
        self.serial = 0

    def answer(self, answer: Answer) -> None:
        """Resolve the future; nobody may be waiting for it any more."""
        if self.future.done():
            return
        if isinstance(answer, Response):
            self.future.set_result(answer)
        else:
            self.future.set_exception(answer)
