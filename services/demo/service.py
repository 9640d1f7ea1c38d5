"""A Twinlog of the demonstration's own: started as a user would start it, on a free port, with its own data folder.

The service outlives a demonstration that was killed. The next one finds it by a lock that the service holds for as long
as it lives, goes on with it, and stops it in the end. A service that somebody started by hand on the same folder is
used and left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import aiohttp

from services.demo.issuer import service_environment
from services.endpoints import Endpoints, read_endpoints

READY_WITHIN_SECONDS: Final = 120.0
STOPPED_WITHIN_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.1


class DemoFailedError(Exception):
    """The demonstration cannot go on; the text says why."""


@contextlib.asynccontextmanager
async def running_service(home: Path) -> AsyncIterator[Endpoints]:
    """The service of ``home``, started if it does not run, ready; stopped afterwards. Raises ``DemoFailedError``."""
    home.mkdir(parents=True, exist_ok=True)
    with _only_demonstration(home / "demo.lock"), (home / "service.lock").open("a+") as lock:
        if _take(lock.fileno()) and read_endpoints(home) is not None:
            yield await _ready(home, None)
            return
        process = await _start(home, lock.fileno()) if _take(lock.fileno()) else None
        try:
            yield await _ready(home, process)
        finally:
            await _stop(home, process)


@contextlib.contextmanager
def _only_demonstration(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        if not _take(lock.fileno()):
            raise DemoFailedError(f"Another demonstration is running in {path.parent}.")
        yield


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _start(home: Path, lock: int) -> asyncio.subprocess.Process:
    """The service in a session of its own, so that Ctrl-C reaches only us; it inherits the lock."""
    log = os.open(home / "serve.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "serve", "--home", str(home), "--port", "0"),
            env=service_environment(home),
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )
    finally:
        os.close(log)


async def _ready(home: Path, process: asyncio.subprocess.Process | None) -> Endpoints:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline and not (process and process.returncode is not None):
            endpoints = read_endpoints(home)
            if endpoints and await _answers(session, endpoints):
                return endpoints
            await asyncio.sleep(LOOK_SECONDS)
    log = home / "serve.log"
    tail = b"\n".join(log.read_bytes().splitlines()[-15:]).decode(errors="replace") if log.exists() else ""
    raise DemoFailedError(f"Twinlog did not become ready. The end of its log:\n{tail}")


async def _answers(session: aiohttp.ClientSession, endpoints: Endpoints) -> bool:
    try:
        async with session.get(f"{endpoints.http_url}/ready", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _stop(home: Path, process: asyncio.subprocess.Process | None) -> None:
    """End the service, be it our child or the orphan of an earlier demonstration."""
    if process is not None:
        await _end_child(process)
    elif endpoints := read_endpoints(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(endpoints.pid, signal.SIGTERM)
        await _gone(home)


async def _end_child(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOPPED_WITHIN_SECONDS)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _gone(home: Path) -> None:
    with (home / "service.lock").open("a") as lock, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOPPED_WITHIN_SECONDS):
            while not _take(lock.fileno()):  # noqa: ASYNC110 - the event is in another process
                await asyncio.sleep(LOOK_SECONDS)
