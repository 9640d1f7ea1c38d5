"""The processes that a benchmark starts: Twinlog as a user starts it, the floors, and the load generators."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil

from services.core import PROJECTIONS
from services.endpoints import Endpoints, read_endpoints

READY_SECONDS = 60.0
LOAD_SECONDS = 150.0
PASSWORD = "bench-only"
USER = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twinlog:
    """A running service under measurement."""

    process: asyncio.subprocess.Process
    endpoints: Endpoints
    port: int
    seconds_to_ready: float

    def resident_bytes(self) -> int:
        """Resident memory of the service process alone."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def twinlog(
    home: Path, database_url: str, amqp_url: str, *, program: str = "services.cli", **settings: str
) -> AsyncIterator[Twinlog]:
    """``twinlog serve`` on given servers, from its start to its end; ``program`` is the module that is ``twinlog``."""
    port = free_port()
    environment = {
        **os.environ,
        "TWINLOG_HOME": str(home),
        "TWINLOG_HTTP_PORT": str(port),
        "TWINLOG_DATABASE_URL": database_url,
        "TWINLOG_AMQP_URL": amqp_url,
        "TWINLOG_BASIC_USERS": f"{USER}:{PASSWORD}",
        "TWINLOG_LOG_LEVEL": "warning",
        **settings,
    }
    began = asyncio.get_running_loop().time()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, "serve"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _answering(process, port)
        ready = asyncio.get_running_loop().time() - began
        endpoints = read_endpoints(home)
        assert endpoints is not None
        yield Twinlog(process=process, endpoints=endpoints, port=port, seconds_to_ready=ready)
    finally:
        await end(process)


@contextlib.asynccontextmanager
async def floor(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A floor process that has said it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.benchmarks.{module}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        assert line == b"ready\n", f"{module} ended before it was ready"
        yield process
    finally:
        await end(process, signal.SIGKILL)


async def load(module: str, job: Mapping[str, object], measured: asyncio.subprocess.Process) -> dict[str, Any]:
    """What a load generator reports about one job, with the processor time that each item took of ``measured``."""
    before = processor_seconds(measured)
    report = await generated(module, job)
    report["us"] = (processor_seconds(measured) - before) / report["count"] * 1e6
    return report


def processor_seconds(process: asyncio.subprocess.Process) -> float:
    """Processor time that the process has used so far."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


async def generated(module: str, job: Mapping[str, object]) -> dict[str, Any]:
    """What a load generator reports about one job."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.benchmarks.{module}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            out, _ = await process.communicate(orjson.dumps(job))
    finally:
        await end(process, signal.SIGKILL)
    assert process.returncode == 0, f"{module} failed"
    report: dict[str, Any] = orjson.loads(out)
    return report


async def caught_up(port: int, patience: float, projections: Sequence[str] = PROJECTIONS) -> None:
    """Wait until these read models have seen the whole log, by the lag in the metrics."""
    deadline = time.perf_counter() + patience
    done = {f'twinlog_projection_lag_events{{projection="{name}"}} 0.0' for name in projections}
    async with aiohttp.ClientSession() as session:
        while time.perf_counter() < deadline:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                if done <= set((await response.text()).splitlines()):
                    return
            await asyncio.sleep(0.05)
    raise AssertionError("the projector did not catch up")


async def end(process: asyncio.subprocess.Process, how: signal.Signals = signal.SIGTERM) -> None:
    """End a process and wait for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 15)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _answering(process: asyncio.subprocess.Process, port: int) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline and process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/ready") as response:
                    if response.status == 200:
                        return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.02)
    raise AssertionError("twinlog serve did not become ready")
