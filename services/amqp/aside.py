"""Messages on their way to the dead letters: tried again until the broker has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from protocol.errors import DittoError
from services.amqp.connection import Backoff
from services.amqp.dead_letters import TROUBLE
from services.amqp.meters import Meters
from services.amqp.outlets import PutsAside
from services.amqp.requests import Request

log = structlog.get_logger(__name__)


class Aside:
    """What one channel puts aside. A message stays unacknowledged until the broker has confirmed its dead letter."""

    def __init__(
        self,
        dead_letters: PutsAside,
        *,
        backoff: Backoff,
        meters: Meters,
        settle: Callable[[Request], None],
        idle: Callable[[], None],
    ) -> None:
        """``settle`` hears of a message whose dead letter is confirmed, ``idle`` when none is on its way any more."""
        self._dead_letters = dead_letters
        self._backoff = backoff
        self._meters = meters
        self._settle = settle
        self._idle = idle
        self._putting: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are on their way."""
        return len(self._putting)

    def put(self, request: Request, error: DittoError) -> None:
        """Put a message aside with the reason, for as long as it takes."""
        task = asyncio.ensure_future(self._put(request, error))
        self._putting.add(task)
        task.add_done_callback(self._done)

    def close(self) -> None:
        """The channel is gone: what is on its way will be delivered again."""
        for task in self._putting:
            task.cancel()

    async def _put(self, request: Request, error: DittoError) -> None:
        failures = 0
        while True:
            try:
                await self._dead_letters.put(request.delivery, error)
            except TROUBLE as trouble:
                failures += 1
                pause = self._backoff.pause(failures, 0.0)
                log.error("dead_letter_not_taken", reason=str(trouble), retry_in=pause)  # noqa: TRY400 - no bug of ours
                await asyncio.sleep(pause)
            else:
                log.warning("message_put_aside", reason=error.code, message=error.message)
                self._meters.put_aside(error.code)
                self._settle(request)
                return

    def _done(self, task: asyncio.Task[None]) -> None:
        self._putting.discard(task)
        if not self._putting:
            self._idle()
