"""A service on a log in memory that a cell can change without another cell ever seeing it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

from eventstore.events import RecordedEvent
from eventstore.memory import InMemoryEventStore, InMemorySoleWriter
from projections.twins import InMemoryTwins
from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import JsonValue, dump
from protocol.signals import Command, Response, Signal
from services.commanding.commanding import Commanding
from services.metrics import Metrics
from tests.matrix.model import Expected
from tests.matrix.world import MADE_BY, NEVER, NO_POLICY, World, commands

WHOLE_POLICY: Final = "policyId,imports,entries,_revision,_created,_modified"
WHOLE_THING: Final = "thingId,policyId,definition,attributes,features,_revision,_created,_modified,_metadata"


class ForkableStore(InMemoryEventStore):
    """Has copies that grow apart."""

    def fork(self) -> ForkableStore:
        twin = ForkableStore()
        twin._log = list(self._log)
        twin._streams = {name: list(events) for name, events in self._streams.items()}
        twin._commands = dict(self._commands)
        return twin

    @property
    def events(self) -> Sequence[RecordedEvent]:
        return self._log


class Stage:
    """What the edges take for commanding: one service over the log as it was made, renewed after every change.

    The service is trusted to answer from memory, so that a refusal which left something behind there would show.
    """

    def __init__(self) -> None:
        self._made = ForkableStore()
        self._metrics = Metrics()
        self._open = AsyncExitStack()
        self._current: Commanding | None = None
        self._as_made: dict[tuple[str, str], bytes] = {}
        self.store = self._made

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def make(self, world: World) -> None:
        await self.renew()
        for command, auth in commands(world):
            await self.execute(command, auth)
        self._made = self.store
        await self.renew()
        for thing_id in (*world.things, *world.dead, NEVER):
            self._as_made["thing", thing_id] = await self._look(ThingId(thing_id))
        for policy_id in (*world.policies, NO_POLICY):
            self._as_made["policy", policy_id] = await self._look(PolicyId(policy_id))

    async def renew(self) -> None:
        """Begin again on the log as it was made."""
        await self._open.aclose()
        self.store = self._made.fork()
        commanding = Commanding(
            store=self.store,
            twins=InMemoryTwins(self.store),
            sole_writer=InMemorySoleWriter(held=True),
            clock=lambda: datetime.now(UTC),
            metrics=self._metrics,
        )
        self._current = await self._open.enter_async_context(commanding)

    @property
    def current(self) -> Commanding:
        assert self._current is not None
        return self._current

    def submit(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        ordered: bool = False,
    ) -> asyncio.Future[Response]:
        return self.current.submit(signal, auth, command_id=command_id, edge=edge, ordered=ordered)

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,  # noqa: ASYNC109 - as the real one
    ) -> Response:
        return await self.current.execute(signal, auth, command_id=command_id, edge=edge, timeout=timeout)

    async def list_things(
        self,
        auth: AuthContext,
        *,
        namespaces: Sequence[str] | None = None,
        fields: str | None = None,
        after: ThingId | None = None,
        limit: int = 200,
        edge: str = "internal",
    ) -> list[JsonValue]:
        return await self.current.list_things(
            auth, namespaces=namespaces, fields=fields, after=after, limit=limit, edge=edge
        )

    async def untouched(self, entity: EntityId) -> bool:
        """Whether the service has the entity in memory as it was made, byte for byte, with its revision and times."""
        kind = "thing" if isinstance(entity, ThingId) else "policy"
        return await self._look(entity) == self._as_made[kind, entity]

    async def problems(
        self, expected: Expected, answering: Awaitable[tuple[int, Any]], touched: EntityId | None
    ) -> list[str]:
        """What is wrong with an answer, and with what it left in the log and in memory; the stage is as made again."""
        head = await self.store.head()
        problems = expected.problems(*await answering)
        appended = await self.store.head() - head
        if appended != expected.events:
            problems.append(f"{expected.events} events were due, {appended} came")
        if appended:
            await self.renew()
        elif touched is not None and not await self.untouched(touched):
            problems.append("it left something behind in memory")
        return problems

    async def _look(self, entity: EntityId) -> bytes:
        fields = WHOLE_THING if isinstance(entity, ThingId) else WHOLE_POLICY
        command = Command(entity_id=entity, verb="retrieve", path=(), fields=fields)
        try:
            response = await self.execute(command, MADE_BY)
        except DittoError as error:
            return error.code.encode()
        return dump([response.value, dict(response.headers)])  # type: ignore[list-item]  # a retrieve has a value

    async def states(self) -> dict[str, bytes]:
        """Every entity of the log as a read model would keep it."""
        names = {event.stream for event in self.store.events}
        return {str(name): row.state for name, row in (await InMemoryTwins(self.store).read(names)).items()}


@asynccontextmanager
async def staged(world: World) -> AsyncIterator[Stage]:
    async with Stage() as stage:
        await stage.make(world)
        yield stage
