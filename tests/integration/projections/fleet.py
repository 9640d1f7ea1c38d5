"""Entities that change, and the tables that follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from eventstore.events import Appended, Commit, NewEvent, RecordedEvent, StreamAppend, StreamName
from eventstore.pool import Pool
from eventstore.store import EventStore
from projections.projection import Projection
from projections.statements import statement
from tests.integration.projections import sql
from tests.waiting import DEADLINE, eventually

START = datetime(2024, 5, 1, 12, tzinfo=UTC)

Change = tuple[str, str, str, object]
"""Stream, type, path, value; ``...`` for no value."""


def created(name: str, **attributes: object) -> Change:
    document = {"thingId": name, "policyId": name, "attributes": attributes}
    return f"thing:{name}", "created", "/", document


def modified(name: str, key: str, value: object) -> Change:
    return f"thing:{name}", "modified", f"/attributes/{key}", value


def deleted(name: str) -> Change:
    return f"thing:{name}", "deleted", "/", ...


class Fleet:
    """Appends changes, keeping count of revisions and time."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._revisions: dict[str, int] = {}
        self._now = START

    async def change(self, *changes: Change) -> tuple[RecordedEvent, ...]:
        commits = [self._commit(change) for change in changes]
        self._now += timedelta(milliseconds=7)
        answer = await self._store.append(commits, recorded_at=self._now)
        assert isinstance(answer, Appended)
        return answer.events

    def _commit(self, change: Change) -> Commit:
        stream, type_, path, value = change
        before = self._revisions.get(stream, 0)
        self._revisions[stream] = before + 1
        text = None if value is ... else orjson.dumps(value)
        event = NewEvent(type=type_, path=path, value=text, headers=b"{}")
        append = StreamAppend(stream=StreamName(stream), expected_revision=before, events=(event,))
        return Commit(appends=(append,))


async def fill(fleet: Fleet, *, things: int, rounds: int, namespace: str = "farm.one") -> int:
    """Create things and change each some times; answers the head position."""
    names = [f"{namespace}:t{number}" for number in range(things)]
    events = await fleet.change(*(created(name, n=0) for name in names))
    for round_ in range(rounds):
        events = await fleet.change(*(modified(name, "n", round_ + 1) for name in names))
    return events[-1].position


async def rows(pool: Pool, table: str) -> list[str]:
    """Every row of a table as text, in order."""
    return [row[0] for row in await pool.fetch(sql.rows_of(table))]


async def contents(pool: Pool, projection: Projection) -> dict[str, list[str]]:
    return {table: await rows(pool, table) for table in projection.tables}


async def position(pool: Pool, name: str) -> int:
    return await pool.fetchval(statement("read_position"), name) or 0


async def reached(pool: Pool, name: str, target: int, *, within: float = DEADLINE) -> None:
    async def there() -> bool:
        return await position(pool, name) >= target

    await eventually(there, within=within)


@asynccontextmanager
async def running(*works: Coroutine[Any, Any, None]) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """The works go on while the body does; one that failed fails the test."""
    tasks = [asyncio.create_task(work) for work in works]
    test = asyncio.current_task()
    assert test is not None

    def fail(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            test.cancel()

    for task in tasks:
        task.add_done_callback(fail)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.remove_done_callback(fail)
            task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(end, Exception):
                raise end
