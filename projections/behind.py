"""Writing one part while the next is worked out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any


class WritingBehind:
    """Lets what was worked out be written while the next is worked out: the database and we take a core each.

    One write at a time, in order, so that all of them may use the same connection; it is free again when the ``async
    with`` block is left, be it by an error.
    """

    def __init__(self) -> None:
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> WritingBehind:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._settled()
        elif self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def put(self, writing: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields is the loop's
        """Begin to write when the write before is done; raises what that one did."""
        try:
            await self._settled()
        except BaseException:
            writing.close()
            raise
        self._writing = asyncio.ensure_future(writing)
        await asyncio.sleep(0)  # it has been sent by now

    async def _settled(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                await writing
            except asyncio.CancelledError:
                # Ours: the connection must not be left in the middle of a statement.
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                raise
