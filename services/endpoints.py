"""Where a running Twinlog can be reached: a small private file in the data folder, written while it serves.

The command line and the demonstration read it, so that nobody has to type the addresses and the passwords that the
first start made up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The addresses of one running service; ``None`` for what it does not serve. URLs carry their credentials."""

    pid: int
    http_url: str | None
    database_url: str
    amqp_url: str | None


def read_endpoints(home: Path) -> Endpoints | None:
    """The endpoints of the service that runs on this data folder; ``None`` when none does."""
    try:
        found = Endpoints(**orjson.loads((home / FILE_NAME).read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if _alive(found.pid) else None


@contextlib.contextmanager
def published_endpoints(home: Path, endpoints: Endpoints) -> Iterator[None]:
    """Keep the file while the service runs; only its owner may read it."""
    path = home / FILE_NAME
    write_private(path, orjson.dumps(asdict(endpoints)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
