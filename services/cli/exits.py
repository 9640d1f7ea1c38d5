"""How a command ends: what the exit codes mean, and the one sentence before a bad one."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NoReturn

import typer

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 failed or found wrong, 2 wrong usage or settings, 3 a server was not reached, 4 not found, "
    "130 interrupted."
)
EPILOG: Final = (
    "Finds the database by TWINLOG_DATABASE_URL and the broker by TWINLOG_AMQP_URL, or both by the service that runs "
    f"on TWINLOG_HOME (.twinlog). {EXIT_CODES}"
)
"""Under the help of every command that looks for servers."""
ASKING: Final = f"Asks the service that runs on TWINLOG_HOME (.twinlog), as its user. {EXIT_CODES}"
"""Under the help of every command that asks over HTTP."""


class Exit(IntEnum):
    """What the exit codes mean; the help of ``twinlog`` tells them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHED = 3
    NOT_FOUND = 4
    INTERRUPTED = 130


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End with one clear sentence on standard error."""
    typer.secho(message, err=True, fg="red")
    raise typer.Exit(code)
