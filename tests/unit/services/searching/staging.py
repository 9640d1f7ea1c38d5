"""A search session with everything around it in the hands of a test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from protocol.enforcement.auth import AuthContext
from protocol.errors import RqlExpressionInvalid
from protocol.json import JsonObject, JsonValue
from protocol.signals import Headers, RequestPages, SearchEvent, SearchSignal, SubscribeToSearch
from protocol.wire.search import search_envelope
from services.searching.keepers import InMemoryKeeper, Keeper
from services.searching.options import read_options
from services.searching.searching import Search
from services.searching.session import SearchSession
from services.searching.subscription import Route
from tests.waiting import DEADLINE

ALICE = AuthContext(subjects=("nginx:alice",))
BOB = AuthContext(subjects=("nginx:bob",))
ROUTE = Route(address="answers")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class Fleet:
    """Finds things t0, t1, ...; a search for ``bad`` is refused."""

    things: int = 7
    asked: list[Search] = field(default_factory=list)
    trouble: Exception | None = None
    gate: asyncio.Event | None = None

    async def page(self, search: Search) -> JsonObject:
        self.asked.append(search)
        if self.gate is not None:
            await self.gate.wait()
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        if search.filters == ("bad",):
            raise RqlExpressionInvalid("There is no query.")
        options = read_options(search.option)
        first = int(options.cursor or 0)
        last = min(first + options.page_size, self.things)
        items: list[JsonValue] = [{"thingId": f"farm:t{number}"} for number in range(first, last)]
        return {"items": items} if last == self.things else {"items": items, "cursor": str(last)}


@dataclass
class Stage:
    """A session, what it said, and a clock that the test moves."""

    session: SearchSession
    fleet: Fleet
    said: list[tuple[str, JsonObject, Headers, Route]]
    clock: list[datetime]
    emits: list[Any]

    async def hears(self, signal: SearchSignal, auth: AuthContext = ALICE, route: Route = ROUTE) -> None:
        await self.session.submit(signal, auth, route)

    async def subscribes(self, auth: AuthContext = ALICE, route: Route = ROUTE, **wanted: Any) -> str:  # noqa: ANN401 - as the signal has them
        known = len(self.said)
        await self.hears(SubscribeToSearch(**wanted), auth, route)
        await self.until(lambda: len(self.said) > known)
        action, value, *_ = self.said[known]
        assert action == "created"
        return str(value["subscriptionId"])

    async def requests(self, name: str, demand: int, **more: Any) -> None:  # noqa: ANN401 - as above
        await self.hears(RequestPages(subscription_id=name, demand=demand, headers=more.pop("headers", {})), **more)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - what is awaited is what the session does by itself
                await asyncio.sleep(0.001)

    async def says(self, *actions: str) -> None:
        await self.until(lambda: self.actions == ["created", *actions])

    @property
    def actions(self) -> list[str]:
        return [action for action, *_ in self.said]

    def pages(self) -> list[list[str]]:
        return [
            [str(item["thingId"])[5:] for item in value["items"] if isinstance(item, dict)]
            for action, value, *_ in self.said
            if action == "next" and isinstance(value["items"], list)
        ]

    def error(self) -> tuple[object, object]:
        (error,) = [value["error"] for action, value, *_ in self.said if action == "failed"]
        assert isinstance(error, dict)
        return error["status"], error["error"]


@asynccontextmanager
async def stage(
    fleet: Fleet | None = None, *, keeper: Keeper | None = None, per_caller: int = 64
) -> AsyncIterator[Stage]:
    fleet = fleet or Fleet()
    said: list[tuple[str, JsonObject, Headers, Route]] = []
    clock = [NOON]
    emits: list[Any] = []

    async def emit(event: SearchEvent, headers: Headers, route: Route) -> bool:
        envelope = search_envelope(event, headers)
        assert str(envelope.topic).startswith("_/_/things/twin/search/")
        assert isinstance(envelope.value, dict)
        answer = emits.pop(0) if emits else True
        if isinstance(answer, Exception):
            raise answer
        if answer:
            said.append((str(envelope.topic.action), envelope.value, headers, route))
        return bool(answer)

    session = SearchSession(
        searching=fleet,
        keeper=keeper or InMemoryKeeper(),
        emit=emit,
        clock=lambda: clock[0],
        edge="test",
        per_caller=per_caller,
        look_seconds=0.005,
    )
    running = asyncio.create_task(session.run())
    try:
        yield Stage(session, fleet, said, clock, emits)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
