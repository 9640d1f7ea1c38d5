"""Parts are written behind the work on the next, one at a time."""

from __future__ import annotations

import asyncio

import pytest

from projections.behind import WritingBehind


class Written:
    """Parts begun and done; each waits to be let through."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def part(self, name: str, error: Exception | None = None) -> None:
        self.said.append(f"{name} begun")
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.said.append(f"{name} cancelled")
            raise
        if error is not None:
            raise error
        self.said.append(f"{name} done")


async def test_a_part_is_on_its_way_while_the_next_is_worked_out() -> None:
    written = Written()
    async with WritingBehind() as behind:
        await behind.put(written.part("one"))
        assert written.said == ["one begun"]
        written.gate.set()
        await behind.put(written.part("two"))
        assert written.said == ["one begun", "one done", "two begun", "two done"]


async def test_leaving_waits_for_the_last_part() -> None:
    written = Written()
    written.gate.set()
    async with WritingBehind() as behind:
        await behind.put(written.part("one"))
    assert written.said == ["one begun", "one done"]


async def test_what_a_part_raises_ends_the_work() -> None:
    written = Written()
    written.gate.set()

    async def work() -> None:
        async with WritingBehind() as behind:
            await behind.put(written.part("one", OSError("gone")))
            await behind.put(written.part("two"))

    with pytest.raises(OSError, match="gone"):
        await work()
    assert "two begun" not in written.said


async def test_an_error_in_the_work_ends_the_part_on_its_way_first() -> None:
    written = Written()

    async def work() -> None:
        async with WritingBehind() as behind:
            await behind.put(written.part("one"))
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await work()
    assert written.said == ["one begun", "one cancelled"]


async def test_a_cancelled_wait_ends_the_part_on_its_way_first() -> None:
    written = Written()

    async def work() -> None:
        async with WritingBehind() as behind:
            await behind.put(written.part("one"))
            await behind.put(written.part("two"))

    working = asyncio.ensure_future(work())
    await written.begun.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert working.cancelled()
    assert written.said == ["one begun", "one cancelled"]
