"""From a message to a durable event to a published event, also when the broker goes away in between."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aio_pika
import orjson
import pytest

from eventstore.events import RecordedEvent
from services.amqp.topology import Topology
from services.embedded.rabbitmq import EmbeddedRabbitMQ
from tests.integration.amqp.harness import background, envelope, field, proxy, take, take_all
from tests.integration.amqp.service import in_memory, on_postgres
from tests.keeper import programs_home
from tests.waiting import DEADLINE, eventually

THINGS = 5
MESSAGES = 1_500


def create(thing: str = "farm.one/pump-7") -> bytes:
    return envelope(thing, "/", {"attributes": {"rpm": 0}}, action="create")


async def test_a_message_becomes_an_event_that_is_published_and_answered(amqp_url: str, database_url: str) -> None:
    async with on_postgres(amqp_url, database_url) as service, field(amqp_url) as world:
        answers, events = await world.queue("answers"), await world.events("things.#")
        await world.send(create(), reply_to="answers", correlation_id="c-1", message_id="m-1")
        await world.send(envelope(value=900), reply_to="answers", correlation_id="c-2", message_id="m-2")

        by_id = {each.correlation_id: orjson.loads(each.body) for each in await take_all(answers, 2)}
        created, modified = by_id["c-1"], by_id["c-2"]
        first, second = await take_all(events, 2)

        assert (created["status"], modified["status"]) == (201, 204)
        assert [first.routing_key, second.routing_key] == [
            "things.farm.one.pump-7.created",
            "things.farm.one.pump-7.modified",
        ]
        event = orjson.loads(second.body)
        assert (event["path"], event["value"], event["revision"]) == ("/attributes/rpm", 900, 2)
        assert event["headers"]["correlation-id"] == "c-2"
        assert event["headers"]["ditto-originator"] == "integration:farm"
        assert [each.command_id for each in await service.log()] == ["m-1", "m-2"]


async def test_the_same_message_again_is_one_event_and_the_same_answer(amqp_url: str, database_url: str) -> None:
    async with on_postgres(amqp_url, database_url) as service, field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(create(), reply_to="answers", message_id="m-1")
        for _ in range(3):
            await world.send(envelope(value=1), reply_to="answers", message_id="m-2")
        statuses = [orjson.loads(each.body)["status"] for each in await take_all(answers, 4)]
        assert sorted(statuses) == [201, 204, 204, 204]
        assert len(await service.log()) == 2


async def test_after_a_restart_of_the_service_publishing_goes_on_where_it_was(amqp_url: str, database_url: str) -> None:
    async with field(amqp_url) as world:
        await bind_backend(amqp_url)
        for start in (0, 50, 100):
            async with on_postgres(amqp_url, database_url) as service:
                if not start:
                    await world.send(create())
                for number in range(start, start + 50):
                    await world.send(envelope(value=number))
                await eventually_logged(service.log, start + 51)
        async with on_postgres(amqp_url, database_url) as service:
            log = await service.log()
            check_log(log)
            check_published(await received(amqp_url, log), log)


@pytest.mark.parametrize("cuts", [8])
async def test_cut_connections_under_load_lose_nothing_and_repeat_no_effect(amqp_url: str, cuts: int) -> None:
    async with proxy(amqp_url) as line, in_memory(line.url) as service:
        await bind_backend(amqp_url)
        async with background(load(amqp_url)) as producing:
            for cut in range(1, cuts + 1):
                await eventually_logged(service.log, cut * MESSAGES // (cuts + 2))
                line.cut()
            await producing
        await eventually_logged(service.log, MESSAGES + THINGS)
        log = await service.log()
        check_log(log)
        check_published(await received(amqp_url, log), log)
        assert service.consumer.link.sessions > 1
        assert service.publisher.link.sessions > 1


@pytest.mark.parametrize("crash", [False, True], ids=["restarted", "killed"])
async def test_a_broker_that_goes_away_under_load_loses_nothing_and_repeats_no_effect(home: Path, crash: bool) -> None:
    async with EmbeddedRabbitMQ(home, programs=programs_home()) as broker, in_memory(broker.url) as service:
        await bind_backend(broker.url)
        await asyncio.to_thread(broker.settle)
        async with background(load(broker.url)) as producing:
            await eventually_logged(service.log, MESSAGES // 4)
            if crash:
                await broker.kill()
                await broker.start()
            else:
                await broker.restart()
            await producing
        await eventually_logged(service.log, MESSAGES + THINGS)
        log = await service.log()
        check_log(log)
        check_published(await received(broker.url, log), log)


async def load(url: str) -> None:
    """Send ``MESSAGES`` changes with message ids, each again until the broker has confirmed it."""
    waiting = {f"m-{number}": number for number in range(MESSAGES)}
    created = False
    while waiting:
        try:
            async with await aio_pika.connect(url, timeout=DEADLINE) as connection:
                channel = await connection.channel()
                exchange = await channel.get_exchange(Topology().commands)
                if not created:
                    for number in range(THINGS):
                        await exchange.publish(persistent(create(f"farm/{number}"), f"create-{number}"), "device")
                    created = True
                for message_id, number in list(waiting.items()):
                    body = envelope(f"farm/{number % THINGS}", value=number)
                    await exchange.publish(persistent(body, message_id), "device")
                    del waiting[message_id]
        except (aio_pika.exceptions.AMQPError, OSError, RuntimeError):
            await asyncio.sleep(0.05)


def persistent(body: bytes, message_id: str) -> aio_pika.Message:
    return aio_pika.Message(body, message_id=message_id, delivery_mode=2)


async def bind_backend(url: str) -> None:
    """Declare the durable queue of a backend, bound to the events of all things."""
    async with field(url) as world:
        exchange = await world.channel.declare_exchange(world.topology.events, "topic", durable=True)
        queue = await world.channel.declare_queue("backend", durable=True)
        await queue.bind(exchange, "things.#")


async def received(url: str, log: Sequence[RecordedEvent]) -> list[tuple[str, int]]:
    """Stream and revision of what the backend got, until it has got the whole log."""
    missing = {(str(event.stream), event.revision) for event in log}
    got: list[tuple[str, int]] = []
    async with field(url) as world:
        queue = await world.channel.get_queue("backend")
        while missing:
            headers = (await take(queue)).headers
            got.append((str(headers["stream"]), int(str(headers["revision"]))))
            missing.discard(got[-1])
    return got


async def eventually_logged(log: Callable[[], Awaitable[list[RecordedEvent]]], count: int) -> None:
    """Wait until the log holds at least so many events of things."""

    async def holds_them() -> bool:
        return len(await log()) >= count

    await eventually(holds_them, f"{count} events are in the log", every=0.02)


def check_log(log: Sequence[RecordedEvent]) -> None:
    """Every message is exactly one event, and revisions have no hole."""
    assert all(count == 1 for count in Counter(event.command_id for event in log if event.command_id).values())
    revisions: dict[str, list[int]] = defaultdict(list)
    for event in log:
        revisions[event.stream].append(event.revision)
    assert all(each == list(range(1, len(each) + 1)) for each in revisions.values())


def check_published(got: Sequence[tuple[str, int]], log: Sequence[RecordedEvent]) -> None:
    """Every event was published, and those of one entity in order once repeats are dropped."""
    assert set(got) >= {(str(event.stream), event.revision) for event in log}
    first_seen: dict[str, list[int]] = defaultdict(list)
    for stream, revision in dict.fromkeys(got):
        first_seen[stream].append(revision)
    assert all(each == sorted(each) for each in first_seen.values())
