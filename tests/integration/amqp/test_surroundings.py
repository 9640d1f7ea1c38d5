"""What others do to the broker and to us: other declarations, a slow stop, direct answers."""

import asyncio

import aio_pika
import aiormq
import orjson
import pytest

from services.amqp.channels import Outbox
from services.amqp.connection import Link, LinkState
from services.amqp.fakes import ScriptedCommanding
from services.amqp.frames import publication, publish_method
from services.amqp.topology import Topology, TopologyConflict, declare
from services.embedded.processes import free_port
from tests.integration.amqp.harness import FAST, background, envelope, field, left_in_queue, new_consumer, running
from tests.waiting import DEADLINE, eventually


async def test_an_exchange_of_another_type_is_named_in_a_clear_sentence(amqp_url: str) -> None:
    async with field(amqp_url) as world:
        await world.channel.declare_exchange("twinlog.events", "direct")
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            assert connection.transport is not None
            with pytest.raises(
                TopologyConflict, match=r"The exchange 'twinlog\.events' cannot be declared as a durable"
            ):
                await declare(connection.transport.connection, Topology())


async def test_a_link_says_what_is_wrong_and_heals_when_it_is_put_right(amqp_url: str) -> None:
    async with field(amqp_url) as world:
        await world.channel.declare_exchange("twinlog.events", "direct")
        consumer = new_consumer(amqp_url, ScriptedCommanding())
        async with background(consumer.run()):
            await eventually(lambda: consumer.link.problem is not None, "the problem is seen")
            assert "twinlog.events" in str(consumer.link.problem)
            assert not consumer.ready
            await world.channel.exchange_delete("twinlog.events")
            await eventually(lambda: consumer.ready, "the consumer consumes")
            assert consumer.link.problem is None


async def test_a_queue_with_arguments_of_the_operators_own_is_used_as_it_is(amqp_url: str) -> None:
    commanding = ScriptedCommanding()
    async with field(amqp_url) as world:
        await world.channel.declare_queue("twinlog.commands", durable=True, arguments={"x-queue-type": "quorum"})
        async with running(new_consumer(amqp_url, commanding)):
            await world.send(envelope())
            await eventually(lambda: len(commanding.submissions) == 1, "consumed from the quorum queue")


async def test_names_are_configurable(amqp_url: str) -> None:
    topology = Topology(commands="a.in", events="a.out", announcements="a.said", dead_letters="a.dead")
    link = Link(amqp_url, topology, name="test", backoff=FAST)
    async with field(amqp_url, topology) as world, background(link.run(_for_ever)):
        await eventually(lambda: link.state is LinkState.CONNECTED, "connected")
        await world.send(b"{}")
        assert await world.waiting("a.in") == 1


async def test_without_a_broker_a_link_keeps_trying_and_stops_at_once(unused_port: int) -> None:
    consumer = new_consumer(f"amqp://127.0.0.1:{unused_port}/", ScriptedCommanding())
    async with background(consumer.run()) as task:
        await eventually(lambda: consumer.link.state is LinkState.WAITING, "it waits")
        await consumer.stop(DEADLINE)
        await eventually(task.done, "it has ended")
    assert consumer.link.state is LinkState.CLOSED


async def test_direct_reply_to_is_answered(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), field(amqp_url) as world:
        pseudo = await world.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        answers: list[bytes] = []

        async def answered(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            answers.append(message.body)

        await pseudo.consume(answered, no_ack=True)
        await world.send(envelope(), reply_to="amq.rabbitmq.reply-to", correlation_id="c")
        await eventually(lambda: bool(answers), "the answer comes")
    assert orjson.loads(answers[0])["status"] == 204


async def test_a_stop_finishes_and_acknowledges_what_is_in_flight(amqp_url: str) -> None:
    commanding = ScriptedCommanding(lambda _: None)
    consumer = new_consumer(amqp_url, commanding)
    async with field(amqp_url) as world, background(consumer.run()) as task:
        await eventually(lambda: consumer.ready, "the consumer consumes")
        for number in range(3):
            await world.send(envelope(value=number))
        await eventually(lambda: len(commanding.submissions) == 3, "all are submitted")
        async with background(consumer.stop(DEADLINE)):
            for submission in commanding.submissions:
                submission.succeed()
            await eventually(task.done, "it has ended")
    assert await left_in_queue(amqp_url) == 0


@pytest.fixture
def unused_port() -> int:
    return free_port()


async def _for_ever(_: object) -> None:

    await asyncio.Event().wait()


@pytest.mark.parametrize("properties", [b"\x80\x00\x02\xff\xfe", b"\x00\x40" + b"\x7f" * 8], ids=["text", "time"])
async def test_properties_that_cannot_be_read_do_not_stop_the_queue(amqp_url: str, properties: bytes) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        await send_raw(amqp_url, flags_and_values=properties, body=b"unreadable")
        await world.send(envelope())
        letter = await world.dead_letter()
        await eventually(lambda: bool(commanding.submissions), "the queue flows on")
    assert letter.body == b"unreadable"
    assert letter.headers["x-twinlog-reason"] == "header.invalid"
    assert await left_in_queue(amqp_url) == 0


async def send_raw(url: str, *, flags_and_values: bytes, body: bytes) -> None:
    """Publish with properties as given, byte for byte."""
    connection = await aiormq.connect(url)
    channel = await connection.channel(publisher_confirms=False)
    outbox = Outbox(connection)
    method = publish_method(channel.number, "twinlog.commands", "device")
    async with background(outbox.run()):
        outbox.write(publication(method, channel.number, flags_and_values, body, 4_096))
        await outbox.flush()
    await connection.close()


async def test_a_connection_that_is_lost_before_everything_is_declared_is_trouble_that_passes(amqp_url: str) -> None:
    connection = await aiormq.connect(amqp_url)
    await connection.close()
    with pytest.raises(ConnectionError, match="lost"):
        await declare(connection, Topology())


async def test_a_session_that_hears_first_that_its_connection_is_lost_begins_anew(amqp_url: str) -> None:
    sessions = 0

    async def session(connection: aiormq.abc.AbstractConnection) -> None:
        nonlocal sessions
        sessions += 1
        if sessions == 1:
            await connection.close()
            await connection.channel()  # aiormq says RuntimeError

    async with asyncio.timeout(DEADLINE):
        await Link(amqp_url, Topology(), name="test", backoff=FAST).run(session)
    assert sessions == 2
