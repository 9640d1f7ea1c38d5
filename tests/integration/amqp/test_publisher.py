"""Every event leaves, in order, at least once; the checkpoint never runs ahead of the confirms."""

from collections import defaultdict
from collections.abc import Iterable

import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from typing_extensions import override

from eventstore.events import Appended, Commit, NewEvent, StreamAppend, StreamName
from eventstore.memory import InMemoryEventStore
from services.amqp.envelopes import envelope_of
from services.amqp.fakes import RememberedTurn
from services.amqp.publisher import EventPublisher
from tests.integration.amqp.harness import (
    Field,
    background,
    field,
    new_link,
    new_meters,
    proxy,
    take,
    take_all,
    utc_now,
)
from tests.waiting import eventually

PUMP = StreamName("thing:farm.one:pump-7")


def new_publisher(url: str, store: InMemoryEventStore, *, in_flight: int = 2_000) -> EventPublisher:
    return EventPublisher(
        new_link(url, "events"),
        envelope_of=envelope_of,
        meters=new_meters(),
        in_flight=in_flight,
        save_seconds=0.0,
    )


async def append(store: InMemoryEventStore, *values: object, stream: StreamName = PUMP, kind: str = "modified") -> None:
    expected = len(await store.read_stream(stream))
    events = tuple(
        NewEvent(type=kind, path="/attributes/rpm", value=orjson.dumps(value), headers=b'{"correlation-id":"c-1"}')
        for value in values
    )
    appends = (StreamAppend(stream=stream, expected_revision=expected, events=events),)
    assert isinstance(await store.append([Commit(appends=appends)], recorded_at=utc_now()), Appended)


def positions(messages: Iterable[AbstractIncomingMessage]) -> list[int]:
    return [int(str(message.headers["position"])) for message in messages]


async def test_an_event_is_an_envelope_with_all_that_tells_repeats(amqp_url: str) -> None:
    store = InMemoryEventStore()
    turn = RememberedTurn(store)
    publisher = new_publisher(amqp_url, store)
    async with background(publisher.work(turn)), field(amqp_url) as world:
        await eventually(lambda: publisher.link.ready, "the publisher is connected")
        queue = await world.events()
        await append(store, 900)
        message = await take(queue)
        await eventually(lambda: turn.position == 1, "the checkpoint follows")

    assert message.routing_key == "things.farm.one.pump-7.modified"
    assert message.message_id == "thing:farm.one:pump-7@1"
    assert message.type == "modified"
    assert message.delivery_mode == 2
    assert message.content_type == "application/vnd.eclipse.ditto+json"
    assert message.timestamp is not None
    assert message.headers == {"stream": PUMP, "revision": 1, "position": 1}
    envelope = orjson.loads(message.body)
    assert envelope["topic"] == "farm.one/pump-7/things/twin/events/modified"
    assert (envelope["path"], envelope["value"], envelope["revision"]) == ("/attributes/rpm", 900, 1)
    assert envelope["headers"]["correlation-id"] == "c-1"
    assert envelope["headers"]["content-type"] == "application/json"


async def test_a_backend_binds_to_its_namespace(amqp_url: str) -> None:
    store = InMemoryEventStore()
    publisher = new_publisher(amqp_url, store)
    async with background(publisher.work(RememberedTurn(store))), field(amqp_url) as world:
        await eventually(lambda: publisher.link.ready, "the publisher is connected")
        queue = await world.events("things.farm.one.*.*")
        for name in ("farm:a", "farm.one:b", "farm.one.two:c", "farm.one:d.e"):
            await append(store, 1, stream=StreamName(f"thing:{name}"))
        await append(store, 1, stream=StreamName("policy:farm.one:b"), kind="created")
        await append(store, 1, stream=StreamName("thing:farm.one:last"))
        keys = [message.routing_key for message in await take_all(queue, 3)]
    assert keys == ["things.farm.one.b.modified", "things.farm.one.d%2Ee.modified", "things.farm.one.last.modified"]


async def test_streams_that_are_not_published_move_the_checkpoint_too(amqp_url: str) -> None:
    store = InMemoryEventStore()
    turn = RememberedTurn(store)
    async with background(new_publisher(amqp_url, store).work(turn)):
        await append(store, 1, stream=StreamName("announcement:farm.one:b"))
        await append(store, 1)
        await append(store, 1, stream=StreamName("announcement:farm.one:b"))
        await eventually(lambda: turn.position == 3, "the checkpoint follows")


async def test_after_a_crash_between_confirm_and_checkpoint_only_the_tail_is_repeated_in_order(amqp_url: str) -> None:
    store = InMemoryEventStore()
    for number in range(500):
        await append(store, number, stream=StreamName(f"thing:farm:{number % 7}"))
    crashing = CrashingTurn(store, crash_after=100)
    publisher = new_publisher(amqp_url, store, in_flight=50)
    async with field(amqp_url) as world:
        queue = await subscribed(world)
        with pytest.raises(Crash):
            await publisher.work(crashing)
        repeated_from = crashing.saved[-1] if crashing.saved else 0
        async with background(new_publisher(amqp_url, store).work(RememberedTurn(store, repeated_from))):
            received: list[AbstractIncomingMessage] = []
            while not received or positions(received[-1:]) != [500]:
                received.append(await take(queue))

    seen = positions(received)
    first_repeat = next((at for at in range(1, len(seen)) if seen[at] <= seen[at - 1]), len(seen))
    assert seen[:first_repeat] == list(range(1, first_repeat + 1))
    assert seen[first_repeat:] == list(range(repeated_from + 1, 501)), "from the checkpoint on, in order, to the end"
    assert repeated_from >= 100
    assert first_repeat < 500


async def test_events_keep_their_order_per_entity_over_lost_connections(amqp_url: str) -> None:
    store = InMemoryEventStore()
    turn = RememberedTurn(store)
    async with field(amqp_url) as world, proxy(amqp_url) as line:
        publisher = new_publisher(line.url, store, in_flight=20)
        queue = await subscribed(world)
        async with background(publisher.work(turn)):
            for cut in range(5):
                for number in range(100):
                    await append(store, number, stream=StreamName(f"thing:farm:{number % 3}"))
                await eventually(lambda: turn.position > cut * 100 + 20, "some are published")  # noqa: B023 - awaited in this turn of the loop
                line.cut()
            await eventually(lambda: turn.position == 500, "all are published")
        received = await take_all(queue, 500)
        while (extra := await queue.get(fail=False, no_ack=True)) is not None:
            received.append(extra)

    first_seen: dict[str, list[int]] = defaultdict(list)
    for message in received:
        revision, stream = int(str(message.headers["revision"])), str(message.headers["stream"])
        if revision not in first_seen[stream]:
            first_seen[stream].append(revision)
    assert all(revisions == sorted(revisions) for revisions in first_seen.values())
    assert set(positions(received)) == set(range(1, 501))


async def subscribed(world: Field) -> AbstractQueue:
    """A queue for all events, bound before there is a publisher."""
    await world.channel.declare_exchange(world.topology.events, "topic", durable=True)
    return await world.events()


class Crash(BaseException):
    """The end of the process."""


class CrashingTurn(RememberedTurn):
    """Dies when it is to save a position after ``crash_after``: what was confirmed by then is not in the checkpoint."""

    def __init__(self, store: InMemoryEventStore, *, crash_after: int) -> None:
        super().__init__(store)
        self._crash_after = crash_after

    @override
    async def advance(self, position: int) -> None:
        if self.position >= self._crash_after:
            raise Crash
        await super().advance(position)
