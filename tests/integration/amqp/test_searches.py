"""Searches by pages over a real broker: where pages go, and when a search ends because nobody is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from services.amqp.consumer import CommandConsumer
from services.amqp.fakes import ScriptedCommanding
from services.amqp.identity import EntityBinding, Identity
from services.amqp.searches import SearchEdge
from services.amqp.topology import Topology
from services.searching.keepers import InMemoryKeeper
from services.searching.session import Emit, SearchSession
from tests.integration.amqp.harness import (
    Field,
    background,
    field,
    left_in_queue,
    new_consumer,
    proxy,
    running,
    take,
    utc_now,
)
from tests.unit.services.searching.staging import Fleet
from tests.waiting import eventually

UNKNOWN = "thing-search:subscription.not.found"


def word(action: str, value: object = None, **more: object) -> bytes:
    return orjson.dumps(
        {"topic": f"_/_/things/twin/search/{action}", "headers": {}, "path": "/", "value": value or {}, **more}
    )


def request(name: str, demand: int, **more: object) -> bytes:
    return word("request", {"subscriptionId": name, "demand": demand}, **more)


def said(message: AbstractIncomingMessage) -> tuple[str, dict[str, Any]]:
    envelope = orjson.loads(message.body)
    return envelope["topic"].rpartition("/")[2], envelope["value"]


def new_edge(fleet: Fleet) -> SearchEdge:
    def session(emit: Emit) -> SearchSession:
        return SearchSession(
            searching=fleet, keeper=InMemoryKeeper(), emit=emit, clock=utc_now, edge="amqp", look_seconds=0.01
        )

    return SearchEdge(session, Topology().names)


@asynccontextmanager
async def serving(
    url: str, fleet: Fleet | None = None, *, identity: Identity | None = None
) -> AsyncIterator[CommandConsumer]:
    edge = new_edge(fleet or Fleet())
    consumer = new_consumer(url, ScriptedCommanding(), searches=edge, identity=identity)
    async with background(edge.run()), running(consumer):
        yield consumer


async def subscribe(world: Field, answers: AbstractQueue, address: str | None = None, **value: object) -> str:
    await world.send(word("subscribe", value), reply_to=address or answers.name)
    action, value = said(await take(answers))
    assert action == "created"
    return str(value["subscriptionId"])


async def test_pages_come_to_the_reply_queue_with_the_correlation_ids_of_their_request(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        answers = await world.queue("answers")
        subscribing = word("subscribe", {"options": "size(4)"}, headers={"correlation-id": "inner-s"})
        await world.send(subscribing, reply_to="answers", correlation_id="s")
        created = await take(answers)
        name = said(created)[1]["subscriptionId"]
        await world.send(request(name, 5), reply_to="answers", correlation_id="r")
        first, second, complete = [await take(answers) for _ in range(3)]

    assert (created.correlation_id, first.correlation_id, complete.correlation_id) == ("s", "r", "r")
    assert orjson.loads(created.body)["headers"]["correlation-id"] == "inner-s"
    assert orjson.loads(second.body)["headers"]["correlation-id"] == "r"
    assert first.content_type == "application/vnd.eclipse.ditto+json"
    assert [said(each)[0] for each in (first, second, complete)] == ["next", "next", "complete"]
    assert [len(said(each)[1]["items"]) for each in (first, second)] == [4, 3]
    assert await left_in_queue(amqp_url) == 0
    assert await left_in_queue(amqp_url, "twinlog.dead-letters") == 0


async def test_what_a_search_says_may_be_sent_back_as_it_is(amqp_url: str) -> None:
    """``created`` says ``response-required: false`` in its headers; clients copy headers."""
    async with serving(amqp_url), field(amqp_url) as world:
        answers = await world.queue("answers")
        name = await subscribe(world, answers)
        await world.send(request(name, 1, headers={"response-required": False}), reply_to="answers")
        assert said(await take(answers))[0] == "next"


async def test_pages_go_to_an_exchange_that_is_named(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        exchange = await world.channel.declare_exchange("backend", "topic")
        answers = await world.queue("answers")
        await answers.bind(exchange, "to.me")
        name = await subscribe(world, answers, "backend/to.me")
        await world.send(request(name, 1), reply_to="backend/to.me")
        assert [said(await take(answers))[0] for _ in range(2)] == ["next", "complete"]


async def test_pages_go_to_a_direct_reply_address(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        pseudo = await world.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        answers: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

        async def answered(message: AbstractIncomingMessage) -> None:
            answers.put_nowait(message)

        await pseudo.consume(answered, no_ack=True)
        await world.send(word("subscribe"), reply_to="amq.rabbitmq.reply-to")
        name = said(await answers.get())[1]["subscriptionId"]
        await world.send(request(name, 1), reply_to="amq.rabbitmq.reply-to")
        assert [said(await answers.get())[0] for _ in range(2)] == ["next", "complete"]


@pytest.mark.parametrize("address", ["answers", "backend/to.me", "amq.rabbitmq.reply-to"])
async def test_a_reply_address_that_is_gone_ends_the_search(amqp_url: str, address: str) -> None:
    fleet = Fleet(things=1_000, gate=asyncio.Event())
    async with serving(amqp_url, fleet), field(amqp_url) as world:
        client = await aio_pika.connect(amqp_url)
        channel = await client.channel()
        heard: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        name = "amq.rabbitmq.reply-to" if address.startswith("amq") else "answers"
        queue = await channel.get_queue(name, ensure=False) if name != "answers" else await channel.declare_queue(name)
        exchange = await channel.declare_exchange("backend", "topic", auto_delete=True)
        if "/" in address:
            await queue.bind(exchange, "to.me")
        await queue.consume(partial(_hear, heard), no_ack=True)
        commands = await channel.get_exchange("twinlog.commands", ensure=False)
        await commands.publish(aio_pika.Message(word("subscribe", {"options": "size(1)"}), reply_to=address), "x")
        subscription = said(await heard.get())[1]["subscriptionId"]
        await commands.publish(aio_pika.Message(request(subscription, 1_000), reply_to=address), "x")
        await eventually(lambda: bool(fleet.asked), "a page is looked for")
        if name == "answers":
            await queue.delete(if_unused=False, if_empty=False)
        await client.close()
        assert fleet.gate is not None
        fleet.gate.set()
        answers = await world.queue("others")
        other = await subscribe(world, answers, options="size(200)")
        asked = len(fleet.asked)
        await world.send(request(other, 3), reply_to="others")
        assert [said(await take(answers))[0] for _ in range(3)] == ["next"] * 3
        assert [search.option for search in fleet.asked].count("size(1)") <= 2
        assert len(fleet.asked) <= asked + 4


async def _hear(heard: asyncio.Queue[AbstractIncomingMessage], message: AbstractIncomingMessage) -> None:
    heard.put_nowait(message)


@pytest.mark.parametrize(
    "address", ["nowhere", "no.exchange/key", "n$/key", "twinlog.commands", "twinlog.events/things.a"]
)
async def test_a_subscription_of_somebody_who_cannot_hear_of_it_is_none(amqp_url: str, address: str) -> None:
    fleet = Fleet()
    async with serving(amqp_url, fleet), field(amqp_url) as world:
        answers, events = await world.queue("answers"), await world.events()
        await world.send(word("subscribe"), reply_to=address)
        name = await subscribe(world, answers)
        await world.send(request(name, 1), reply_to="answers")
        assert [said(await take(answers))[0] for _ in range(2)] == ["next", "complete"]
        assert await events.get(fail=False) is None
    assert await left_in_queue(amqp_url) == 0


async def test_a_subscription_belongs_to_its_user_and_reply_address(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        answers, others = await world.queue("answers"), await world.queue("others")
        name = await subscribe(world, answers)
        await world.send(request(name, 1), reply_to="others")
        user = world.connection.url.user  # type: ignore[attr-defined]  # the connection has one, its interface does not say
        await world.send(request(name, 1), reply_to="answers", user_id=user)
        for queue in (others, answers):
            action, value = said(await take(queue))
            assert (action, value["error"]["error"]) == ("failed", UNKNOWN)


async def test_pages_that_a_lost_connection_stopped_come_after_it(amqp_url: str) -> None:
    fleet = Fleet(things=40)
    async with proxy(amqp_url) as line, serving(line.url, fleet) as consumer, field(amqp_url) as world:
        answers = await world.queue("answers")
        name = await subscribe(world, answers, options="size(1)")
        await world.send(request(name, 1_000), reply_to="answers")
        seen: list[str] = []
        while True:
            action, value = said(await take(answers))
            if action != "next":
                break
            seen += [item["thingId"] for item in value["items"]]
            if len(seen) in {5, 20}:
                line.cut()
        assert action == "complete"
        assert list(dict.fromkeys(seen)) == [f"farm:t{number}" for number in range(40)]
        await eventually(lambda: consumer.link.sessions > 1, "the cut connection was replaced")


async def test_a_word_without_an_address_for_pages_is_put_aside(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        await world.send(word("subscribe"))
        letter = await world.dead_letter()
        assert letter.headers["x-twinlog-reason"] == "header.invalid"


async def test_a_word_that_cannot_be_read_is_answered_with_an_error(amqp_url: str) -> None:
    async with serving(amqp_url), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(word("request", {"demand": 1}), reply_to="answers", correlation_id="c")
        answer = await take(answers)
        assert answer.correlation_id == "c"
        assert orjson.loads(answer.body)["topic"] == "unknown/unknown/things/twin/errors"
        assert orjson.loads(answer.body)["status"] == 400


async def test_a_user_bound_to_its_own_entity_cannot_search(amqp_url: str) -> None:
    bound = Identity(default_subjects=("device:a",), binding=EntityBinding(filters=("{{ entity:name }}",)))
    async with serving(amqp_url, identity=bound), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(word("subscribe"), reply_to=answers.name)
        assert (await world.dead_letter()).headers["x-twinlog-reason"] == "placeholder:unresolved"
