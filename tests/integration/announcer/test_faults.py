"""Announcers that are killed at random moments, and several at once: nothing lost, nothing early, nothing too late."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from eventstore.events import RecordedEvent
from protocol.json import JsonObject
from tests.integration.amqp.harness import Field, background, field, take
from tests.integration.announcer.process import announcer_process, at_work
from tests.integration.announcer.stage import Clock, Stage, at, id_of, real_clock, stage, subject, until

POLICIES = 40


async def bound(world: Field) -> AbstractQueue:
    exchange = await world.channel.declare_exchange(world.topology.announcements, "topic", durable=True)
    queue = await world.channel.declare_queue("heard", durable=True)
    await queue.bind(exchange, "#")
    return queue


@dataclass(frozen=True, slots=True)
class Told:
    """An announcement: when it came, when it was sent as the sender says (to the second), and its id."""

    came: datetime
    sent: datetime
    name: str


class Heard:
    """Every announcement with the time at which it came."""

    def __init__(self) -> None:
        self.messages: list[tuple[datetime, AbstractIncomingMessage, JsonObject]] = []

    async def listen(self, queue: AbstractQueue) -> None:
        async with queue.iterator(no_ack=True) as messages:
            async for message in messages:
                self.messages.append((real_clock(), message, orjson.loads(message.body)["value"]))

    def by_subject(self) -> dict[str, list[Told]]:
        found: dict[str, list[Told]] = defaultdict(list)
        for came, message, value in self.messages:
            assert message.timestamp is not None
            told = Told(came, message.timestamp, id_of(message))
            for each in value["subjectIds"]:  # type: ignore[union-attr]  # as announced
                found[str(each)].append(told)
        return found


async def all_gone(service: Stage, policies: Sequence[str]) -> bool:
    for policy in policies:
        if await service.subjects(policy):
            return False
    return True


async def test_killed_announcers_lose_nothing_and_tell_nothing_early_or_after_the_removal(
    database_url: str, amqp_url: str
) -> None:
    heard = Heard()
    chance = random.Random(7)  # noqa: S311 - moments of a test
    async with (
        stage(database_url, amqp_url, clock=real_clock) as service,
        field(amqp_url) as world,
        background(heard.listen(await bound(world))),
    ):
        start = real_clock() + timedelta(seconds=6)
        due: dict[str, datetime] = {}
        policies = [f"farm.one:p{number}" for number in range(POLICIES)]
        values: dict[str, JsonObject] = {}
        for number, policy in enumerate(policies):
            seconds = 2 + number * 6 / POLICIES
            guests: JsonObject = {}
            for kind in ("early", "deleted"):
                subject_id = f"integration:{kind}-{number}"
                asked: JsonObject = {"beforeExpiry": "2s"} if kind == "early" else {"whenDeleted": True}
                guests[subject_id] = subject(at(seconds, start), **asked)
                due[subject_id] = start + timedelta(seconds=seconds - (2 if kind == "early" else 0))
            values[policy] = guests
        await asyncio.gather(*(service.create_with(policy, guests) for policy, guests in values.items()))
        killers = [kill_again_and_again(database_url, amqp_url, heard, chance) for _ in range(2)]
        async with background(killers[0]), background(killers[1]):
            await until(lambda: told_to(heard, len(due) * 3 // 4), "most are told")
        async with service.announcing():
            await until(lambda: all_gone(service, policies), "all are removed")
            await until(lambda: told_to(heard, len(due)), "all are told")
            await until(lambda: all_confirmed(service, policies, len(due)), "all are recorded as told")
        removed, recorded = await removals(service, policies), await records(service, policies)
    for subject_id, messages in heard.by_subject().items():
        assert len({each.name for each in messages}) == 1
        assert min(each.came for each in messages) >= due[subject_id] - timedelta(milliseconds=5)
        check_order(messages, removed[subject_id], recorded[subject_id], before="early" in subject_id)


async def kill_again_and_again(database_url: str, amqp_url: str, heard: Heard, chance: random.Random) -> None:
    """Every second one has told something, so that most are told in the end, however slow the machine is."""
    for turn in itertools.count():
        async with announcer_process(database_url, amqp_url) as process:
            await at_work(process)
            if turn % 2:
                await more_is_told(heard)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.1 + chance.random())


def check_order(
    messages: Sequence[Told], removal: RecordedEvent, attempts: Sequence[RecordedEvent], *, before: bool
) -> None:
    """The log tells what came first, and no message was sent on the other side of the removal.

    When a message arrives says nothing: that depends on what else the machine does.
    """
    announced, published = attempts[:2]
    assert (announced.type, published.type) == ("announced", "published")
    if before:
        assert published.position < removal.position
        assert max(each.sent for each in messages) <= removal.recorded_at
    else:
        assert removal.position < announced.position
        assert min(each.sent for each in messages) >= removal.recorded_at.replace(microsecond=0)


async def more_is_told(heard: Heard) -> None:
    known = len(heard.by_subject())
    await until(lambda: told_to(heard, known + 1), "more is told")


async def told_to(heard: Heard, count: int) -> bool:
    return len(heard.by_subject()) >= count


async def all_confirmed(service: Stage, policies: Sequence[str], count: int) -> bool:
    """The record of the confirm comes after the message, which may be heard before."""
    recorded = (await records(service, policies)).values()
    return sum(any(event.type == "published" for event in each) for each in recorded) >= count


async def removals(service: Stage, policies: Sequence[str]) -> dict[str, RecordedEvent]:
    """What removed each subject."""
    events = [event for policy in policies for event in await service.events(f"policy:{policy}")]
    return {event.path.rpartition("/")[2]: event for event in events if event.type == "deleted"}


async def records(service: Stage, policies: Sequence[str]) -> dict[str, list[RecordedEvent]]:
    """What the log says of each subject's announcement."""
    found: dict[str, list[RecordedEvent]] = defaultdict(list)
    for policy in policies:
        for event in await service.events(f"announcement:{policy}"):
            found[event.path.removeprefix("/")].append(event)
    return found


async def test_two_announcers_at_once_do_everything_once(database_url: str, amqp_url: str) -> None:
    heard, clock = Heard(), Clock()
    async with (
        stage(database_url, amqp_url, clock=clock) as one,
        stage(database_url, amqp_url, clock=clock, projecting=False) as other,
        field(amqp_url) as world,
        background(heard.listen(await bound(world))),
        one.announcing(),
        one.announcing(),
        other.announcing(),
    ):
        policies = [f"farm.one:p{number}" for number in range(100)]
        for number, policy in enumerate(policies):
            await one.create(policy, **{f"a{number}": subject(at(600), beforeExpiry="1m")})
        clock.set(545)
        await until(lambda: told_to(heard, len(policies)), "all are told")
        clock.set(600)
        await until(lambda: all_gone(one, policies), "all are removed")
        for policy in policies:
            assert [event.type for event in await one.events(f"policy:{policy}")] == ["created", "deleted"]
            records = await one.events(f"announcement:{policy}")
            assert [event.type for event in records] == ["announced", "published"]
    assert len(heard.messages) == len(policies)


async def test_who_stood_still_until_the_claim_was_over_publishes_nothing(database_url: str, amqp_url: str) -> None:
    clock = Clock()
    async with stage(database_url, amqp_url, clock=clock) as service, field(amqp_url) as world:
        queue = await bound(world)
        await service.create("farm.one:p", a=subject(at(600), beforeExpiry="1m"))
        clock.set(545)

        async def is_recorded() -> bool:
            return bool(await service.events("announcement:farm.one:p"))

        async with service.announcing(claim_seconds=0.0):
            await until(is_recorded, "the attempt is recorded")
        assert [event.type for event in await service.events("announcement:farm.one:p")] == ["announced"]
        assert await world.waiting("heard") == 0
        async with service.announcing():
            await take(queue)
        assert await world.waiting("heard") == 0
