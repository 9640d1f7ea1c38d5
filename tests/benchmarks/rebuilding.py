"""How fast read models are made again from the log, alone and together, beside a bare COPY of their rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from eventstore.events import Appended, Commit, NewEvent, StreamAppend, StreamName
from eventstore.migrations import migrate
from eventstore.pool import Pool, PooledConnection, create_pool
from eventstore.postgres import PostgresEventStore
from projections.rebuild import Rebuild, rebuild_together
from services.core import projections
from services.embedded.postgres import EmbeddedPostgres
from services.garbage import collect_garbage_rarely
from services.settings import Settings
from tests.benchmarks import assets
from tests.benchmarks.measures import Measure

THINGS: Final = 20_000
CHANGES: Final = 8
"""Of each thing. With its creation and that of its policy: 200 000 events."""
GROUP: Final = 500
SCHEMA: Final = "floor"
YARDSTICK: Final = 20_000.0

Tell = Callable[[str], None]


async def measure(server: EmbeddedPostgres, rounds: int, tell: Tell) -> list[Measure]:
    """Rebuild from a log whose things change often, and from one in which everything is only created."""
    collect_garbage_rarely()  # as the command line does
    found: list[Measure] = []
    for title, changes in ((f"{CHANGES} changes of each thing", CHANGES), ("only created", 0)):
        name = f"rebuilding_{changes}"
        await server.create_database(name)
        await migrate(server.url_of(name))
        async with await create_pool(server.url_of(name), size=6, command_timeout=300) as pool:
            store = PostgresEventStore(pool)
            tell(f"rebuilding, {title}: seeding")
            await assets.seed(store, THINGS, assets.Policies.OWN)
            await _change(store, changes)
            await pool.execute("vacuum analyze events")
            found += await _rebuilt(pool, store, title, rounds, tell)
    return found


async def _rebuilt(pool: Pool, store: PostgresEventStore, title: str, rounds: int, tell: Tell) -> list[Measure]:
    head = await store.head()
    makes = projections(Settings())
    measures = {name: Measure(name=f"rebuild of {name}, {title}", unit="events/s") for name in makes}
    every = Measure(name=f"rebuild of all, {title}", unit="events/s", least=YARDSTICK)
    for _ in range(rounds):
        floors = []
        for name, make in makes.items():
            tell(measures[name].name)
            await _run([Rebuild(pool, store, make())], measures[name], head)
            bare, indexed = await _floor(pool, make().tables)
            measures[name].floor.append(head / (bare + indexed))
            measures[name].notes = f"COPY alone {head / bare:,.0f}"
            floors.append(bare + indexed)
        tell(every.name)
        await _run([Rebuild(pool, store, make()) for make in makes.values()], every, head)
        every.floor.append(head / sum(floors))
    return [*measures.values(), every]


async def _run(rebuilds: list[Rebuild], measure: Measure, events: int) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    await rebuild_together(rebuilds)
    measure.twinlog.append(events / (time.perf_counter() - began))
    measure.twinlog_cpu.append((time.process_time() - cpu) / events * 1e6)


async def _floor(pool: Pool, tables: Sequence[str]) -> tuple[float, float]:
    """Seconds for COPY of all rows of the tables into bare ones, and for building the same indexes afterwards."""
    copied = indexed = 0.0
    async with pool.acquire() as connection:
        for table in tables:
            rows = [tuple(row) for row in await connection.fetch(f"select * from {table}")]  # noqa: S608 - our own names
            await connection.execute(f"create schema {SCHEMA}; create table {SCHEMA}.{table} (like {table})")
            began = time.perf_counter()
            await connection.copy_records_to_table(table, schema_name=SCHEMA, records=rows)
            copied += time.perf_counter() - began
            del rows
            began = time.perf_counter()
            for definition in await _definitions(connection, table):
                await connection.execute(definition.replace(" ON public.", f" ON {SCHEMA}."))
            indexed += time.perf_counter() - began
            await connection.execute(f"drop schema {SCHEMA} cascade")
    return copied, indexed


async def _definitions(connection: PooledConnection, table: str) -> list[str]:
    rows = await connection.fetch(
        "select indexdef from pg_indexes where schemaname = 'public' and tablename = $1", table
    )
    return [row["indexdef"] for row in rows]


async def _change(store: PostgresEventStore, each: int) -> None:
    """Values that change, of things by chance; the same ones each time."""
    chance = random.Random(7)  # noqa: S311 - a fixed sequence is the point
    order = [number for number in range(THINGS) for _ in range(each)]
    chance.shuffle(order)
    revisions = [1] * THINGS
    for begin in range(0, len(order), GROUP):
        commits: list[Commit] = []
        for number in order[begin : begin + GROUP]:
            commits.append(_changed(number, revisions[number], chance))
            revisions[number] += 1
        assert isinstance(await store.append(commits, recorded_at=datetime.now(UTC)), Appended)


def _changed(number: int, revision: int, chance: random.Random) -> Commit:
    type_, path, value = chance.choice(_CHANGES)(chance.randrange(1_000_000))
    event = NewEvent(type=type_, path=path, value=orjson.dumps(value), headers=b'{"correlation-id":"bench"}')
    stream = StreamName(f"thing:{assets.thing_id(number)}")
    return Commit(appends=(StreamAppend(stream=stream, expected_revision=revision, events=(event,)),))


_CHANGES: Final[Sequence[Callable[[int], tuple[str, str, object]]]] = (
    lambda n: ("modified", "/features/motor/properties/rpm", n),
    lambda n: ("modified", "/features/pump/properties/rpm", n),
    lambda n: ("modified", "/features/lamp/properties", {"rpm": n, "state": "off", "heat": n / 8}),
    lambda n: ("modified", "/attributes/room", f"r-{n % 400}"),
    lambda n: ("merged", "/attributes", {"installed": n, "place": {"lat": n % 180 - 90}}),
)
