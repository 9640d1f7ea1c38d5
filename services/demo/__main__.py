"""``make demo``: airports over HTTP, a year of temperatures over RabbitMQ, and proof that the counts agree."""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import aiohttp
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from eventstore.events import RecordedEvent, StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.demo.devices import Audience, publish_readings
from services.demo.fleet import create_twins, read_twin
from services.demo.readings import STATIONS, Reading, Station, airports, readings
from services.demo.service import DemoFailedError, running_service
from services.endpoints import Endpoints
from services.settings import load_settings

AUDIENCE_PATIENCE_SECONDS = 30.0
CONSOLE = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run of the demonstration counted."""

    messages: int
    stored_before: int
    stored_after: int
    received: int
    out_of_order: int
    seconds: float
    latencies: list[float]

    @property
    def agrees(self) -> bool:
        """Every message is one event in the log, and every event of this run reached the audience once, in order."""
        fresh = self.stored_after - self.stored_before
        return self.stored_after == self.messages and self.received == fresh and self.out_of_order == 0


async def demonstrate(endpoints: Endpoints) -> bool:
    """Run the whole story against one service and print it; whether all counts agree."""
    if endpoints.amqp_url is None or endpoints.http_url is None:
        raise DemoFailedError("The demonstration needs RabbitMQ. Install rabbitmq-server or set TWINLOG_AMQP_URL.")
    async with _http_session(endpoints.http_url) as session, await create_pool(endpoints.database_url, size=2) as pool:
        store = PostgresEventStore(pool)
        with _progress() as progress:
            await _create_fleet(session, progress)
            outcome = await _publish_year(endpoints.amqp_url, store, progress)
        _print_summary(outcome)
        for station in STATIONS:
            twin = await read_twin(session, station.thing_id)
            history = await store.read_stream(_stream(station), after_revision=int(twin["_revision"]) - 5)
            _print_twin(twin, history)
    return outcome.agrees


async def _create_fleet(session: aiohttp.ClientSession, progress: Progress) -> None:
    fleet = [*airports(), *((station.thing_id, station.twin()) for station in STATIONS)]
    task = progress.add_task("twins created over HTTP", total=len(fleet))
    await create_twins(session, fleet, lambda: progress.advance(task))


async def _publish_year(amqp_url: str, store: PostgresEventStore, progress: Progress) -> Outcome:
    year = readings()
    sent = progress.add_task("readings published", total=len(year))
    before = await _stored(store)
    heard = progress.add_task("events received", total=len(year) - before.count)
    audience = Audience(before.revisions, lambda: progress.advance(heard))
    async with await aio_pika.connect(amqp_url) as connection:
        await audience.listen(await connection.channel())
        channel = await connection.channel(publisher_confirms=True)
        began = time.time()
        messages = await publish_readings(channel, year, _user(amqp_url), lambda: progress.advance(sent))
        await audience.wait_for(_fresh(year, before), seconds=AUDIENCE_PATIENCE_SECONDS)
    after = await _stored(store)
    return Outcome(
        messages=messages,
        stored_before=before.count,
        stored_after=after.count,
        received=audience.received,
        out_of_order=audience.out_of_order,
        seconds=(audience.finished_at or time.time()) - began,
        latencies=sorted(audience.latencies),
    )


@dataclass(frozen=True, slots=True)
class _Stored:
    count: int
    revisions: dict[str, int]


async def _stored(store: PostgresEventStore) -> _Stored:
    count, revisions = 0, {}
    for station in STATIONS:
        events = await store.read_stream(_stream(station))
        count += sum((event.command_id or "").startswith("demo-") for event in events)
        revisions[station.thing_id] = events[-1].revision if events else 0
    return _Stored(count, revisions)


def _fresh(year: list[Reading], before: _Stored) -> int:
    return len(year) - before.count


def _stream(station: Station) -> StreamName:
    return StreamName(f"thing:{station.thing_id}")


def _user(amqp_url: str) -> str:
    return urlsplit(amqp_url).username or "guest"


def _http_session(url: str) -> aiohttp.ClientSession:
    parts = urlsplit(url)
    login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    return aiohttp.ClientSession(f"{parts.scheme}://{parts.hostname}:{parts.port}", headers=headers)


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=CONSOLE)


def _print_summary(outcome: Outcome) -> None:
    table = Table(title="One year of two weather stations", show_header=False)
    fresh = outcome.stored_after - outcome.stored_before
    rows = {
        "messages in": outcome.messages,
        "events stored": f"{outcome.stored_after} ({fresh} of them in this run)",
        "events received": outcome.received,
        "out of order": outcome.out_of_order,
        "rate": f"{outcome.messages / outcome.seconds:,.0f} messages/s",
        "latency p50": _quantile(outcome.latencies, 0.50),
        "latency p99": _quantile(outcome.latencies, 0.99),
        "all counts agree": "yes" if outcome.agrees else "NO",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    CONSOLE.print(table)


def _quantile(ordered: list[float], share: float) -> str:
    if not ordered:
        return "no new events in this run"
    return f"{ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1_000:,.0f} ms, published at full speed"


def _print_twin(twin: dict[str, object], history: list[RecordedEvent]) -> None:
    CONSOLE.print_json(orjson.dumps(twin).decode())
    table = Table(
        "revision", "position", "recorded", "type", "path", "value", title=f"last events of {twin['thingId']}"
    )
    for event in history:
        value = (event.value or b"").decode()
        recorded = event.recorded_at.isoformat(timespec="milliseconds")
        table.add_row(str(event.revision), str(event.position), recorded, event.type, event.path, value)
    CONSOLE.print(table)


async def _main() -> int:
    home = load_settings().home / "demo"
    try:
        CONSOLE.print(f"Starting a Twinlog of the demonstration's own in {_short(home)} …")
        async with running_service(home) as endpoints:
            return 0 if await demonstrate(endpoints) else 1
    except DemoFailedError as error:
        CONSOLE.print(f"[red]{error}")
        return 1


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_main()))
    except KeyboardInterrupt:
        CONSOLE.print("Interrupted. Start it again: it goes on where it stopped.")
        sys.exit(130)
