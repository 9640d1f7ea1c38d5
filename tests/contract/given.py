"""Small words for event store tests: streams, events, commits, and reading them back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from eventstore.events import Appended, Commit, Conflict, NewEvent, RecordedEvent, StreamAppend, StreamName
from eventstore.store import EVERYTHING, EventStore, Selection
from tests.waiting import DEADLINE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PUMP = StreamName("thing:farm.one:pump")
TANK = StreamName("thing:farm.one:tank")
GATE = StreamName("thing:farm.two:gate")
RULES = StreamName("policy:farm.one:rules")

Batch = Sequence[RecordedEvent]


def event(value: bytes | None = b"1", *, kind: str = "modified", path: str = "/attributes/a") -> NewEvent:
    return NewEvent(type=kind, path=path, value=value, headers=b'{"correlation-id":"c"}')


def commit(stream: StreamName, expected: int, *events: NewEvent, command: str | None = None) -> Commit:
    append = StreamAppend(stream=stream, expected_revision=expected, events=events or (event(),))
    return Commit(appends=(append,), command_id=command)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


async def append(store: EventStore, *commits: Commit, at: datetime = NOON) -> tuple[RecordedEvent, ...]:
    outcome = await store.append(commits, recorded_at=at)
    assert isinstance(outcome, Appended), outcome
    return outcome.events


async def refusal(store: EventStore, *commits: Commit) -> Conflict:
    outcome = await store.append(commits, recorded_at=NOON)
    assert isinstance(outcome, Conflict), outcome
    return outcome


async def everything(
    store: EventStore, selection: Selection = EVERYTHING, *, backwards: bool = False, page_size: int = 1_000
) -> list[RecordedEvent]:
    pages = [page async for page in store.read(selection, backwards=backwards, page_size=page_size)]
    assert all(0 < len(page) <= page_size for page in pages)
    return [found for page in pages for found in page]


async def first(batches: AsyncIterator[Batch], count: int, *, seconds: float = DEADLINE) -> list[RecordedEvent]:
    """The first ``count`` events of a subscription, which is closed then."""
    found: list[RecordedEvent] = []
    async with asyncio.timeout(seconds):
        async for batch in batches:
            assert batch
            found.extend(batch)
            if len(found) >= count:
                break
    if isinstance(batches, AsyncGenerator):
        await batches.aclose()
    return found


def positions(events: Sequence[RecordedEvent]) -> list[int]:
    return [found.position for found in events]
