"""Log lines: one event name with facts, for people or as JSON, and never a secret.

Libraries that log through the standard library come out of the same pipe, so that a reader sees one stream.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import Processor

_SECRET_WORDS: Final = ("password", "secret", "authorization", "token", "credentials", "cookie")
_HIDDEN: Final = "**********"

# structlog's own type for the facts of a line holds Any: a fact may be whatever can be printed.
Facts = MutableMapping[str, Any]


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["console", "json"] = "console",
    stream: TextIO = sys.stderr,
) -> None:
    """Send every log line of the process to ``stream`` from now on; called once by whoever starts the process."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared], processors=_printing(style, stream)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries tell of every heartbeat and frame at these levels; their warnings are what an operator needs.
    for noisy in ("aiormq", "aio_pika", "aiohttp.access", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def hide_secrets(logger: object, method: str, facts: Facts) -> Facts:
    """Blank the facts whose names say that they are secret: the net below the rule never to log one."""
    del logger, method
    for name in facts:
        if any(word in name.lower() for word in _SECRET_WORDS):
            facts[name] = _HIDDEN
    return facts


def _printing(style: Literal["console", "json"], stream: TextIO) -> list[Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if style == "json":
        return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the decorated ones print local variables, and those may hold secrets.
    return [
        strip,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
    ]
