"""Tells of questions that took long: what was asked and how the database went about it, and nothing of the values.

Filters, subjects and ids are somebody's. So of the filter only the shape is told, and of the plan only what is named
in ``_TOLD``: conditions, in which the database prints values, are never among it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from asyncpg import InterfaceError, PostgresError

from projections.statements import Connection
from protocol.json import JsonObject, JsonValue, parse

SLOW_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 5.0
"""Between two reports, so that telling of a busy database does not keep it busy."""
PLAN_SECONDS: Final = 0.5
_DEPTH: Final = 1_000
_TOLD: Final = ("Node Type", "Join Type", "Scan Direction", "Index Name", "Relation Name", "Alias", "Subplan Name")

log = structlog.get_logger(__name__)


class SlowQueries:
    """Watches questions; belongs to one reader."""

    def __init__(
        self,
        *,
        seconds: float = SLOW_SECONDS,
        pause: float = PAUSE_SECONDS,
        plan: float = PLAN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``plan`` is how many seconds the database may take to say how it goes about a question."""
        self._plan_seconds = plan
        self._seconds = seconds
        self._pause = pause
        self._clock = clock
        self._next = 0.0
        self._untold = 0

    @asynccontextmanager
    async def watching(
        self, connection: Connection, text: str, arguments: Sequence[Any], told: Callable[[], dict[str, str]]
    ) -> AsyncIterator[None]:
        """Report what is done inside if it takes long or is stopped; ``told`` says what was asked, without values."""
        began = self._clock()
        try:
            yield
        except TimeoutError:
            await self._report(connection, text, arguments, told, self._clock() - began)
            raise
        seconds = self._clock() - began
        if seconds >= self._seconds:
            await self._report(connection, text, arguments, told, seconds)

    async def _report(
        self,
        connection: Connection,
        text: str,
        arguments: Sequence[Any],
        told: Callable[[], dict[str, str]],
        seconds: float,
    ) -> None:
        if self._clock() < self._next:
            self._untold += 1
            return
        self._next = self._clock() + self._pause
        untold, self._untold = self._untold, 0
        plan = await _plan(connection, text, arguments, self._plan_seconds)
        log.warning("search_slow", seconds=round(seconds, 3), **told(), plan=plan, untold=untold)


async def _plan(connection: Connection, text: str, arguments: Sequence[Any], seconds: float) -> list[str]:
    """The plan, a line per node; none if the database is too busy to say."""
    try:
        # Planned with the values, as the question was: without them it would often be another plan.
        found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {text}", *arguments, timeout=seconds)
    except (PostgresError, InterfaceError, OSError, TimeoutError) as trouble:
        return [f"not told: {type(trouble).__name__}"]
    match parse(found, max_depth=_DEPTH):
        case [{"Plan": dict(root)}]:
            return list(_lines(root, 0))
        case _:
            return ["not told"]


def _lines(node: JsonObject, depth: int) -> Iterator[str]:
    names = " ".join(str(node[name]) for name in _TOLD if name in node)
    yield f"{'  ' * depth}{names} rows={_number(node.get('Plan Rows'))} cost={_number(node.get('Total Cost'))}"
    inner = node.get("Plans")
    for each in inner if isinstance(inner, list) else []:
        if isinstance(each, dict):
            yield from _lines(each, depth + 1)


def _number(value: JsonValue) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else "?"
