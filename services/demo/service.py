"""A Twinlog of the demonstration's own: started as a user would start it, on free ports, with its own data folder."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from services.endpoints import Endpoints, read_endpoints

READY_WITHIN_SECONDS = 120
STOPPED_WITHIN_SECONDS = 20


class DemoFailedError(Exception):
    """The demonstration cannot go on; the text says why."""


@contextlib.asynccontextmanager
async def running_service(home: Path) -> AsyncIterator[Endpoints]:
    """Start ``twinlog serve`` on ``home``, wait until it is ready, and stop it afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    log_path = home / "serve.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "serve", "--home", str(home), "--port", str(_free_port())),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield await _ready(process, home, log_path)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, home: Path, log_path: Path) -> Endpoints:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline and process.returncode is None:
            endpoints = read_endpoints(home)
            if endpoints and endpoints.pid == process.pid and await _answers(session, endpoints):
                return endpoints
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), timeout=0.1)
    tail = b"\n".join(log_path.read_bytes().splitlines()[-15:]).decode(errors="replace")
    raise DemoFailedError(f"Twinlog did not become ready. The end of its log:\n{tail}")


async def _answers(session: aiohttp.ClientSession, endpoints: Endpoints) -> bool:
    try:
        async with session.get(f"{endpoints.http_url}/ready", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOPPED_WITHIN_SECONDS)
    if process.returncode is None:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
