"""Background work gives commands their turn."""

from __future__ import annotations

import asyncio

from projections.turns import Turns


async def test_others_run_once_the_work_has_held_the_loop_for_a_turn() -> None:
    now, others = 0.0, 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    working, running = Turns(lambda: now), asyncio.ensure_future(other())
    await working.give()
    assert others == 0
    for turn in range(1, 4):
        now += 1.0
        await working.give()
        await working.give()
        assert others == turn
    running.cancel()
