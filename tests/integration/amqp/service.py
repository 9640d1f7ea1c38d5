"""The whole path for the tests: queue, commanding, log, publisher, exchange; on memory and on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eventstore.events import RecordedEvent
from eventstore.memory import InMemoryEventStore, InMemorySoleWriter
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from eventstore.store import EventStore
from projections.consumers import CheckpointedReader
from projections.twins import InMemoryTwins, TwinsReader
from services.amqp.consumer import CommandConsumer
from services.amqp.envelopes import envelope_of
from services.amqp.fakes import RememberedTurn
from services.amqp.meters import PUBLISHER
from services.amqp.publisher import EventPublisher
from services.commanding.commanding import Commanding
from tests.integration.amqp.harness import background, new_consumer, new_link, new_meters, running, utc_now


@dataclass
class Service:
    store: EventStore
    consumer: CommandConsumer
    publisher: EventPublisher

    async def log(self) -> list[RecordedEvent]:
        return [event async for page in self.store.read() for event in page if event.stream.startswith("thing:")]


def new_publisher(url: str, store: EventStore) -> EventPublisher:
    return EventPublisher(new_link(url, "events"), envelope_of=envelope_of, meters=new_meters())


@asynccontextmanager
async def in_memory(url: str) -> AsyncIterator[Service]:
    store = InMemoryEventStore()
    publisher = new_publisher(url, store)
    async with (
        Commanding(
            store=store, twins=InMemoryTwins(store), sole_writer=InMemorySoleWriter(held=True), clock=utc_now
        ) as commanding,
        background(publisher.work(RememberedTurn(store))),
        running(new_consumer(url, commanding)) as consumer,
    ):
        yield Service(store, consumer, publisher)


@asynccontextmanager
async def on_postgres(url: str, database_url: str) -> AsyncIterator[Service]:
    async with await create_pool(database_url) as pool, PostgresEventStore(pool) as store:
        lease, publisher = SoleWriter(store), new_publisher(url, store)
        async with (
            background(lease.run()),
            Commanding(store=store, twins=TwinsReader(pool), sole_writer=lease, clock=utc_now) as commanding,
            background(CheckpointedReader(pool, store, name=PUBLISHER).run(publisher.work)),
            running(new_consumer(url, commanding)) as consumer,
        ):
            yield Service(store, consumer, publisher)
