"""How a process gets to append while another holds the sole-writer lease; ``eventstore.sole_writer`` says why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from eventstore.errors import StoreUnavailable
from eventstore.reader import LogReader

_LOOK_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 30.0


def elapsed() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    return _CLOCK()


def _clock() -> Callable[[], float]:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return time.monotonic
    return lambda: time.clock_gettime(boottime)


_CLOCK: Final = _clock()


class Handover:
    """The wait of a contender: until the holder has given the lease up, or for the whole of its term."""

    def __init__(self, reader: LogReader, *, clock: Callable[[], float] = elapsed) -> None:
        self._reader = reader
        self._clock = clock

    async def wait(self, token: int, term: float) -> None:
        """Return when the lease ``token``, which this process has contested, is over.

        ``term`` is the holder's own, in seconds. The clock is read after the contest was committed: from then on no
        renewal can succeed, so ``term`` later no holder trusts the lease and it may be broken.
        Raises ``StoreUnavailable``.
        """
        begun = self._clock()
        while (await self._reader.rows("lease_taken", token))[0][0]:
            waited = self._clock() - begun
            if waited >= term:
                await self._reader.rows("lease_break", token)
                return
            if waited > _PATIENCE_SECONDS:
                message = f"another process holds the sole-writer lease for {term} seconds, which is too long to wait"
                raise StoreUnavailable(message)
            await asyncio.sleep(min(_LOOK_SECONDS, term - waited))
