"""An announcer in a process of its own, to be killed: ``python -m tests.integration.announcer.process <db> <amqp>``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.announcer.stage import real_clock, stage

READY = b"announcing\n"
CLAIM_SECONDS = 2.0
"""So long the policies of one that was killed are left alone."""


@asynccontextmanager
async def announcer_process(database_url: str, amqp_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """It is there until it is killed, at the end of the block at the latest."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, database_url, amqp_url, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def at_work(process: asyncio.subprocess.Process) -> None:
    """Return when the process announces; however slow the machine is, it gets that far."""
    assert process.stdout is not None
    while await process.stdout.readline() not in {READY, b""}:
        pass


async def main(database_url: str, amqp_url: str) -> None:
    async with (
        stage(database_url, amqp_url, clock=real_clock, projecting=False) as service,
        service.announcing(claim_seconds=CLAIM_SECONDS),
    ):
        sys.stdout.write(READY.decode())
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
