"""What changes of a policy mean for announcements that are under way."""

from __future__ import annotations

from protocol.json import JsonObject
from protocol.signals import Command
from tests.integration.amqp.harness import take
from tests.integration.announcer.stage import (
    APP,
    GRANTS,
    OWNER,
    OWNS,
    POLICY,
    Stage,
    at,
    id_of,
    subject,
    told,
    until,
)
from tests.integration.announcer.test_announcing import ACKS, ack, correlation_id, gone, opened, quiet, recorded

OWNERS: JsonObject = {"subjects": {"nginx:owner": {"type": "x"}}, "resources": OWNS}
PATH = ("entries", "guest", "subjects", APP)


def entry(**subjects: JsonObject) -> JsonObject:
    return {"subjects": {f"integration:{name}": value for name, value in subjects.items()}, "resources": GRANTS}


async def held_by(service: Stage, label: str) -> list[str]:
    command = Command(entity_id=POLICY, verb="retrieve", path=("entries", label, "subjects"))
    subjects = (await service.commanding.execute(command, OWNER)).value
    assert isinstance(subjects, dict)
    return sorted(subjects)


async def test_one_that_nobody_answered_yet_ends_in_silence_when_it_is_extended(
    database_url: str, amqp_url: str
) -> None:
    asking: JsonObject = {"beforeExpiry": "1m", "whenDeleted": True, "requestedAcks": ACKS}
    async with opened(database_url, amqp_url) as (service, clock, world, queue), service.hearing(amqp_url):
        await service.create(POLICY, **{"app-1": subject(at(600), **asking)})
        async with service.announcing():
            clock.set(541)
            first = await told(queue)
            await recorded(service, "published")
            await service.put(subject(at(1_200), **asking))
            await world.send(ack(correlation_id(first)))
            clock.set(1_000)
            await quiet(service, queue)
            clock.set(1_140)
            second = await told(queue)
            assert second["value"] == {"deleteAt": at(1_200), "subjectIds": [APP]}
            await world.send(ack(correlation_id(second)))
            await recorded(service, "acknowledged")
        answers = [event for event in await service.events("announcement:farm.one:p1") if event.type == "acknowledged"]
        assert len(answers) == 1


async def test_one_that_was_removed_and_comes_back_is_announced_anew(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        value = subject(at(600), beforeExpiry="1m")
        await service.create(POLICY, **{"app-1": value})
        clock.set(545)
        first = await take(queue)
        await service.do("delete", PATH)
        await service.put(value)
        second = await take(queue)
        assert first.body.partition(b'"path"')[2] == second.body.partition(b'"path"')[2]
        assert id_of(first) != id_of(second)
        clock.set(600)
        await gone(service)


async def test_one_that_moves_to_another_entry_stays_watched(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        value = subject(at(600), beforeExpiry="1m", whenDeleted=True)
        await service.create(POLICY, **{"app-1": value})
        await service.do("modify", ("entries",), {"owner": OWNERS, "other": entry(**{"app-1": value})})
        await quiet(service, queue)
        clock.set(545)
        assert (await told(queue))["value"] == {"deleteAt": at(600), "subjectIds": [APP]}
        clock.set(600)
        await gone(service)
        await quiet(service, queue)


async def test_one_with_another_end_in_another_entry_leaves_each_in_its_time(database_url: str, amqp_url: str) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", whenDeleted=True)})
        later = subject(at(900), beforeExpiry="1m", whenDeleted=True)
        await service.do("modify", ("entries", "second"), entry(**{"app-1": later}))
        clock.set(545)
        assert (await told(queue))["value"] == {"deleteAt": at(600), "subjectIds": [APP]}
        clock.set(600)

        async def has_left_the_first() -> bool:
            return await held_by(service, "guest") == []

        await until(has_left_the_first, "the first entry is left")
        assert await held_by(service, "second") == [APP]
        await quiet(service, queue)
        clock.set(840)
        assert (await told(queue))["value"] == {"deleteAt": at(900), "subjectIds": [APP]}
        clock.set(900)
        await gone(service)
        await quiet(service, queue)


async def test_changes_of_others_neither_repeat_an_announcement_nor_lose_its_answer(
    database_url: str, amqp_url: str
) -> None:
    async with opened(database_url, amqp_url) as (service, clock, world, queue), service.hearing(amqp_url):
        value = subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)
        await service.create(POLICY, **{"app-1": value})
        async with service.announcing():
            clock.set(541)
            envelope = await told(queue)
            await service.do("modify", ("entries", "second"), entry(bob={"type": "x"}))
            await service.do("modify", PATH, value)
            await service.do("delete", ("entries", "second"))
            await quiet(service, queue)
            await world.send(ack(correlation_id(envelope)))
            await recorded(service, "acknowledged")
            await recorded(service, "published")
            clock.set(600)
            await gone(service)


async def test_one_that_is_over_and_unanswered_locks_nothing_and_can_be_extended(
    database_url: str, amqp_url: str
) -> None:
    async with opened(database_url, amqp_url) as (service, clock, _, queue), service.announcing():
        await service.create(POLICY, **{"app-1": subject(at(600), beforeExpiry="1m", requestedAcks=ACKS)})
        clock.set(610)
        await take(queue)
        assert await service.subjects() == [APP]
        for verb, path in (("modify", ("entries", "second")), ("delete", ("entries", "second"))):
            assert (await service.do(verb, path, entry(bob={"type": "x"}))).status in {201, 204}
        assert (await service.put(subject(at(1_200)))).status == 204
        clock.set(1_100)
        await quiet(service, queue)
        assert await service.subjects() == [APP]
