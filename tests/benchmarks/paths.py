"""The paths that are measured, each beside its floor, round by round."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from eventstore.events import Appended
from eventstore.store import EventStore
from services.cli.printing import event_lines
from tests.benchmarks import fleet
from tests.benchmarks.measures import Measure
from tests.benchmarks.processes import Twinlog, floor, free_port, load

MESSAGES = 12_000
WINDOW = 4_000
CONNECTIONS = 64
SECONDS = 3.0
APPENDED = 20_000
GROUP = 100
BARE_TABLE = "create table if not exists floor_append (position bigserial primary key, stream text, value json)"
BARE_READ = """
    select position, stream, revision, type, path, value, headers, recorded_at
      from events where position > $1 order by position limit 5000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the paths share: the servers, the service, the rounds, and a word to the person who waits."""

    twinlog: Twinlog
    database_url: str
    amqp_url: str
    amqp_user: str
    rounds: int
    tell: Callable[[str], None]


async def amqp(bench: Bench) -> list[Measure]:
    """Messages through the broker: in, durable, out; at full speed and the latency at half of it."""
    measure = Measure(name="AMQP in → stored → event out", unit="messages/s", least_ratio=0.60, least=3_200)
    async with floor("floor_amqp", bench.amqp_url, bench.database_url) as bare:
        for number in range(bench.rounds):
            bench.tell(f"{measure.name}, round {number + 1}")
            one = await load("load_amqp", _floor_job(bench), bare)
            other = await load("load_amqp", _twinlog_job(bench), bench.twinlog.process)
            _note(measure, one, other)
    latency = Measure(name="AMQP command sent → event received, half load, p99", unit="ms", most=50)
    half = statistics.median(measure.twinlog) / 2
    for number in range(bench.rounds):
        bench.tell(f"{latency.name}, round {number + 1}")
        job = _twinlog_job(bench) | {"rate": half, "count": int(half * SECONDS)}
        answered = await load("load_amqp", job, bench.twinlog.process)
        latency.twinlog.append(answered["p99"] * 1_000)
        latency.twinlog_cpu.append(answered["us"])
        latency.notes = f"at {half:,.0f}/s; p50 {answered['p50'] * 1_000:.1f} ms"
    return [measure, latency]


async def http(bench: Bench, twin: bytes) -> list[Measure]:
    """HTTP PUT of one property and GET of a thing, the same request at the floor and at Twinlog."""
    put = Measure(name="HTTP PUT of one property, durable", unit="requests/s", least_ratio=0.40, least=4_000)
    get = Measure(name="HTTP GET of a thing (2 kB)", unit="requests/s", least_ratio=0.40, least=5_600)
    port = free_port()
    async with floor("floor_http", str(port), bench.database_url, twin.decode()) as bare:
        for number in range(bench.rounds):
            for measure, method, suffix, body in (
                (put, "PUT", f"/{fleet.PROPERTY}", '{"rpm":{n}}'),
                (get, "GET", "", ""),
            ):
                bench.tell(f"{measure.name}, round {number + 1}")
                job = _http_job(method, suffix, body)
                one = await load("load_http", job | {"port": port}, bare)
                other = await load("load_http", job | {"port": bench.twinlog.port}, bench.twinlog.process)
                assert set(other["statuses"]) <= {"200", "201", "204"}, other
                _note(measure, one, other)
    return [put, get]


def _note(measure: Measure, floor_report: dict[str, Any], twinlog_report: dict[str, Any]) -> None:
    """One round: rates, processor times, and how far the generator was from being the bottleneck."""
    measure.floor.append(floor_report["rate"])
    measure.floor_cpu.append(floor_report["us"])
    measure.twinlog.append(twinlog_report["rate"])
    measure.twinlog_cpu.append(twinlog_report["us"])
    generator = floor_report["cpu"] / floor_report["count"] * 1e6
    measure.notes = f"p99 {twinlog_report['p99'] * 1_000:.0f} ms; generator {generator:.0f} µs each"


async def append(store: EventStore, pool: asyncpg.Pool, rounds: int, tell: Callable[[str], None]) -> list[Measure]:
    """Events into the log in groups of 100 beside a bare multi-row insert of the same bytes."""
    measure = Measure(name="append in groups of 100", unit="events/s")
    await pool.execute(BARE_TABLE)
    for number in range(rounds):
        tell(f"{measure.name}, round {number + 1}")
        measure.floor.append(await _bare_appends(pool))
        began = time.perf_counter()
        for group in fleet.small_groups(APPENDED, GROUP):
            renamed = _renamed(group, secrets.token_hex(4))
            assert isinstance(await store.append(renamed, recorded_at=datetime.now(UTC)), Appended)
        measure.twinlog.append(APPENDED / (time.perf_counter() - began))
    return [measure]


async def replay(store: EventStore, pool: asyncpg.Pool, rounds: int, tell: Callable[[str], None]) -> list[Measure]:
    """The whole log to a reader as lines of JSON beside asyncpg reading the same rows in pages."""
    measure = Measure(name="replay of the log as NDJSON", unit="events/s", least=100_000)
    for number in range(rounds):
        tell(f"{measure.name}, round {number + 1}")
        measure.floor.append(await _bare_replay(pool))
        began, count = time.perf_counter(), 0
        async for page in store.read(page_size=5_000):
            event_lines(page)
            count += len(page)
        measure.twinlog.append(count / (time.perf_counter() - began))
    return [measure]


def _floor_job(bench: Bench) -> dict[str, Any]:
    route = {"exchange": "", "routing_key": "floor.commands", "events": "floor.events", "binding": "#"}
    return _amqp_job(bench) | route


def _twinlog_job(bench: Bench) -> dict[str, Any]:
    route = {"exchange": "twinlog.commands", "routing_key": "bench", "events": "twinlog.events", "binding": "things.#"}
    return _amqp_job(bench) | route


def _amqp_job(bench: Bench) -> dict[str, Any]:
    return {
        "amqp_url": bench.amqp_url,
        "user": bench.amqp_user,
        "body": fleet.MESSAGE,
        "keys": fleet.THINGS,
        "count": MESSAGES,
        "window": WINDOW,
        "rate": 0,
        "run": secrets.token_hex(4),
    }


def _http_job(method: str, suffix: str, body: str) -> dict[str, Any]:
    return {
        "method": method,
        "paths": fleet.paths(suffix),
        "authorization": fleet.AUTHORIZATION,
        "body": body,
        "connections": CONNECTIONS,
        "seconds": SECONDS,
    }


def _renamed(group: list[Any], run: str) -> list[Any]:
    return [
        replace(commit, appends=tuple(replace(part, stream=f"{part.stream}-{run}") for part in commit.appends))
        for commit in group
    ]


async def _bare_appends(pool: asyncpg.Pool) -> float:
    value = orjson.dumps({"rpm": 1234, "note": "x" * 40})
    insert = "insert into floor_append (stream, value) select * from unnest($1::text[], $2::json[])"
    began = time.perf_counter()
    for begin in range(0, APPENDED, GROUP):
        streams = [f"thing:bench:s-{number}" for number in range(begin, begin + GROUP)]
        await pool.execute(insert, streams, [value] * GROUP)
    return APPENDED / (time.perf_counter() - began)


async def _bare_replay(pool: asyncpg.Pool) -> float:
    began, position, count = time.perf_counter(), 0, 0
    while rows := await pool.fetch(BARE_READ, position):
        for row in rows:
            orjson.dumps((row["position"], row["stream"], row["revision"], orjson.Fragment(row["value"] or b"null")))
        position = rows[-1]["position"]
        count += len(rows)
    return count / (time.perf_counter() - began)
