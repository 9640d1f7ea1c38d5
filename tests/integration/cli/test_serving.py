import asyncio
import signal
from typing import Any

import aio_pika
import aiohttp
import orjson
import pytest

from tests.integration.cli.program import SECONDS, Twinlog, end, listen, said
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start


async def put(twinlog: Twinlog, path: str, value: object) -> int:
    url = f"{twinlog.endpoint('http_url')}/api/2/things/{path}"
    async with aiohttp.ClientSession() as session, session.put(url, json=value) as response:
        return response.status


async def ready(twinlog: Twinlog) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{twinlog.endpoint('http_url')}/ready") as response:
        return response.status == 200


async def test_tail_shows_what_was_missed_and_then_what_happens_until_interrupted(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        assert await put(twinlog, "farm.one:a", {}) == 201
        following = await twinlog.start("events", "tail", "--json", "--after", "0", "--namespace", "farm.one")
        assert orjson.loads(await said(following, b'"thing:farm.one:a"'))["position"] == 1
        assert orjson.loads(await said(following, b""))["stream"] == "policy:farm.one:a"
        assert await put(twinlog, "farm.two:x", {}) == 201
        assert await put(twinlog, "farm.one:b", {}) == 201
        assert orjson.loads(await said(following, b""))["stream"] == "thing:farm.one:b"
        ended = await end(following, signal.SIGINT)
    assert ended.code == 130
    assert "Traceback" not in ended.err


async def test_tail_without_a_beginning_shows_only_what_happens_from_now_on(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        assert await put(twinlog, "farm.one:old", {}) == 201
        following = await twinlog.start("events", "tail")
        recent = await twinlog.start("events", "tail", "--since", "1h", "--json")
        assert b"farm.one:old" in await said(recent, b"thing:")
        line, number = b"", 0
        seeing = asyncio.ensure_future(said(following, b"thing:"))
        while not seeing.done():
            number += 1
            assert await put(twinlog, f"farm.one:new-{number}", {}) == 201
            await asyncio.wait({seeing}, timeout=0.2)
        line = seeing.result()
        assert b"farm.one:new" in line
        for process in (following, recent):
            assert (await end(process, signal.SIGINT)).code == 130


async def test_status_tells_servers_head_and_the_lag_of_every_reader(twinlog: Twinlog, amqp_url: str) -> None:
    whole = twinlog.with_(TWINLOG_AMQP_URL=amqp_url)
    async with whole.serving():
        assert await put(whole, "farm.one:a", {}) == 201

        told: dict[str, Any] = {}

        async def all_have_caught_up() -> bool:
            told.update(orjson.loads((await whole("status", "--json")).out))
            there = {each["name"] for each in told["consumers"] if each["lag"] == 0 and each["owner"]}
            reached = {each["server"]: each["reached"] for each in told["servers"]}
            return (
                reached == {"PostgreSQL": True, "RabbitMQ": True}
                and there >= {"twins", "revisions", "amqp-publisher"}
                and len(there) == len(told["consumers"])
            )

        await eventually(all_have_caught_up, "servers are reached, readers have owners and no lag", within=SECONDS)
        people = await whole("status")
    assert told["head"] == 2
    assert all(consumer["position"] == 2 for consumer in told["consumers"])
    assert people.code == 0
    assert "position 2" in people.text


async def test_status_of_servers_that_do_not_answer_is_3(twinlog: Twinlog) -> None:
    ended = await twinlog.with_(TWINLOG_AMQP_URL="amqp://127.0.0.1:1/")("status", "--json")
    told = orjson.loads(ended.out)
    assert ended.code == 3
    assert [server["reached"] for server in told["servers"]] == [True, False]


async def test_roles_split_the_service_and_the_parts_work_together(twinlog: Twinlog, amqp_url: str) -> None:
    whole = twinlog.with_(TWINLOG_AMQP_URL=amqp_url)
    async with (
        whole.serving("--role", "http"),
        whole.with_(TWINLOG_HOME=f"{whole.home}-2").serving("--role", "publisher", "--role", "projector"),
        await aio_pika.connect(amqp_url) as connection,
    ):
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.declare_exchange("twinlog.events", "topic", durable=True)
        await queue.bind("twinlog.events", "things.#")
        await eventually(lambda: ready(whole), "the service says that it is ready", within=SECONDS)
        assert await put(whole, "farm.one:a", {}) == 201
        heard = await listen(queue)
        async with asyncio.timeout(SECONDS):
            event = orjson.loads((await heard.get()).body)
        assert event["topic"] == "farm.one/a/things/twin/events/created"


async def test_a_port_that_is_taken_is_one_sentence_and_3(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        port = twinlog.endpoint("http_url").rpartition(":")[2]
        ended = await twinlog.with_(TWINLOG_HOME=f"{twinlog.home}-2")("serve", "--port", port)
    assert ended.code == 3
    assert "cannot start" in ended.err
    assert "Traceback" not in ended.err


async def test_rebuild_swaps_an_equal_read_model_in_while_the_service_runs(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        for number in range(20):
            assert await put(twinlog, f"farm.one:{number}", {"attributes": {"n": number}}) == 201
        for options in (("--check",), ("--compare",), ()):
            for projection in ("twins", "revisions"):
                ended = await twinlog("rebuild", projection, *options)
                assert ended.code == 0, ended.err
                assert "40 events replayed" in ended.text
                assert ("row for row" in ended.text) == bool(options)
        ended = await twinlog("rebuild", "all", "--compare")
        assert ended.code == 0, ended.err
        *counts, same = ended.text.splitlines()
        assert [line.split(" replayed")[0] for line in counts] == [
            f"{name}: 40 events" for name in ("twins", "revisions", "deadlines", "search")
        ]
        assert "row for row" in same
        assert await put(twinlog, "farm.one:0/attributes/n", 5) == 204
        shown = await twinlog("thing", "show", "farm.one:0")
    assert orjson.loads(shown.out)["attributes"] == {"n": 5}


async def test_the_first_start_tells_credentials_once_and_they_work(twinlog: Twinlog) -> None:
    variables = {name: value for name, value in twinlog.environment.items() if name != "TWINLOG_BASIC_USERS"}
    first = Twinlog(variables, twinlog.started)
    process = await first.start("serve", "--port", "0")
    told = await said(process, b"API user")
    assert await put(first, "farm.one:a", {}) == 201
    rest = await end(process, signal.SIGTERM)
    assert rest.code == 0
    password = told.decode().split()[-1]
    again = await first.start("serve", "--port", "0")
    await said(again, b"events list")
    ended = await end(again, signal.SIGTERM)
    assert password not in ended.text
    assert password not in ended.err
    assert (first.home / "credentials.json").stat().st_mode & 0o077 == 0
