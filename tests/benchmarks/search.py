"""What search costs in fleets of several sizes, with a policy for each thing and with one for all of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

from eventstore.migrations import migrate
from eventstore.pool import PooledConnection, create_pool
from eventstore.postgres import PostgresEventStore
from projections.rebuild import Rebuild, RebuildProgress
from projections.search.projection import SearchProjection
from projections.search.reader import SESSION, Question, SearchReader
from protocol.rql.parsing import parse_query
from services.embedded.postgres import EmbeddedPostgres
from tests.benchmarks import assets
from tests.benchmarks.assets import Policies
from tests.benchmarks.fleet import AUTHORIZATION, SUBJECT
from tests.benchmarks.load_freshness import measured
from tests.benchmarks.measures import Measure
from tests.benchmarks.processes import Twinlog, caught_up, generated, load, twinlog

SIZES = (1_000, 100_000)
SECONDS = 3.0
ASKING = 1.0
CONNECTIONS = 16
SEARCH_CONNECTIONS = 4
"""Connections to the database that a search may use (the default of ``TWINLOG_SEARCH_POOL_SIZE``)."""
CHANGED = 10_000
"""Things among which the writes go round."""
PROBES = 500
PROBED = "features/lamp/properties/heat"
PATIENCE_SECONDS = 1_200.0
PAGE_SIZE = 25
SIZE = "select pg_total_relation_size($1::text::regclass)"

Tell = Callable[[str], None]
Sent: TypeAlias = tuple[str, tuple[object, ...]]
"""A statement with its arguments."""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Everything that was measured of one fleet; times in milliseconds, rates per second."""

    things: int
    policies: Policies
    rebuild_rate: float = 0.0
    bytes_per_thing: float = 0.0
    answers: dict[str, tuple[float, float]] = field(default_factory=dict)
    """p50 and p95 by question, over HTTP, asked one after the other."""
    page_rate: float = 0.0
    page_ids_rate: float = 0.0
    page_floor: float = 0.0
    page_p95_at_half: float = 0.0
    by_id_rate: float = 0.0
    by_id_ids_rate: float = 0.0
    write_rate: float = 0.0
    visible_rate: float = 0.0
    fresh_p50: float = 0.0
    fresh_p99: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {"search": asdict(self)}


async def measure(
    home: Path,
    server: EmbeddedPostgres,
    sizes: Sequence[int],
    kinds: Sequence[Policies],
    rounds: int,
    tell: Tell,
    keep: Callable[[Sequence[Fleet]], None] = lambda _: None,
) -> tuple[list[Measure], list[Fleet]]:
    """Build each fleet in a database of its own and ask it; ``keep`` is called with all so far after each.

    The yardsticks are those of 100 000 things.
    """
    fleets: list[Fleet] = []
    for size in sizes:
        for policies in kinds:
            fleet = Fleet(things=size, policies=policies)
            name = f"search_{size}_{policies}"
            await server.create_database(name)
            await _build(fleet, server.url_of(name), tell)
            tell(f"{_title(fleet)}: the other read models")
            async with twinlog(home / name, server.url_of(name), "off") as service:
                await caught_up(service.port, PATIENCE_SECONDS)
                await _settle(fleet, server.url_of(name))
                await _ask(fleet, service, tell)
                await _press(fleet, service, server.url_of(name), rounds, tell)
                fleets.append(fleet)
                keep(fleets)
                await _change(fleet, service, tell)
                keep(fleets)
    return [each for fleet in fleets if fleet.things == 100_000 for each in _measures(fleet)], fleets


async def _build(fleet: Fleet, database_url: str, tell: Tell) -> None:
    """The log in bulk, then the search model alone from it."""
    await migrate(database_url)
    async with await create_pool(database_url, size=4) as pool:
        store = PostgresEventStore(pool)
        tell(f"{_title(fleet)}: seeding")
        await assets.seed(store, fleet.things, fleet.policies)
        told = time.monotonic()

        def progress(so_far: RebuildProgress) -> None:
            nonlocal told
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"  {so_far.done:,} of {so_far.total:,} events, {so_far.rate:,.0f}/s")

        tell(f"{_title(fleet)}: building the search model")
        built = await Rebuild(pool, store, SearchProjection(), report=progress).run()
        fleet.rebuild_rate = built.events / built.seconds


async def _settle(fleet: Fleet, database_url: str) -> None:
    """What autovacuum would have done a minute later; then how big the search model is."""
    connection = await asyncpg.connect(database_url, timeout=60)
    try:
        for table in (*SearchProjection.tables, "twins", "events"):
            await connection.execute(f"vacuum (analyze) {table}", timeout=PATIENCE_SECONDS)
        sizes = [await connection.fetchval(SIZE, table) for table in SearchProjection.tables]
        fleet.bytes_per_thing = sum(sizes) / fleet.things
    finally:
        await connection.close()


async def _ask(fleet: Fleet, service: Twinlog, tell: Tell) -> None:
    """Each question over HTTP by one client that waits for the answer before the next."""
    for question in assets.QUESTIONS:
        tell(f"{_title(fleet)}: {question.name}")
        job = _job(service.port, question.paths(fleet.things), 1, ASKING)
        answered = await load("load_http", job, service.process)
        assert set(answered["statuses"]) == {"200"}, (question.name, answered)
        fleet.answers[question.name] = (answered["p50"] * 1e3, answered["p95"] * 1e3)


async def _press(fleet: Fleet, service: Twinlog, database_url: str, rounds: int, tell: Tell) -> None:
    """Pages by many clients at once, in turns with asyncpg running the statements of these pages."""
    tell(f"{_title(fleet)}: pages of 25 at full speed and at half")
    asked: dict[str, list[float]] = defaultdict(list)
    floor_job = {
        "database_url": database_url,
        "settings": {**SESSION, "jit": "off"},
        "statements": await _statements(fleet, database_url),
        "connections": SEARCH_CONNECTIONS,
        "seconds": SECONDS,
    }
    for _ in range(rounds):
        asked["floor"].append((await generated("floor_search", floor_job))["rate"])
        for name, question in (("page", assets.PAGE), ("by_id", assets.BY_ID)):
            for suffix, fields in (("", ""), ("_ids", "thingId")):
                job = _job(service.port, question.paths(fleet.things, fields=fields), CONNECTIONS, SECONDS)
                answered = await load("load_http", job, service.process)
                assert set(answered["statuses"]) == {"200"}, answered
                asked[name + suffix].append(answered["rate"])
    fleet.page_floor = statistics.median(asked["floor"])
    fleet.page_rate, fleet.page_ids_rate = statistics.median(asked["page"]), statistics.median(asked["page_ids"])
    fleet.by_id_rate, fleet.by_id_ids_rate = statistics.median(asked["by_id"]), statistics.median(asked["by_id_ids"])
    job = _job(service.port, assets.PAGE.paths(fleet.things), CONNECTIONS, SECONDS) | {"rate": fleet.page_rate / 2}
    fleet.page_p95_at_half = (await load("load_http", job, service.process))["p95"] * 1e3


async def _statements(fleet: Fleet, database_url: str) -> list[Sent]:
    """What the database is asked for the pages that ``_press`` asks for: the last statement of each."""
    async with await create_pool(database_url, size=1, settings=SESSION) as pool, pool.acquire() as connection:
        overheard = _Overheard(connection)
        reader = SearchReader(overheard)  # type: ignore[arg-type]  # all that it does with a pool is to acquire
        found = []
        for text, _ in assets.PAGE.variants(fleet.things):
            asked = Question(subjects=(SUBJECT,), now=datetime.now(UTC), query=parse_query(text))
            hits = await reader.page(asked, size=PAGE_SIZE)
            assert len(hits.thing_ids) == PAGE_SIZE
            found.append(overheard.sent[-1])
        return found


class _Overheard:
    """Stands for a pool and its only connection, and remembers what is asked for."""

    def __init__(self, connection: PooledConnection) -> None:
        self._connection = connection
        self.sent: list[Sent] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[_Overheard]:
        yield self

    async def fetchrow(self, text: str, *arguments: object, timeout: float | None = None) -> object:  # noqa: ASYNC109 - the driver's
        self.sent.append((text, arguments))
        return await self._connection.fetchrow(text, *arguments, timeout=timeout)

    async def fetch(self, text: str, *arguments: object, timeout: float | None = None) -> object:  # noqa: ASYNC109 - the driver's
        self.sent.append((text, arguments))
        return await self._connection.fetch(text, *arguments, timeout=timeout)


async def _change(fleet: Fleet, service: Twinlog, tell: Tell) -> None:
    """Changes at full speed until all of them can be found, then how soon one is found while half as many are made."""
    tell(f"{_title(fleet)}: writes, and how fresh search is")
    changed = min(fleet.things, CHANGED)
    paths = [f"/api/2/things/{assets.thing_id(number)}/{assets.PROPERTY}" for number in range(changed)]
    job = _job(service.port, paths, 4 * CONNECTIONS, SECONDS) | {"method": "PUT", "body": "{n}"}
    answered = await load("load_http", job, service.process)
    assert set(answered["statuses"]) <= {"201", "204"}, answered
    behind = (await measured(_probe(service.port, 0.0)))[0]
    fleet.write_rate = answered["rate"]
    fleet.visible_rate = answered["count"] / (answered["count"] / answered["rate"] + behind)
    async with _background(job | {"rate": fleet.write_rate / 2, "seconds": SECONDS * 2}):
        fresh = await generated("load_freshness", _probe(service.port, SECONDS * 2 - 1))
    fleet.fresh_p50, fleet.fresh_p99 = fresh["p50"] * 1e3, fresh["p99"] * 1e3


@asynccontextmanager
async def _background(job: dict[str, Any]) -> AsyncIterator[None]:
    running = asyncio.create_task(generated("load_http", job))
    await asyncio.sleep(0.5)
    yield
    await running


def _job(port: int, paths: list[str], connections: int, seconds: float) -> dict[str, Any]:
    return {
        "port": port,
        "method": "GET",
        "paths": paths,
        "authorization": AUTHORIZATION,
        "body": "",
        "connections": connections,
        "seconds": seconds,
    }


def _probe(port: int, seconds: float) -> dict[str, Any]:
    return {
        "port": port,
        "thing_ids": [assets.thing_id(number) for number in range(PROBES)],
        "property": PROBED,
        "authorization": AUTHORIZATION,
        "seconds": seconds,
    }


def _title(fleet: Fleet) -> str:
    return f"search, {fleet.things:,} things, {'a policy each' if fleet.policies is Policies.OWN else 'one policy'}"


def _measures(fleet: Fleet) -> list[Measure]:
    """The rows of the table that have yardsticks."""
    title = _title(fleet)
    page = Measure(name=f"{title}: page of 25", unit="requests/s", least_ratio=0.50)
    page.floor, page.twinlog = [fleet.page_floor], [fleet.page_rate]
    page.notes = f"ids only {fleet.page_ids_rate:,.0f}"
    by_id = Measure(name=f"{title}: eq(thingId)", unit="requests/s", least=1_700, twinlog=[fleet.by_id_rate])
    by_id.notes = f"ids only {fleet.by_id_ids_rate:,.0f}"
    half = Measure(name=f"{title}: page of 25, half load, p95", unit="ms", most=50, twinlog=[fleet.page_p95_at_half])
    fresh = Measure(name=f"{title}: change → found, half load, p99", unit="ms", most=200, twinlog=[fleet.fresh_p99])
    fresh.notes = f"p50 {fleet.fresh_p50:.0f} ms"
    writes = Measure(name=f"{title}: HTTP PUT", unit="requests/s", twinlog=[fleet.write_rate])
    writes.notes = f"until all are found {fleet.visible_rate:,.0f}"
    built = Measure(name=f"{title}: search model built", unit="events/s", twinlog=[fleet.rebuild_rate])
    return [page, by_id, half, fresh, writes, built]
