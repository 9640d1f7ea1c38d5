"""The service as an operator runs it: a process of its own that can be signalled, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from services.embedded.processes import free_port
from tests.waiting import DEADLINE, eventually

USER, PASSWORD = "field", "only-in-tests"
SUBJECT = f"nginx:{USER}"
STOP_SECONDS = float(os.environ.get("TWINLOG_SOAK_STOP_SECONDS") or DEADLINE)
"""How long a clean shutdown may take: what the service promises under ``make soak``, whose machine is known, else any
time, because a loaded machine proves nothing."""

HARMLESS = ("dead_letter_not_taken", "Unexpected connection close", "error when creating transport")
"""What is logged as an error without being a defect of the service: it, or the broker's library, tells of a fault."""


@dataclass(slots=True, kw_only=True)
class Service:
    """``twinlog serve`` on given servers, on the same port after every start."""

    home: Path
    database_url: str
    amqp_url: str
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def launch(self) -> None:
        """Start the process and wait for nothing."""
        assert not self.running
        self.starts += 1
        command = [sys.executable, "-m", "services.cli", "serve"]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig=KILL", *command]  # a killed test run leaves no service behind
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def start(self) -> None:
        """Start the process and wait until it says that it is ready."""
        await self.launch()
        await self.ready()

    async def ready(self, *, within: float = DEADLINE) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as client:

            async def is_ready() -> bool:
                assert self.running, f"the service ended by itself:\n{self.tail()}"
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with client.get(f"{self.url}/ready") as response:
                        return response.status == 200
                return False

            await eventually(is_ready, "the service is ready", within=within)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, *, within: float) -> int:
        """The exit code; fails if the process does not end in time."""
        assert self._process is not None
        try:
            return await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            raise AssertionError(f"the service did not end within {within} s:\n{self.tail()}") from None

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self.running:
            self.signal(signal.SIGKILL)
            await self.ended(within=DEADLINE)

    async def stop(self) -> float:
        """End it in order and answer how many seconds that took; it must have been clean and in time."""
        began = asyncio.get_running_loop().time()
        self.signal(signal.SIGTERM)
        code = await self.ended(within=STOP_SECONDS)
        assert code == 0, f"exit code {code}:\n{self.tail()}"
        return asyncio.get_running_loop().time() - began

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def defects(self) -> list[str]:
        """Lines of the log that tell of a defect of ours, whatever happened to the servers."""
        marks = ('"level": "error"', '"level": "critical"', "never retrieved", "RuntimeWarning")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(m in line for m in marks) and not any(h in line for h in HARMLESS)]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TWINLOG_")}
        return {
            **inherited,
            "TWINLOG_HOME": str(self.home),
            "TWINLOG_HTTP_PORT": str(self.port),
            "TWINLOG_DATABASE_URL": self.database_url,
            "TWINLOG_AMQP_URL": self.amqp_url,
            "TWINLOG_AMQP_DEFAULT_SUBJECTS": SUBJECT,
            "TWINLOG_BASIC_USERS": f"{USER}:{PASSWORD}",
            "TWINLOG_LOG_FORMAT": "json",
            **self.settings,
        }


@contextlib.asynccontextmanager
async def service(
    folder: Path, database_url: str, amqp_url: str, *, name: str = "service", **settings: str
) -> AsyncIterator[Service]:
    """A service that is ready; its end is the test's business, but none is left behind."""
    running = Service(
        home=folder / name, database_url=database_url, amqp_url=amqp_url, port=free_port(), settings=settings
    )
    try:
        await running.start()
        yield running
    except BaseException:
        sys.stdout.write(f"\nthe end of {running.log}:\n{running.tail()}\n")
        raise
    finally:
        await running.kill()
