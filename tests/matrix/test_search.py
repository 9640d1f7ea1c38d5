"""Every role at every row of search, on PostgreSQL with the read models behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

import aiohttp
import pytest

from eventstore.memory import InMemorySoleWriter
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from projections.freshness import Freshness
from projections.runner import ProjectionRunner
from projections.search.projection import SearchProjection
from projections.search.reader import SESSION, SearchReader
from projections.twins import TwinsProjection, TwinsReader
from protocol.signals import (
    Headers,
    RequestPages,
    SearchCompleted,
    SearchCreated,
    SearchEvent,
    SearchFailed,
    SearchPage,
    SubscribeToSearch,
)
from services.commanding.commanding import Commanding
from services.http.app import create_app, routing_table
from services.http.routes import Route as Row
from services.http.server import serve_http
from services.searching.indexes import SearchIndexes
from services.searching.keepers import InMemoryKeeper
from services.searching.searching import Searching
from services.searching.session import SearchSession
from services.searching.subscription import Route
from tests.api.conftest import OPERATORS
from tests.matrix.cell import Cell
from tests.matrix.client import AS_ROLE, OPERATIONS, Client
from tests.matrix.model import UNAUTHENTICATED, Expected, Oracle
from tests.matrix.roles import EVERYWHERE, NOBODY, ROLES, Role
from tests.matrix.searches import SEARCHES, found_by
from tests.matrix.world import commands, made_world
from tests.waiting import DEADLINE

WORLD: Final = made_world()
FORMS: Final = frozenset({*EVERYWHERE, "deep-revoked", "feature-reader", "drawn-4"})
METHODS: Final = ("GET", "PUT", "PATCH", "POST", "DELETE")


class World:
    """A service in this process, with search."""

    def __init__(self, store: PostgresEventStore, searching: Searching, indexes: SearchIndexes, client: Client) -> None:
        self.store, self.searching, self.ask = store, searching, client
        known = {row.path for row in routing_table("a", OPERATIONS)}
        rows = routing_table("a", OPERATIONS, searching=searching, search_indexes=indexes)
        self.rows = [row for row in rows if row.path not in known]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        pool = await create_pool(database_url, size=6)
        stack.push_async_callback(pool.close)
        asked = await create_pool(database_url, size=2, settings=SESSION)
        stack.push_async_callback(asked.close)
        store = await stack.enter_async_context(PostgresEventStore(pool))
        commanding = Commanding(
            store=store, twins=TwinsReader(pool), sole_writer=InMemorySoleWriter(), clock=lambda: datetime.now(UTC)
        )
        await stack.enter_async_context(commanding)
        freshness = await stack.enter_async_context(Freshness(pool, SearchProjection.name))
        for make in (TwinsProjection, SearchProjection):
            follows = freshness if make is SearchProjection else None
            runner = asyncio.create_task(ProjectionRunner(pool, store, make, freshness=follows).run())
            stack.push_async_callback(_ended, runner)
        searching = Searching(
            reader=SearchReader(asked),
            freshness=freshness,
            commands=commanding,
            clock=lambda: datetime.now(UTC),
            metrics=commanding.metrics,
            key=b"k" * 32,
            head=store.head,
        )
        indexes = SearchIndexes(store=store, pool=pool, clock=lambda: datetime.now(UTC))
        app = create_app(
            commanding,
            api=AS_ROLE,
            operators=OPERATORS,
            operations_of=OPERATIONS,
            searching=searching,
            search_indexes=indexes,
        )
        port = await stack.enter_async_context(serve_http(app, host="127.0.0.1", port=0))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for command, auth in commands(WORLD):
            await commanding.execute(command, auth)
        yield World(store, searching, indexes, Client(session, port))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _cells(row: Row, role: Role) -> list[Cell]:
    oracle = Oracle(WORLD, role)
    return [
        *(cell for method in _methods(row, role) for cell in SEARCHES[row.path](oracle, row.path, method)),
        *(_wrong_method(row, method, role) for method in METHODS if method not in row.methods),
    ]


def _methods(row: Row, role: Role) -> list[str]:
    """Those to ask with; the form that search also takes is for a few to try."""
    return [name for name in row.methods if name != "POST" or role.name in FORMS]


def _wrong_method(row: Row, method: str, role: Role) -> Cell:
    expected = Expected(405) if role.subjects or row.access == "operator" else UNAUTHENTICATED
    return Cell(route=row.path, method=method, url=row.path.replace("{}", "farm.one"), expected=expected)


async def test_every_search_finds_and_counts_what_its_caller_may_read(world: World) -> None:
    head = await world.store.head()
    assert await world.searching.persisted(head, DEADLINE)
    assert {row.path for row in world.rows} == SEARCHES.keys()
    problems = [
        f"{role} {cell}: {problem}"
        for role in ROLES
        for row in world.rows
        for cell in _cells(row, role)
        for problem in cell.expected.problems(
            *await world.ask(role, cell, {} if role is NOBODY else {"twinlog-position": str(head)})
        )
    ]
    assert not problems, f"{len(problems)} cells:\n" + "\n".join(problems[:40])
    assert await world.store.head() == head


class Listener:
    """Hears what comes of searches by messages."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[tuple[str, SearchEvent]] = asyncio.Queue()

    async def emit(self, event: SearchEvent, headers: Headers, route: Route) -> bool:
        del headers
        await self._heard.put((route.address, event))
        return True

    async def next(self, address: str) -> SearchEvent:
        async with asyncio.timeout(DEADLINE):
            whose, event = await self._heard.get()
        assert whose == address
        return event


async def test_a_search_by_messages_finds_what_its_caller_may_read_and_is_its_callers_alone(world: World) -> None:
    assert await world.searching.persisted(await world.store.head(), DEADLINE)
    listener, stranger = Listener(), next(role for role in ROLES if role.name == "stranger")
    session = SearchSession(
        searching=world.searching,
        keeper=InMemoryKeeper(),
        emit=listener.emit,
        clock=lambda: datetime.now(UTC),
        edge="amqp",
    )
    running = asyncio.create_task(session.run())
    for role in (role for role in ROLES if role.subjects):
        address = Route(address=role.name)
        await session.submit(SubscribeToSearch(option="size(200)"), role.auth, address)
        created = await listener.next(role.name)
        assert isinstance(created, SearchCreated)
        if role is not stranger:
            await session.submit(
                RequestPages(subscription_id=created.subscription_id, demand=1),
                stranger.auth,
                Route(address="elsewhere"),
            )
            refused = await listener.next("elsewhere")
            assert isinstance(refused, SearchFailed)
            assert refused.error["error"] == "thing-search:subscription.not.found"
        await session.submit(RequestPages(subscription_id=created.subscription_id, demand=3), role.auth, address)
        due = found_by(Oracle(WORLD, role))
        page = await listener.next(role.name)
        if due:
            assert isinstance(page, SearchPage)
            assert page.items == due, role
            page = await listener.next(role.name)
        assert isinstance(page, SearchCompleted), role
    await _ended(running)
