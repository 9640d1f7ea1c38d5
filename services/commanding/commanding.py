"""The one door to the twins: signals in, answers out, everything durable in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from eventstore.events import RecordedEvent
from eventstore.store import EventStore
from protocol.enforcement.auth import AuthContext
from protocol.json import JsonObject
from protocol.signals import Response, Signal
from services.commanding.limits import CommandingLimits


class Commanding:
    """Executes signals in groups, one append at a time; open it with ``async with``.

    Signals about one entity take effect in the order in which they were submitted to this process. A write's future is
    resolved after its event is durable, never before. Any number of processes may run on one log.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        twins: object,
        sole_writer: object,
        clock: Callable[[], datetime],
        limits: CommandingLimits | None = None,
        appended: Callable[[Sequence[RecordedEvent]], None] | None = None,
    ) -> None: ...

    async def __aenter__(self) -> Self:
        """Start the loops."""
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop as ``stop`` does."""

    def submit(
        self, signal: Signal, auth: AuthContext, *, command_id: str | None = None, edge: str = "internal"
    ) -> asyncio.Future[Response]:
        """Take a signal; its future is done at once when memory can answer exactly.

        The future fails with the ``DittoError`` to print. Cancelling it withdraws a command that is not yet part of an
        append and otherwise only drops the answer. ``edge`` is a metrics label (``http``, ``amqp``).
        Raises ``Overloaded`` (503, with ``retry_after`` seconds) when too much is waiting or the service is stopping.
        """
        raise NotImplementedError

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,  # noqa: ASYNC109 - a Ditto timeout: withdraws rather than cancels
    ) -> Response:
        """Submit and wait, at most ``timeout`` seconds: then 408 ``command.timeout``, and the command has no effect.

        A command that is already part of an append when the time is over is waited for: 408 must not hide a change.
        """
        raise NotImplementedError

    async def list_things(
        self, auth: AuthContext, *, namespaces: tuple[str, ...], fields: str | None, after: str | None, limit: int
    ) -> list[JsonObject]:
        """Things in order of their ids after ``after``: all (no namespaces given) or those of some namespaces."""
        raise NotImplementedError

    async def stop(self, seconds: float) -> None:
        """Refuse new signals, finish what is waiting within the deadline, answer 503 to the rest."""
        raise NotImplementedError
