"""What enforcement costs: the hot paths without it, with a policy for each thing, and with one policy for all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eventstore.migrations import migrate
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.embedded.postgres import EmbeddedPostgres
from tests.benchmarks import assets
from tests.benchmarks.assets import Policies
from tests.benchmarks.fleet import AUTHORIZATION, MESSAGE, NAMESPACE, SUBJECT
from tests.benchmarks.measures import Measure
from tests.benchmarks.paths import CONNECTIONS, MESSAGES, SECONDS, WINDOW
from tests.benchmarks.processes import Twinlog, caught_up, load, twinlog

THINGS = 10_000
AT_MOST = 1.10
"""The cost with enforcement over the cost without, at most."""
PATIENCE_SECONDS = 120.0
FREE = "unenforced"
KINDS: dict[str, Policies] = {FREE: Policies.OWN, "own": Policies.OWN, "shared": Policies.SHARED}
WORDS = {"own": f"{THINGS:,} things, a policy each", "shared": f"{THINGS:,} things, one policy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """A path to measure; ``load`` is the module that generates it, ``job`` what it is told about a service."""

    name: str
    load: str
    job: Callable[[str, Twinlog], dict[str, Any]]


async def measure(
    home: Path, server: EmbeddedPostgres, amqp_url: str, rounds: int, tell: Callable[[str], None]
) -> list[Measure]:
    """In every round each path once through each service; the figures compared are processor time per item."""
    user = urlsplit(amqp_url).username or "guest"
    paths = _paths(amqp_url, user)
    measures = {
        (path.name, kind): Measure(name=f"enforcement, {path.name}: {WORDS[kind]}", unit="items/s", most_cpu=AT_MOST)
        for path in paths
        for kind in WORDS
    }
    async with contextlib.AsyncExitStack() as stack:
        services = {
            kind: await stack.enter_async_context(_service(kind, home, server, amqp_url, user, tell)) for kind in KINDS
        }
        for kind, service in services.items():
            tell(f"enforcement: warming up, {kind}")
            job = paths[-1].job(kind, service)
            await load("load_http", job | {"seconds": PATIENCE_SECONDS, "count": THINGS}, service.process)
        for number in range(rounds):
            for path in paths:
                tell(f"enforcement, {path.name}, round {number + 1}")
                found = {kind: await _loaded(path, kind, services[kind]) for kind in _turned(number)}
                for kind in WORDS:
                    _note(measures[path.name, kind], found[FREE], found[kind])
    return list(measures.values())


async def _loaded(path: _Path, kind: str, service: Twinlog) -> dict[str, Any]:
    """One measurement; what the one before left to the read models must not count."""
    await caught_up(service.port, PATIENCE_SECONDS)
    return await load(path.load, path.job(kind, service), service.process)


def _turned(number: int) -> list[str]:
    """The kinds in an order that gives each of them every place over three rounds: who comes first has it easier."""
    kinds = list(KINDS)
    first = number % len(kinds)
    return kinds[first:] + kinds[:first]


def _note(measure: Measure, without: dict[str, Any], enforced: dict[str, Any]) -> None:
    measure.floor.append(without["rate"])
    measure.floor_cpu.append(without["us"])
    measure.twinlog.append(enforced["rate"])
    measure.twinlog_cpu.append(enforced["us"])
    measure.notes = f"floor: no enforcement; CPU {(measure.cpu_ratio or 0.0) - 1:+.1%}"


@contextlib.asynccontextmanager
async def _service(
    kind: str, home: Path, server: EmbeddedPostgres, amqp_url: str, user: str, tell: Callable[[str], None]
) -> AsyncIterator[Twinlog]:
    """A service with the fleet in a database of its own, and queues of its own."""
    tell(f"enforcement: {THINGS:,} things, {kind}")
    database = f"enforcement_{kind}"
    await server.create_database(database)
    url = server.url_of(database)
    await migrate(url)
    async with await create_pool(url, size=2) as pool:
        await assets.seed(PostgresEventStore(pool), THINGS, KINDS[kind], SUBJECT, f"amqp:{user}")
    names = {
        f"TWINLOG_AMQP_{what.upper()}": f"{kind}.{what}"
        for what in ("commands", "events", "announcements", "dead_letters")
    }
    program = "tests.benchmarks.unenforced" if kind == FREE else "services.cli"
    async with twinlog(home / kind, url, amqp_url, program=program, **names) as service:
        await caught_up(service.port, PATIENCE_SECONDS)
        yield service


def _paths(amqp_url: str, user: str) -> tuple[_Path, ...]:
    def amqp(kind: str, _: Twinlog) -> dict[str, Any]:
        return {
            "amqp_url": amqp_url,
            "user": user,
            "body": MESSAGE.replace(f"{NAMESPACE}/thing-", f"{NAMESPACE}/asset-"),
            "keys": THINGS,
            "count": MESSAGES,
            "window": WINDOW,
            "rate": 0,
            "run": secrets.token_hex(4),
            "exchange": f"{kind}.commands",
            "routing_key": "bench",
            "events": f"{kind}.events",
            "binding": "things.#",
        }

    def http(method: str, suffix: str, body: str) -> Callable[[str, Twinlog], dict[str, Any]]:
        def job(_: str, service: Twinlog) -> dict[str, Any]:
            return {
                "port": service.port,
                "method": method,
                "paths": [f"/api/2/things/{assets.thing_id(number)}{suffix}" for number in range(THINGS)],
                "authorization": AUTHORIZATION,
                "body": body,
                "connections": CONNECTIONS,
                "seconds": SECONDS,
            }

        return job

    return (
        _Path(name="AMQP in → stored → event out", load="load_amqp", job=amqp),
        _Path(name="HTTP PUT", load="load_http", job=http("PUT", f"/{assets.PROPERTY}", "{n}")),
        _Path(name="HTTP GET", load="load_http", job=http("GET", "", "")),
    )
