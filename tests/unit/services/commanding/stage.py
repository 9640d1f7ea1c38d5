"""Given a service on a store in memory, when signals are submitted, then answers and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eventstore.memory import InMemorySoleWriter
from protocol.enforcement.auth import AuthContext
from protocol.identifiers import ThingId
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import parse
from protocol.signals import Command, Headers, Response, Verb
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.troubled import CountedTwins, TroubledStore
from tests.waiting import DEADLINE

ALICE = AuthContext(subjects=("test:alice",))
BOB = AuthContext(subjects=("test:bob",))
PUMP = ThingId("farm:pump")
WELL = ThingId("farm:well")
MERGE = {"content-type": "application/merge-patch+json"}


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Stage:
    store: TroubledStore = field(default_factory=TroubledStore)
    lease: InMemorySoleWriter = field(default_factory=InMemorySoleWriter)
    clock: Clock = field(default_factory=Clock)
    limits: CommandingLimits = field(default_factory=lambda: CommandingLimits(resolve_seconds=0.2, store_seconds=2))

    def __post_init__(self) -> None:
        self.twins = CountedTwins(self.store)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Commanding]:
        service = Commanding(
            store=self.store, twins=self.twins, sole_writer=self.lease, clock=self.clock, limits=self.limits
        )
        async with service:
            yield service

    def revisions(self, thing_id: ThingId = PUMP) -> list[int]:
        return [event.revision for event in self.store.events(f"thing:{thing_id}")]


def command(
    verb: Verb,
    path: str = "/",
    value: JsonValue | Missing = MISSING,
    *,
    thing_id: ThingId = PUMP,
    headers: Headers | None = None,
    fields: str | None = None,
) -> Command:
    return Command(
        entity_id=thing_id, verb=verb, path=parse(path), value=value, headers=dict(headers or {}), fields=fields
    )


def create(thing_id: ThingId = PUMP, **members: JsonValue) -> Command:
    return command("create", value={"thingId": thing_id, **members}, thing_id=thing_id)


def put(key: str, value: JsonValue, thing_id: ThingId = PUMP) -> Command:
    return command("modify", f"/attributes/{key}", value, thing_id=thing_id)


def get(path: str = "/", thing_id: ThingId = PUMP) -> Command:
    return command("retrieve", path, thing_id=thing_id)


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition, seen on the very turn on which it comes true
            await asyncio.sleep(0)


async def outcome(future: asyncio.Future[Response]) -> object:
    """The status of the answer, or the code of the error."""
    await asyncio.wait((future,), timeout=DEADLINE)
    error = future.exception()
    return future.result().status if error is None else getattr(error, "code", error)
