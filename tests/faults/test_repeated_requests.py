"""PUTs whose connection was cut, sent again under the same ``Idempotency-Key``: the first answer, and one effect."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import orjson

from eventstore.events import RecordedEvent
from tests.faults.clients import client
from tests.faults.conftest import Tell
from tests.faults.load import NAMESPACE
from tests.faults.promises import check_log, check_no_defects
from tests.faults.service import PASSWORD, USER, Service, service
from tests.faults.world import watched

THINGS = 5
REQUESTS = 60


async def test_a_repeated_request_gets_the_first_answer_after_a_cut_or_a_crash(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    async with (
        service(home, database_url, amqp_url) as running,
        watched(database_url, amqp_url) as world,
        client("repeating") as app,
    ):
        stored = 0
        for number in range(REQUESTS):
            path, value = asked(number, chance)
            key = f"key-{number}"
            await cut_off(running, path, value, key, chance)
            stored += any(event.command_id == key for event in await world.log())
            if number % 20 == 19:
                await running.kill()
                await running.start()
            answers = [await app.put([running], path, value, key=key) for _ in range(2)]
            assert answers[0] == answers[1]
            assert answers[0].status == (201 if is_new(await world.log(), key) else 204)
            assert answers[0].etag is not None
        log = await world.log()
        check_log(log)
        assert sum(event.command_id is not None for event in log) == REQUESTS
        await running.stop()
        check_no_defects(running)
        tell(f"{REQUESTS} requests cut off, {stored} of them were stored before they were repeated")


def asked(number: int, chance: random.Random) -> tuple[str, object]:
    """Path and value: first five new things, then changes of them."""
    thing = f"{NAMESPACE}:pump-{number % THINGS}"
    if number < THINGS:
        return thing, {"attributes": {"made": number}}
    return f"{thing}/attributes/{chance.choice('abc')}", number


async def cut_off(running: Service, path: str, value: object, key: str, chance: random.Random) -> None:
    """Send a request, now and then not all of it, and break the connection before anybody reads the answer."""
    body = orjson.dumps(value)
    head = (
        f"PUT /api/2/things/{path} HTTP/1.1\r\nHost: twinlog\r\nIdempotency-Key: {key}\r\n"
        f"Authorization: {aiohttp.encode_basic_auth(USER, PASSWORD)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(request if chance.random() < 0.9 else request[: chance.randrange(len(request))])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(chance.choice([0.0, 0.001, 0.002, 0.004, 0.1])):
            await reader.read(1)
    writer.transport.abort()


def is_new(log: Sequence[RecordedEvent], key: str) -> bool:
    """Whether the one event that came of the request was the first one at its path."""
    (event,) = [event for event in log if event.command_id == key]
    place = (event.stream, event.path)
    return next(each for each in log if (each.stream, each.path) == place) is event
