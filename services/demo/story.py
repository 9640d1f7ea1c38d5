"""The story of ``twinlog demo``: airports over HTTP, a year of temperatures over RabbitMQ, and access that ends."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import time
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from eventstore.events import StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.demo.access import visit
from services.demo.devices import Audience, publish_readings
from services.demo.fleet import create_twins, read_twin
from services.demo.issuer import keep_issuer
from services.demo.listening import listening
from services.demo.readings import NAMESPACE, STATIONS, Reading, Station, airports, readings
from services.demo.service import DemoFailedError
from services.demo.summary import Outcome, print_summary, print_twin
from services.endpoints import Endpoints
from services.settings import Settings

PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How much of the data is played; ``None`` is all of it."""

    airports: int | None = None
    readings: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """Readings in the log, and the revision at which each station's twin is."""

    numbers: Mapping[str, frozenset[str]]
    revisions: Mapping[str, int]

    def among(self, year: Sequence[Reading]) -> int:
        """How many of these readings are in the log."""
        return sum(reading.message_id in self.numbers[reading.station.thing_id] for reading in year)

    @property
    def events(self) -> int:
        """Events of readings in the log; one that was stored twice would count twice."""
        return sum(self.revisions[station.thing_id] - 1 for station in STATIONS)


async def demonstrate(endpoints: Endpoints, settings: Settings, home: Path, part: Part, out: Console) -> bool:
    """Tell the whole story on the service of ``home``; whether it came out right. Raises ``DemoFailedError``."""
    if endpoints.amqp_url is None or endpoints.http_url is None:
        raise DemoFailedError("The demonstration needs RabbitMQ. Install rabbitmq-server or set TWINLOG_AMQP_URL.")
    async with http_session(endpoints.http_url) as session, await create_pool(endpoints.database_url, size=2) as pool:
        store = PostgresEventStore(pool)
        with _progress(out) as progress:
            await _create_fleet(session, _subjects(endpoints, settings), part, progress)
            outcome = await _publish_year(endpoints.amqp_url, settings, store, part, progress)
        print_summary(out, outcome)
        for station in STATIONS:
            twin = await read_twin(session, station.thing_id)
            history = await store.read_stream(_stream(station), after_revision=int(twin["_revision"]) - 5)
            print_twin(out, twin, history)
        visited = await visit(session, endpoints.amqp_url, settings.amqp_announcements, keep_issuer(home), out)
        if not visited:
            out.print("The access of the two applications did not end as it should.", style="bold red")
    return outcome.agrees and visited


def _subjects(endpoints: Endpoints, settings: Settings) -> tuple[str, str]:
    """Who we are to Twinlog over HTTP and over AMQP."""
    person, device = (urlsplit(url or "").username or "guest" for url in (endpoints.http_url, endpoints.amqp_url))
    return f"{settings.basic_subject_prefix}:{person}", settings.amqp_subjects[0].replace("{user_id}", device)


async def _create_fleet(
    session: aiohttp.ClientSession, subjects: tuple[str, str], part: Part, progress: Progress
) -> None:
    stations = ((station.thing_id, station.twin(*subjects)) for station in STATIONS)
    fleet = [*islice(airports(), part.airports), *stations]
    task = progress.add_task("twins created over HTTP", total=len(fleet))
    await create_twins(session, fleet, lambda: progress.advance(task))


async def _publish_year(
    amqp_url: str, settings: Settings, store: PostgresEventStore, part: Part, progress: Progress
) -> Outcome:
    year = readings()[: part.readings]
    audience = Audience()
    async with listening(amqp_url, settings.amqp_events, f"things.{NAMESPACE}.*.*", hear=audience.hear):
        before = await _stored(store)
        fresh = len(year) - before.among(year)
        sent = progress.add_task("readings published", total=len(year))
        heard = progress.add_task("events received", total=fresh)
        watching = asyncio.create_task(_watch(audience, before, progress, heard))
        user = urlsplit(amqp_url).username or "guest"
        try:
            messages = await publish_readings(
                amqp_url, settings.amqp_commands, user, year, lambda count: progress.update(sent, completed=count)
            )
            await _wait(audience, before, fresh)
        finally:
            watching.cancel()
        after = await _stored(store)
        received = audience.received(before.revisions)
        progress.update(heard, completed=received)
    return Outcome(
        messages=messages,
        stored=after.among(year),
        fresh=after.events - before.events,
        expected=fresh,
        received=received,
        out_of_order=audience.out_of_order,
        seconds=(audience.last_at if fresh else time()) - audience.began,
        latencies=sorted(audience.latencies),
    )


async def _watch(audience: Audience, before: Stored, progress: Progress, heard: TaskID) -> None:
    while True:
        progress.update(heard, completed=audience.received(before.revisions))
        await asyncio.sleep(LOOK_SECONDS)


async def _wait(audience: Audience, before: Stored, count: int) -> None:
    """Until ``count`` new events have come, or none for as long as patience lasts: the summary then says so."""
    while audience.received(before.revisions) < count:
        audience.moved.clear()
        try:
            await asyncio.wait_for(audience.moved.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _stored(store: PostgresEventStore) -> Stored:
    numbers: dict[str, frozenset[str]] = {}
    revisions: dict[str, int] = {}
    for station in STATIONS:
        events = await store.read_stream(_stream(station))
        numbers[station.thing_id] = frozenset(event.command_id for event in events if event.command_id)
        revisions[station.thing_id] = events[-1].revision
    return Stored(numbers, revisions)


def _stream(station: Station) -> StreamName:
    return StreamName(f"thing:{station.thing_id}")


def http_session(url: str) -> aiohttp.ClientSession:
    """A session with the API of the service whose address, with user and password, this is."""
    parts = urlsplit(url)
    login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    return aiohttp.ClientSession(f"{parts.scheme}://{parts.hostname}:{parts.port}", headers=headers)


def _progress(out: Console) -> Progress:
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=out)
