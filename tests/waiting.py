"""Waiting for conditions, never for time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE = 120.0
"""Seconds after which a wait has failed; no test may claim anything by it, so that a loaded machine cannot break it."""

LOOK_SECONDS = 0.01


async def eventually(
    condition: Callable[[], Awaitable[bool] | bool],
    what: str = "what is waited for",
    *,
    within: float = DEADLINE,
    every: float = LOOK_SECONDS,
) -> float:
    """Wait until the condition holds and answer how many seconds it took; fail with ``what`` if it never does."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while not await _holds(condition):
        if clock() - began > within:
            raise AssertionError(f"did not happen within {within} s: {what}")
        await asyncio.sleep(every)
    return clock() - began


async def _holds(condition: Callable[[], Awaitable[bool] | bool]) -> bool:
    answer = condition()
    return answer if isinstance(answer, bool) else await answer
