"""Wakes whoever waits for deadlines, as soon as new ones are committed."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Waking:
    """``touched`` is called while a transaction writes deadlines, ``committed`` after any; ``wait`` returns after both.

    Within one process; others find new deadlines by looking.
    """

    def __init__(self) -> None:
        self._touched = False
        self._event = asyncio.Event()

    def touched(self) -> None:
        """Deadlines are being written."""
        self._touched = True

    def committed(self, _: object = None) -> None:
        """A transaction of the projection was committed."""
        if self._touched:
            self._touched = False
            self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when there are new deadlines, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()
