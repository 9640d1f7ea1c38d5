"""Messages that nobody can read or that are refused for good lie in the dead letters; the others never notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import aio_pika
import orjson

from services.amqp.topology import Topology
from tests.faults.conftest import Tell
from tests.faults.load import CONTENT_TYPE, NAMESPACE, Load, loading
from tests.faults.promises import check_log, check_no_defects, followed, settled
from tests.faults.service import service
from tests.faults.world import World, watched
from tests.waiting import eventually

PUMP = f"{NAMESPACE}/pump-0/things/twin/commands"
NOBODY = f"{NAMESPACE}/nobody/things/twin/commands"
FUZZED = 300


def envelope(topic: str, path: str, value: object = None, **headers: object) -> bytes:
    return orjson.dumps({"topic": topic, "path": path, "value": value, "headers": headers})


POISON: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"rpm=12",
    "cut off": b'{"topic":"farm/pump-0/things/twin/commands/modify","path":"/attributes/a","val',
    "not UTF-8": b'{"topic":"\xff\xfe"}',
    "a number": b"12",
    "a list": b"[]",
    "null": b"null",
    "no topic": b'{"path":"/","value":{}}',
    "no path": orjson.dumps({"topic": f"{PUMP}/modify", "value": 1}),
    "topic is a number": b'{"topic":1,"path":"/"}',
    "unknown topic": envelope("nonsense", "/"),
    "unknown group": envelope(f"{NAMESPACE}/pump-0/gadgets/twin/commands/modify", "/attributes/a", 1),
    "unknown action": envelope(f"{PUMP}/explode", "/attributes/a", 1),
    "an event": envelope(f"{NAMESPACE}/pump-0/things/twin/events/modified", "/attributes/a", 1),
    "unknown path": envelope(f"{PUMP}/modify", "/nonsense/a", 1),
    "path is a list": orjson.dumps({"topic": f"{PUMP}/modify", "path": ["a"], "value": 1}),
    "headers are a list": orjson.dumps({"topic": f"{PUMP}/modify", "path": "/attributes/a", "value": 1, "headers": []}),
    "bad header": envelope(f"{PUMP}/modify", "/attributes/a", 1, **{"if-match": 12, "response-required": "perhaps"}),
    "bad namespace": envelope("1-bad/pump-0/things/twin/commands/modify", "/attributes/a", 1),
    "features are a number": envelope(f"{PUMP}/modify", "/features", 1),
    "nobody there": envelope(f"{NOBODY}/modify", "/attributes/a", 1),
    "nothing to delete": envelope(f"{PUMP}/delete", "/attributes/not-there"),
    "too large": envelope(f"{PUMP}/modify", "/attributes/a", "x" * 300_000),
    "too deep": b'{"topic":"%s/modify","path":"/attributes/a","value":%s1%s}' % (PUMP.encode(), b"[" * 900, b"]" * 900),
    "control characters in a key": envelope(f"{PUMP}/modify", "/attributes", {"a\u0000b": 1}),
    "zero character in a value": envelope(f"{PUMP}/modify", "/attributes/zero", "a\u0000b"),
    "lone surrogate": b'{"topic":"%s/modify","path":"/attributes/a","value":"\\ud800"}' % PUMP.encode(),
    "number beyond all bounds": b'{"topic":"%s/modify","path":"/attributes/a","value":1e999}' % PUMP.encode(),
    "merge without its content type": envelope(f"{PUMP}/merge", "/attributes", {"a": 1}),
}

MAY_PASS = ("zero character in a value", "bad header")
"""Whether these are taken is the protocol's business; that nothing stops and nothing is lost is ours."""


async def test_poison_lies_in_the_dead_letters_with_its_reason_and_stops_nothing(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    async with service(home, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        poison = dict(POISON)
        fuzz = {
            f"fuzz {number}": spoiled(envelope(f"{PUMP}/modify", "/attributes/a", 1), chance)
            for number in range(FUZZED)
        }
        async with loading(load):
            await world.grown(100)
            await poured(amqp_url, poison)
            await world.grown(300)
            await poured(amqp_url, fuzz)
        log = await settled(world, load.confirmed)
        check_log(log)
        await accounted_for(world, poison | fuzz)
        await followed(world)
        await running.stop()
        check_no_defects(running)
        letters = await world.take_all(world.topology.dead_letters)
        assert await world.waiting(world.topology.commands) == 0
        stored = {event.command_id for event in await world.log()}
        found = {str(each.headers["x-twinlog-message-id"]): each for each in letters}
        assert len(found) == len(letters)
        assert not found.keys() & stored
        assert found.keys() | (stored & (poison | fuzz).keys()) == (poison | fuzz).keys()
        assert (poison.keys() - found.keys()) <= set(MAY_PASS)
        for name, letter in found.items():
            assert letter.body == (poison | fuzz)[name]
            assert letter.headers["x-twinlog-reason"]
            assert 400 <= int(str(letter.headers["x-twinlog-status"])) < 500, (name, letter.headers)
            assert letter.headers["x-twinlog-message"]
        tell(f"{len(letters)} dead letters beside {len(load.confirmed)} messages")
        tell(", ".join(f"{name}: {found[name].headers['x-twinlog-reason']!s}" for name in poison if name in found))


async def poured(url: str, messages: dict[str, bytes]) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(Topology().commands, ensure=False)
        for name, body in messages.items():
            message = aio_pika.Message(body, message_id=name, content_type=CONTENT_TYPE, delivery_mode=2)
            await exchange.publish(message, "poison")


async def accounted_for(world: World, messages: dict[str, bytes]) -> None:
    async def all_of_them() -> bool:
        stored = {event.command_id for event in await world.log()} & messages.keys()
        return len(stored) + await world.waiting(world.topology.dead_letters) >= len(messages)

    await eventually(all_of_them, "every message is an event or a dead letter", every=0.1)


def spoiled(body: bytes, chance: random.Random) -> bytes:
    """The message with some bytes changed, lost, doubled or cut off."""
    ways: list[Callable[[bytes, int], bytes]] = [
        lambda text, at: text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :],
        lambda text, at: text[:at] + text[at + 1 :],
        lambda text, at: text[:at] + text[at : at + 9] + text[at:],
        lambda text, at: text[:at],
    ]
    for _ in range(chance.randint(1, 3)):
        body = chance.choice(ways)(body, chance.randrange(max(len(body), 1)))
    return body
