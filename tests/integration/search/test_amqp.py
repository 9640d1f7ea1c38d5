"""Search through the whole house over a broker: services that share a queue, pages, and changes that are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aio_pika.abc import AbstractQueue
from pydantic import SecretStr

from services.application import running
from services.settings import Settings
from tests.integration.amqp.harness import Field, field, take
from tests.waiting import eventually

ROLES = frozenset({"amqp", "projector"})
ALICE, BOB = "test:alice", "test:bob"
SHOWN: Any = ["search-persisted"]


@asynccontextmanager
async def services(count: int, database_url: str, amqp_url: str, home: Path, *subjects: str) -> AsyncIterator[None]:
    """Processes that share database, broker and cursor key, in one process."""
    async with AsyncExitStack() as stack:
        for number in range(count):
            settings = Settings(
                home=home / str(number),
                database_url=SecretStr(database_url),
                amqp_url=SecretStr(amqp_url),
                amqp_prefetch=1,
                amqp_default_subjects=subjects or (ALICE,),
                search_cursor_key=SecretStr("the same for all"),
                basic_users={"nobody": SecretStr("secret")},
            )
            application = await stack.enter_async_context(running(settings, ROLES))
            assert application.broker is not None
            consumer = application.broker.consumer
            await eventually(lambda consumer=consumer: consumer.ready, "it consumes")  # type: ignore[misc]  # a default
        yield


def command(thing: str, value: object, action: str = "create", path: str = "/", **headers: object) -> bytes:
    topic = f"farm/{thing}/things/twin/commands/{action}"
    return orjson.dumps({"topic": topic, "headers": headers, "path": path, "value": value})


def word(action: str, value: object, **more: object) -> bytes:
    return orjson.dumps(
        {"topic": f"_/_/things/twin/search/{action}", "headers": {}, "path": "/", "value": value, **more}
    )


async def said(queue: AbstractQueue) -> tuple[str, dict[str, Any]]:
    envelope = orjson.loads((await take(queue)).body)
    return envelope["topic"].rpartition("/")[2], envelope["value"]


async def fill(world: Field, queue: AbstractQueue, count: int) -> None:
    """Things t00, t01, ... of which every second has an attribute that Bob may read; returns when search shows all."""
    for number in range(count):
        entries = {"owner": entry(ALICE, "/"), "friend": entry(BOB, "/attributes/n" if number % 2 else "/nothing")}
        value = {"attributes": {"n": number, "secret": number}, "_policy": {"entries": entries}}
        body = command(f"t{number:02}", value, **{"requested-acks": SHOWN})
        await world.send(body, reply_to=queue.name)
    answers = [orjson.loads((await take(queue)).body) for _ in range(count)]
    assert [answer["status"] for answer in answers] == [204] * count


def entry(subject: str, path: str) -> dict[str, object]:
    resources = {f"thing:{path}": {"grant": ["READ", "WRITE"], "revoke": []}}
    if subject == ALICE:
        resources["policy:/"] = {"grant": ["READ", "WRITE"], "revoke": []}
    return {"subjects": {subject: {"type": "test"}}, "resources": resources}


async def search(world: Field, value: object, *, each: int = 1, **more: object) -> list[list[str]]:
    """The pages of a search, asked for a few at a time, so that the requests go to all services in turn.

    The end may come behind the next request, which is then refused; a queue of its own keeps that from others.
    """
    queue = await world.channel.declare_queue(exclusive=True)
    await world.send(word("subscribe", value, **more), reply_to=queue.name)
    action, created = await said(queue)
    assert action == "created"
    pages: list[list[str]] = []
    while True:
        await world.send(word("request", {**created, "demand": each}), reply_to=queue.name)
        for _ in range(each):
            action, found = await said(queue)
            if action != "next":
                assert action == "complete", found
                return pages
            pages.append([item["thingId"][5:] for item in found["items"]])


async def test_two_services_serve_one_search_page_by_page(amqp_url: str, database_url: str, home: Path) -> None:
    async with services(2, database_url, amqp_url, home), field(amqp_url) as world:
        answers = await world.queue("answers")
        await fill(world, answers, 12)
        everything = [f"t{number:02}" for number in range(12)]
        value = {"filter": "ge(attributes/n,0)", "options": "size(2),sort(-attributes/n)", "namespaces": ["farm"]}
        pages = await search(world, value)
        assert [name for page in pages for name in page] == everything[::-1]
        assert [len(page) for page in pages] == [2] * 6
        pages = await search(world, {"options": ["size(5)"]}, each=3, fields="thingId,attributes/n")
        assert pages == [everything[:5], everything[5:10], everything[10:]]
        assert await search(world, {"filter": "eq(attributes/n,99)"}) == []


async def test_a_search_shows_what_its_caller_may_read(amqp_url: str, database_url: str, home: Path) -> None:
    async with field(amqp_url) as world:
        async with services(1, database_url, amqp_url, home):
            answers = await world.queue("answers")
            await fill(world, answers, 4)
        async with services(1, database_url, amqp_url, home, BOB):
            assert await search(world, {}) == [["t01", "t03"]]
            assert await search(world, {"filter": "exists(attributes/secret)"}) == []
            await world.send(word("subscribe", {"filter": "gt(attributes/n,1)"}), reply_to="answers")
            _, created = await said(answers)
            await world.send(word("request", {**created, "demand": 1}), reply_to="answers")
            _, found = await said(answers)
            assert found["items"] == [{"thingId": "farm:t03", "attributes": {"n": 3}}]


async def test_what_was_answered_as_shown_is_found_by_the_next_search(
    amqp_url: str, database_url: str, home: Path
) -> None:
    async with services(1, database_url, amqp_url, home), field(amqp_url) as world:
        answers = await world.queue("answers")
        await fill(world, answers, 1)
        for number in range(10, 15):
            body = command("t00", number, "modify", "/attributes/n", **{"requested-acks": SHOWN})
            await world.send(body, reply_to="answers", message_id=f"m-{number}")
            assert orjson.loads((await take(answers)).body)["status"] == 204
            assert await search(world, {"filter": f"eq(attributes/n,{number})"}) == [["t00"]]
        both: dict[str, Any] = {"requested-acks": ["twin-persisted", "search-persisted"], "timeout": "60s"}
        await world.send(command("t00", 1, "modify", "/attributes/new", **both), reply_to="answers")
        message = orjson.loads((await take(answers)).body)
        assert (message["topic"], message["status"]) == ("farm/t00/things/twin/acks", 200)
        assert {label: each["status"] for label, each in message["value"].items()} == {
            "twin-persisted": 201,
            "search-persisted": 204,
        }
        assert message["value"]["twin-persisted"]["payload"] == 1
        assert message["value"]["twin-persisted"]["headers"]["etag"]
