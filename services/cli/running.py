"""Running a command's coroutine and turning what goes wrong into one sentence and an exit code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

import typer
import uvloop

from eventstore.errors import StoreError
from services.cli.connection import Exit, fail
from services.logging import configure_logging

T = TypeVar("T")


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
    except BrokenPipeError:
        raise typer.Exit(Exit.DONE) from None
    except StoreError as error:
        fail(f"The database did not serve this: {error}", Exit.UNREACHED)
