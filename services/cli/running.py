"""Running a command's coroutine and turning what goes wrong into one sentence and an exit code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

import asyncpg
import typer
import uvloop

from eventstore.errors import StoreError
from services.amqp.sending import SendingFailed
from services.cli.exits import Exit, fail
from services.cli.printing import silence_output
from services.embedded.processes import ServerFailed
from services.logging import configure_logging

T = TypeVar("T")

NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
"""How a database answers that has not got our tables, or those of another version."""

MIGRATE_FIRST = "The database does not have the tables of this Twinlog. `twinlog migrate` makes them."


def run(work: Coroutine[object, object, T]) -> T:
    """Run to the end. Ctrl-C ends quietly; an unreachable server is a sentence, not a traceback.

    Only warnings are logged, to standard error; ``serve`` says more because it configures logging itself.
    """
    if not logging.getLogger().handlers:
        configure_logging(level="warning")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output has seen enough, as `| head` does
        silence_output()
        raise typer.Exit(Exit.DONE) from None
    except NOT_MIGRATED:
        fail(MIGRATE_FIRST, Exit.UNREACHED)
    except StoreError as error:
        fail(f"The database did not serve this: {error}.", Exit.UNREACHED)
    except SendingFailed as error:
        fail(f"Publishing failed: {error}.", Exit.UNREACHED)
    except ServerFailed as error:
        fail(str(error), Exit.UNREACHED)
