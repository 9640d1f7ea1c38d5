"""Commands that are done and wait for more than that: to be shown by the search index, or for labels of others.

Waiting holds up nothing behind it. A delivery that waits for the search index is acknowledged when that has answered,
but at most ``held_max`` deliveries wait so, lest they fill the prefetch; one that waits for a label which nobody can
give, and all beyond that, are acknowledged at once, because their effect is durable: only their answers wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from protocol.acknowledgements import Outcome, refused
from protocol.errors import TooManyRequests
from protocol.signals import Response
from services.amqp.requests import Request
from services.expectations import Expectation
from services.outcomes import SERVED, Index, at_once, outcomes

SECONDS: Final = 60.0
"""How long acknowledgements are waited for where the command does not say (Ditto's default)."""
WAITING_MAX: Final = 10_000


class Done(Protocol):
    """Hears how the labels of a request turned out; ``held``: its delivery has still to be acknowledged."""

    def __call__(self, request: Request, outcomes: Mapping[str, Outcome], /, *, held: bool) -> None:
        """Answer the request."""
        ...


class Awaiting:
    """Waits, a task per command that asked for it; ``WAITING_MAX`` at most, further ones are told so at once."""

    def __init__(self, index: Index | None, done: Done, *, held_max: int) -> None:
        self._index = index
        self._done = done
        self._held_max = held_max
        self._held = 0
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, request: Request, response: Response, expectation: Expectation) -> bool:
        """Begin to wait. Whether the delivery is held; if not, it is to be acknowledged now."""
        if len(self._tasks) >= WAITING_MAX:
            late = refused(TooManyRequests("Too many commands wait for acknowledgements."))
            known = at_once(response)
            self._done(request, {label: known.get(label, late) for label in expectation.labels}, held=False)
            return False
        held = self._held < self._held_max and expectation.labels_served_by(SERVED)
        self._held += held
        task = asyncio.ensure_future(self._wait(request, response, expectation, held=held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return held

    async def stop(self) -> None:
        """Answer all with what is known."""
        self._stopping.set()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Answer nobody: the channel is gone."""
        for task in self._tasks:
            task.cancel()

    async def _wait(self, request: Request, response: Response, expectation: Expectation, *, held: bool) -> None:
        try:
            found = await outcomes(
                response,
                expectation,
                seconds=SECONDS if expectation.seconds is None else expectation.seconds,
                began=request.began,
                index=self._index,
                stopping=self._stopping,
            )
            self._done(request, found, held=held)
        finally:
            self._held -= held
