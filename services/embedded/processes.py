"""One server process: started in its folder, watched until it is ready, ended with everything it started.

The kernel is asked (by util-linux's `setpriv --pdeathsig`) to end the server when the thread that started it dies, so
that a service killed with SIGKILL leaves no server behind. `start` must therefore be called on a thread that lives as
long as the server should: the main thread, also when an event loop runs on it.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from services.embedded.accounts import Account

LOOPBACK = "127.0.0.1"
PAUSE_SECONDS = 0.02
LOG_TAIL_LINES = 25


class ServerFailed(Exception):
    """An embedded server did not start, or did not do what it was told; the message ends with its last log lines."""


class ServerProcess:
    """A child process with a log file, an optional account to run as, and a record by which a later start finds it."""

    def __init__(self, name: str, folder: Path, account: Account | None) -> None:
        self.name = name
        self.folder = folder
        self.account = account
        self.log = folder / f"{name}.log"
        self._record = folder / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self, argv: Sequence[str], *, environment: Mapping[str, str], on_our_death: signal.Signals) -> None:
        """Start the command in its own session, with its output in the log (the log of the run before is kept once)."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                self._command(argv, on_our_death),
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._record.write_text(json.dumps([self._child.pid, _born(self._child.pid)]))

    async def ready(self, condition: Callable[[], bool], *, within: float) -> None:
        """Wait until the condition holds; fail with the log's tail when the process ends or time runs out."""
        deadline = time.monotonic() + within
        while not condition():
            if self.pid is None:
                raise self.failed("ended instead of starting")
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready within {within:.0f} s")
            await asyncio.sleep(PAUSE_SECONDS)

    async def end(self, *signals: signal.Signals, each: float) -> None:
        """Send the signals one after the other, waiting `each` seconds, until the process and its children are gone."""
        if self._child is not None:
            await _end(self._child.pid, signals, each, gone=lambda: self.pid is None)
            self._child = None
        self._record.unlink(missing_ok=True)

    async def end_leftover(self, *signals: signal.Signals, each: float) -> None:
        """End the process that an owner before us started here and could not stop."""
        with suppress(FileNotFoundError, ValueError):
            pid, born = json.loads(self._record.read_text())
            if born is not None and _born(pid) == born:
                await _end(pid, signals, each, gone=lambda: _born(pid) != born)
        self._record.unlink(missing_ok=True)

    def failed(self, what: str) -> ServerFailed:
        """The error that says what went wrong, with the end of the server's log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except FileNotFoundError:
            lines = []
        return ServerFailed("\n    ".join([f"the embedded {self.name} {what}; the end of {self.log}:", *lines]))

    def _command(self, argv: Sequence[str], on_our_death: signal.Signals) -> list[str]:
        command = list(argv)
        if sys.platform == "linux" and shutil.which("setpriv"):
            command = ["setpriv", f"--pdeathsig={on_our_death.name.removeprefix('SIG')}", *command]
        # The death signal is forgotten when a process changes its user, so it is asked for after that.
        return self.account.command(command) if self.account else command


class FolderLock:
    """The right to run the server of one folder; held by one process at a time and freed by its death."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock or raise `ServerFailed` when another process has it."""
        file = self._path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ServerFailed(f"another process runs the server of {self._path.parent}") from None
        self._file = file

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def taken_by_another(self) -> bool:
        """Whether some process runs the server of this folder now."""
        probe = FolderLock(self._path.parent)
        try:
            probe.take()
        except ServerFailed:
            return True
        probe.release()
        return False


def free_port(wanted: int | None = None) -> int:
    """A loopback port nobody listens on: the wanted one if possible, else one below the range of outgoing connections.

    Ports that the kernel gives to outgoing connections could be taken while a server restarts.
    """
    candidates = [secrets.randbelow(12_000) + 20_000 for _ in range(100)]
    for port in candidates if wanted is None else [wanted, *candidates]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port
    raise ServerFailed("no free port on loopback between 20000 and 32000")


def _born(pid: int) -> float | None:
    """When the process came to be, which with its id names it for good; None when it is gone (or a zombie)."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


async def _end(pid: int, signals: Sequence[signal.Signals], each: float, *, gone: Callable[[], bool]) -> None:
    family = _descendants(pid)
    for number in signals:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if await _within(each, gone):
            break
    # What a killed server leaves behind (PostgreSQL's backends, Erlang's port programs) ends by itself when it notices;
    # a restart must not meet it.
    if not await _within(each, lambda: all(_born(child) != born for child, born in family)):
        for child, born in family:
            if _born(child) == born:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _descendants(pid: int) -> list[tuple[int, float]]:
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [(child.pid, born) for child in found if (born := _born(child.pid)) is not None]


async def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(PAUSE_SECONDS)
    return True
