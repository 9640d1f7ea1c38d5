"""From a policy with an expiring subject to announcements, answers and removal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
import pytest
from aio_pika.abc import AbstractQueue

from projections.deadlines import DeadlinesProjection
from projections.rebuild import Rebuild, RebuildOptions
from protocol.announcements.decide import Rules
from protocol.json import JsonObject, JsonValue
from services.announcer.announcer import Pace
from tests.integration.amqp.harness import Field, field, proxy, take
from tests.integration.announcer.stage import APP, POLICY, Clock, Stage, at, id_of, stage, subject, told, until

ACKS: JsonObject = {"labels": ["app:seen"], "timeout": "20s"}
PATH = ("entries", "guest", "subjects", APP)


@asynccontextmanager
async def opened(
    database_url: str, amqp_url: str, *, rules: Rules | None = None, line: str | None = None
) -> AsyncIterator[tuple[Stage, Clock, Field, AbstractQueue]]:
    clock = Clock()
    async with stage(database_url, line or amqp_url, clock=clock, rules=rules) as service, field(amqp_url) as world:
        exchange = await world.channel.declare_exchange(world.topology.announcements, "topic", durable=True)
        queue = await world.channel.declare_queue("heard", durable=True)
        await queue.bind(exchange, "#")
        yield service, clock, world, queue


def ack(correlation_id: JsonValue, status: int = 200, topic: str = "things/twin/acks/app:seen") -> bytes:
    message = {"topic": f"farm.one/p1/{topic}", "headers": {"correlation-id": correlation_id}, "path": "/"}
    return orjson.dumps({**message, "status": status})


def correlation_id(envelope: JsonObject) -> JsonValue:
    headers = envelope["headers"]
    assert isinstance(headers, dict)
    return headers["correlation-id"]


async def gone(service: Stage, policy_id: str = "farm.one:p1") -> None:
    async def is_gone() -> bool:
        return await service.subjects(policy_id) == []

    await until(is_gone, "the subject is removed")


async def quiet(service: Stage, queue: AbstractQueue) -> None:
    """Nothing more is told: a second subject's announcement, which comes later, is the next."""
    await service.create("farm.one:next", app2=subject(None, whenDeleted=True))
    await service.do("delete", (), policy_id="farm.one:next")
    envelope = await told(queue)
    assert envelope["topic"] == "farm.one/next/policies/announcements/subjectDeletion"


async def test_a_subject_is_announced_answered_and_removed(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, world, queue), service.hearing(amqp_url):
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)})
        async with service.announcing():
            clock.set(541)
            message = await take(queue)
            envelope = orjson.loads(message.body)
            assert envelope["topic"] == "farm.one/p1/policies/announcements/subjectDeletion"
            assert envelope["value"] == {"deleteAt": at(600), "subjectIds": [APP]}
            assert envelope["headers"]["requested-acks"] == ["app:seen"]
            assert envelope["headers"]["timeout"] == "20s"
            assert message.routing_key == "policies.farm.one.p1.subjectDeletion.integration:app-1"
            assert id_of(message) == envelope["headers"]["announcement-id"]
            clock.set(542)
            await world.send(ack(correlation_id(envelope)))
            await service_is_told(service)
            assert await service.subjects() == [APP]
            clock.set(600)
            await gone(service)
        removed = (await service.events("policy:farm.one:p1"))[-1]
        assert (removed.type, removed.path, removed.revision) == ("deleted", f"/entries/guest/subjects/{APP}", 2)
        assert orjson.loads(removed.headers)["ditto-originator"] == "twinlog:announcer"
        records = await service.events("announcement:farm.one:p1")
        by_type = {event.type: orjson.loads(event.value or b"") for event in records}
        assert sorted(by_type) == ["acknowledged", "announced", "published"]
        assert by_type["acknowledged"]["by"] == "amqp:backend"
        assert await world.waiting(world.topology.dead_letters) == 0


async def recorded(service: Stage, what: str, policy_id: str = POLICY) -> None:
    """Wait for it behind the latest attempt: of confirm and answer either may be recorded first."""

    async def is_recorded() -> bool:
        types = [event.type for event in await service.events(f"announcement:{policy_id}")]
        latest = max((place for place, each in enumerate(types) if each == "announced"), default=len(types))
        return what in types[latest:]

    await until(is_recorded, f"{what} is recorded")


async def service_is_told(service: Stage) -> None:
    """An answer may be recorded before the confirm of what it answers, so both are awaited."""

    async def told_() -> bool:
        return any(each.watch.told and each.watch.published_at is not None for each in await service.listed())

    await until(told_, "the answer and the confirm are recorded")


@pytest.mark.parametrize("topic", ["things/live/acks/app:seen", "policies/acks/app:seen"])
async def test_answers_may_come_in_every_form(database_url: str, amqp_url: str, topic: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, world, queue), service.hearing(amqp_url):
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)})
        async with service.announcing():
            clock.set(541)
            await world.send(ack(correlation_id(await told(queue)), 404, topic))
            await service_is_told(service)


async def test_answers_that_nobody_waits_for_are_ignored(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, _, world, _), service.hearing(amqp_url):
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)})
        await world.send(ack("nobody-1"), reply_to="answers")
        await world.send(ack("nobody-1", topic="policies/acks/other:label"))
        await world.send(ack(7))

        async def taken() -> bool:
            return await world.waiting(world.topology.commands) == 0

        await until(taken, "the queue is empty")
    assert await left(amqp_url) == (0, 0)


async def left(amqp_url: str) -> tuple[int, int]:
    async with field(amqp_url) as world:
        names = world.topology.commands, world.topology.dead_letters
        return await world.waiting(names[0]), await world.waiting(names[1])


async def test_without_an_answer_the_same_announcement_is_repeated_until_the_grace_is_over(
    database_url: str, amqp_url: str
) -> None:
    rules = Rules(grace=timedelta(minutes=1))
    async with opened(database_url, amqp_url, rules=rules) as (service, clock, _, queue):
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)})
        async with service.announcing():
            clock.set(540)
            first = await take(queue)
            await recorded(service, "published")
            clock.set(570)
            await recorded(service, "failed")
            assert await service.subjects() == [APP]
            clock.set(575)
            second = await take(queue)
            assert id_of(first) == id_of(second)
            assert first.correlation_id != second.correlation_id
            await recorded(service, "published")
            clock.set(700)
            await gone(service)


async def test_an_extension_in_time_keeps_access(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", whenDeleted=True)})
        clock.set(560)
        await told(queue)
        await service.put(subject(at(1_200), beforeExpiry="1m"))
        clock.set(700)
        await quiet(service, queue)
        assert await service.subjects() == [APP]
        clock.set(1_140)
        assert (await told(queue))["value"] == {"deleteAt": at(1_200), "subjectIds": [APP]}


async def test_removals_are_announced_whoever_removes(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        temporary = subject(at(600), whenDeleted=True)
        silent = subject(at(600))
        await service.create(a=temporary, b=temporary, c=temporary, d=silent)
        clock.set(10)
        await service.do("delete", ("entries", "guest", "subjects", "integration:a"))
        assert (await told(queue))["value"] == {"deleteAt": at(10), "subjectIds": ["integration:a"]}
        await service.do(
            "modify",
            ("entries", "guest", "subjects"),
            {"integration:c": temporary, "integration:d": silent},
        )
        assert (await told(queue))["value"] == {"deleteAt": at(10), "subjectIds": ["integration:b"]}
        clock.set(601)
        assert (await told(queue))["value"] == {"deleteAt": at(601), "subjectIds": ["integration:c"]}
        await gone(service)
        await quiet(service, queue)


async def test_the_end_of_a_policy_is_announced(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, _, _, queue), service.announcing():
        await service.create(a=subject(None, whenDeleted=True))
        await service.do("delete", ())
        assert (await told(queue))["value"] == {"deleteAt": at(0), "subjectIds": ["integration:a"]}


async def test_a_subject_in_two_entries_leaves_both_in_one_append(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        value = subject(at(600), whenDeleted=True)
        await service.create(POLICY, **{"app-1": value})
        await service.do("modify", ("entries", "owner", "subjects", APP), value)
        clock.set(600)
        await gone(service)
        events = (await service.events("policy:farm.one:p1"))[-2:]
        assert [(event.type, event.path) for event in events] == [
            ("deleted", f"/entries/owner/subjects/{APP}"),
            ("deleted", f"/entries/guest/subjects/{APP}"),
        ]
        assert events[0].position + 1 == events[1].position
        await told(queue)
        await quiet(service, queue)


async def test_a_crowd_in_one_policy_is_told_and_removed_piece_by_piece(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue):
        service.pace = Pace(poll=0.02, rest=0.05, subjects=16)
        names = {f"app-{number}" for number in range(100)}
        await service.create(POLICY, **{name: subject(at(600), beforeExpiry="1m") for name in names})
        async with service.announcing():
            clock.set(541)
            values = [(await told(queue))["value"] for _ in names]
            assert {orjson.dumps(value) for value in values} == {
                orjson.dumps({"deleteAt": at(600), "subjectIds": [f"integration:{name}"]}) for name in names
            }
            assert len(await service.subjects()) == 100
            clock.set(600)
            await gone(service)
            await quiet(service, queue)
        events = await service.events("policy:farm.one:p1")
        assert [event.type for event in events] == ["created", *["deleted"] * 100]
        records = await service.events("announcement:farm.one:p1")
        assert sorted(event.type for event in records) == ["announced"] * 100 + ["published"] * 100


async def test_a_restart_across_the_deadline_announces_and_removes_at_once(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue):
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m")})
        clock.set(3 * 86_400)
        async with service.announcing():
            assert (await told(queue))["value"] == {"deleteAt": at(600), "subjectIds": [APP]}
            await gone(service)
        records = await service.events("announcement:farm.one:p1")
        assert [event.type for event in records] == ["announced", "published"]


async def test_a_clock_that_jumps_neither_repeats_nor_skips(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m")})
        clock.set(545)
        await told(queue)
        clock.set(0)
        await quiet(service, queue)
        clock.set(599)
        assert await service.subjects() == [APP]
        clock.set(100_000)
        await gone(service)
        assert len(await service.events("announcement:farm.one:p1")) == 2


async def test_a_broker_that_is_away_at_the_deadline_loses_no_announcement(database_url: str, amqp_url: str) -> None:
    async with proxy(amqp_url) as line:  # noqa: SIM117 - the line is there before and after the service
        async with opened(database_url, amqp_url, line=line.url) as (service, clock, _, queue), service.announcing():
            await service.create("farm.one:p0", app0=subject(None, whenDeleted=True))
            await service.do("delete", (), policy_id="farm.one:p0")
            await told(queue)
            await recorded(service, "published", "farm.one:p0")
            line.refuses = True
            line.cut()
            await service.create(
                POLICY,
                **{f"app-{n}": subject(at(600), beforeExpiry="1m") for n in range(20)},
            )
            await service.create("farm.one:silent", app=subject(at(600)))
            clock.set(700)
            await gone(service, "farm.one:silent")
            assert len(await service.subjects()) == 20
            line.refuses = False
            assert len({orjson.dumps((await told(queue))["value"]) for _ in range(20)}) == 20
            await gone(service)


async def test_a_rebuild_repeats_nothing_and_loses_nothing(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        await service.create(
            told=subject(at(600), beforeExpiry="1m"),
            asked=subject(at(600), beforeExpiry="1m", requestedAcks=ACKS),
            later=subject(at(900), beforeExpiry="1m"),
        )
        clock.set(545)
        for _ in range(2):
            await told(queue)
        await service.create("farm.two:p", gone=subject(at(550)))
        clock.set(551)
        await gone(service, "farm.two:p")
        options = RebuildOptions(compare=True, page_size=3)
        rebuilt = await Rebuild(service.pool, service.store, DeadlinesProjection(), options=options).run()
        assert rebuilt.differences == ()
        await quiet(service, queue)
        clock.set(840)
        assert (await told(queue))["value"] == {"deleteAt": at(900), "subjectIds": ["integration:later"]}
