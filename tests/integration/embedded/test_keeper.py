"""A test run leaves no server and no folder behind, however it ends."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.keeper import ADDRESS, PROJECT
from tests.waiting import DEADLINE

RUN = """
import os, sys
from tests import keeper

kept = keeper.start_keeper()
keeper.ask("postgres")
sys.stdout.write(os.environ[keeper.ADDRESS] + "\\n")
sys.stdout.flush()
sys.stdin.read()
keeper.end_keeper(kept)
"""


@pytest.mark.parametrize("end", ["over", "killed"])
async def test_the_servers_end_with_the_run(end: str) -> None:
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != ADDRESS},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert run.stdin is not None
    assert run.stdout is not None
    home = Path((await run.stdout.readline()).decode().strip()).parent
    server = psutil.Process(int((home / "postgres/data/postmaster.pid").read_text().splitlines()[0]))
    if end == "killed":
        run.kill()
    else:
        run.stdin.close()
    await run.wait()
    async with asyncio.timeout(DEADLINE):
        while home.exists() or (server.is_running() and server.status() != psutil.STATUS_ZOMBIE):
            await asyncio.to_thread(psutil.wait_procs, [server], 0.1)
