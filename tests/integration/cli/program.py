"""The real program as its users have it: a process, its two streams, its exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

PROJECT = Path(__file__).parents[3]
SECONDS = 300.0
USER, PASSWORD = "ada", "lovelace"


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def lines(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Twinlog:
    """``twinlog`` with an environment."""

    environment: Mapping[str, str]
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    def with_(self, **variables: str) -> "Twinlog":
        return Twinlog({**self.environment, **variables}, self.started)

    async def end_all(self) -> None:
        """Leave nothing behind, also of a test that failed in the middle."""
        for process in self.started:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *arguments),
            env={**clean_environment(), **self.environment},
            cwd=PROJECT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        self.started.append(process)
        return process

    async def __call__(self, *arguments: str) -> Ended:
        process = await self.start(*arguments)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return Ended(process.returncode or 0, out, err.decode())

    @asynccontextmanager
    async def serving(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """``twinlog serve`` on a free port, ready; ended by SIGTERM, and its exit code must then be 0."""
        process = await self.start("serve", "--port", "0", *arguments)
        try:
            await said(process, b"Twinlog is ready")
            yield process
        finally:
            await end(process, signal.SIGTERM)
        assert process.returncode == 0

    @property
    def home(self) -> Path:
        return Path(self.environment["TWINLOG_HOME"])

    def endpoint(self, name: str) -> str:
        found: str = orjson.loads((self.home / "endpoints.json").read_bytes())[name]
        return found


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWINLOG_")}
    return {**kept, "COLUMNS": "200"}


async def said(process: asyncio.subprocess.Process, words: bytes) -> bytes:
    """Read standard output until a line holds the words; that line."""
    assert process.stdout
    async with asyncio.timeout(SECONDS):
        while line := await process.stdout.readline():
            if words in line:
                return line
    assert process.stderr
    raise AssertionError((await process.stderr.read()).decode())


async def end(process: asyncio.subprocess.Process, number: signal.Signals) -> Ended:
    """Send a signal, if the process lives, and take what it said."""
    if process.returncode is None:
        process.send_signal(number)
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out, err.decode())


async def listen(queue: AbstractQueue) -> asyncio.Queue[AbstractIncomingMessage]:
    """What comes to a queue of the broker, in order."""
    heard: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def hear(message: AbstractIncomingMessage) -> None:
        heard.put_nowait(message)

    await queue.consume(hear, no_ack=True)
    return heard
