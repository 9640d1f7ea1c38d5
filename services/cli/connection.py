"""How a command finds the database: the environment, a service running on the data folder, or the folder itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn

import asyncpg
import typer

from eventstore.errors import StoreError
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.endpoints import Endpoints, read_endpoints
from services.settings import Settings, SettingsInvalid, read_settings


class Exit(IntEnum):
    """What the exit codes mean; the help of ``twinlog`` tells them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHED = 3
    NOT_FOUND = 4
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An open connection to the log, for one command."""

    pool: asyncpg.Pool
    store: PostgresEventStore
    url: str


def settings() -> Settings:
    """The settings, or an end with every problem listed."""
    try:
        return read_settings()
    except SettingsInvalid as invalid:
        fail(str(invalid), Exit.USAGE)


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End with one clear sentence on standard error."""
    typer.secho(message, err=True, fg="red")
    raise typer.Exit(code)


def endpoints(chosen: Settings) -> Endpoints | None:
    """The service that runs on the data folder, if one does."""
    return read_endpoints(chosen.home)
