"""Another process for the tests, as ``python -m tests.integration.eventstore.process <role> <url> ...``.

``write <stream> <count>``: append so many events in groups of three, then leave.
``alone``: hold the sole-writer lease and answer each line on standard input with ``<holds> <epoch>``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eventstore.events import StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from tests.contract.given import append, commit, event


class Other:
    """The handle on such a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask(self) -> str:
        """What an ``alone`` process answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        return (await self.process.stdout.readline()).decode().strip()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@asynccontextmanager
async def other_process(*arguments: str) -> AsyncIterator[Other]:
    """Start one and make sure that it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Other(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _write(url: str, stream: str, count: str) -> None:
    async with await create_pool(url, size=2) as pool, PostgresEventStore(pool) as store:
        for revision in range(0, int(count), 3):
            await append(store, commit(StreamName(stream), revision, event(), event(), event()))


async def _alone(url: str) -> None:
    async with await create_pool(url, size=2) as pool, PostgresEventStore(pool) as store:
        lease = SoleWriter(store, quiet=0.1)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(lease.run())
            while await asyncio.to_thread(sys.stdin.readline):
                sys.stdout.write(f"{lease.holds()} {lease.epoch}\n")
                sys.stdout.flush()
            running.cancel()


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    asyncio.run(_write(*rest) if role == "write" else _alone(*rest))
