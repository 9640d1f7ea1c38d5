"""``twinlog deadlines``: which subjects end when, who was told and has answered, and what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from protocol.announcements.decide import Rules
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from services.embedded.processes import free_port
from tests.integration.amqp.harness import field, take
from tests.integration.announcer.stage import Clock, Stage, at, stage, subject, told, until
from tests.integration.announcer.test_announcing import ack, correlation_id, gone, service_is_told
from tests.integration.cli.program import Twinlog

ACKS: JsonObject = {"labels": ["app:seen"], "timeout": "60s"}
PENDING = ["farm.one:unanswered", "farm.two:quiet", "farm.one:later", "farm.two:idle"]
OVER = ["farm.one:answered", "farm.two:removed"]


@pytest.fixture
async def told_of(database_url: str, amqp_url: str) -> AsyncIterator[Stage]:
    """Six policies with a subject each, of which one was announced and went, one is asked, and one was removed."""
    clock = Clock()
    async with stage(database_url, amqp_url, clock=clock) as service, field(amqp_url) as world:
        exchange = await world.channel.declare_exchange(world.topology.announcements, "topic", durable=True)
        queue = await world.channel.declare_queue("heard", durable=True)
        await queue.bind(exchange, "#")
        asking: dict[str, Any] = {"beforeExpiry": "1m", "requestedAcks": ACKS}
        await service.create("farm.one:answered", app=subject(at(600), **asking))
        await service.create("farm.one:unanswered", app=subject(at(620), **asking))
        await service.create("farm.one:later", app=subject(at(7_200), beforeExpiry="1m"))
        await service.create("farm.two:quiet", app=subject(at(3_600)))
        await service.create("farm.two:idle", app=subject(None, whenDeleted=True))
        await service.create("farm.two:removed", app=subject(at(5_000)))
        path = ("entries", "guest", "subjects", "integration:app")
        await service.do("delete", path, policy_id="farm.two:removed")
        async with service.hearing(amqp_url), service.announcing():
            clock.set(541)
            answer = ack(correlation_id(await told(queue))).replace(b"farm.one/p1", b"farm.one/answered")
            await world.send(answer)
            await service_is_told(service)
            clock.set(561)
            await take(queue)
            await until(lambda: _at(service, unanswered="published"), "the confirm is recorded at its time")
            clock.set(600)
            await gone(service, "farm.one:answered")
            await until(lambda: _at(service, unanswered="published", answered="expired"), "the read model has followed")
        yield service


async def _at(service: Stage, **stages: str) -> bool:
    """Whether the read model shows that the policies of ``farm.one`` have come so far."""
    shown = {each.policy_id: each.watch.outcome or each.watch.stage for each in await service.listed()}
    return all(shown.get(PolicyId(f"farm.one:{name}")) == stage for name, stage in stages.items())


async def test_due_announced_acknowledged_and_removed_subjects_are_told(twinlog: Twinlog, told_of: Stage) -> None:
    ended = await twinlog("deadlines", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert [line["policyId"] for line in ended.lines] == [*PENDING, *OVER]
    lines: dict[str, dict[str, Any]] = {str(line["policyId"]): line for line in ended.lines}
    assert {line["subjectId"] for line in lines.values()} == {"integration:app"}

    answered = lines["farm.one:answered"]
    assert (answered["stage"], answered["outcome"]) == ("ended", "expired")
    assert (answered["deleteAt"], answered["publishedAt"], answered["goneAt"]) == (at(600), at(541), at(600))
    assert answered["acknowledged"] == [{"label": "app:seen", "status": 200, "by": "amqp:backend", "at": at(541)}]
    assert answered["missing"] == []

    unanswered = lines["farm.one:unanswered"]
    assert (unanswered["stage"], unanswered["outcome"], unanswered["attempts"]) == ("published", None, 1)
    assert (unanswered["announceAt"], unanswered["nextAt"], unanswered["deleteAt"]) == (at(560), at(621), at(620))
    assert (unanswered["acknowledged"], unanswered["missing"]) == ([], ["app:seen"])
    assert str(unanswered["announcementId"]) != str(answered["announcementId"])

    later = lines["farm.one:later"]
    assert (later["stage"], later["nextAt"], later["deleteAt"]) == ("waiting", at(7_140), at(7_200))
    assert (later["attempts"], later["publishedAt"], later["goneAt"]) == (0, None, None)
    quiet, idle, removed = (lines[f"farm.two:{name}"] for name in ("quiet", "idle", "removed"))
    assert (quiet["stage"], quiet["nextAt"], quiet["announceAt"]) == ("expiring", at(3_600), None)
    assert (idle["stage"], idle["nextAt"], idle["deleteAt"]) == ("idle", None, None)
    assert (removed["stage"], removed["outcome"], removed["goneAt"]) == ("ended", "removed", at(0))


async def test_that_nobody_answered_is_told_also_after_the_removal(
    twinlog: Twinlog, database_url: str, amqp_url: str
) -> None:
    clock, rules = Clock(), Rules(grace=timedelta(seconds=30))
    async with stage(database_url, amqp_url, clock=clock, rules=rules) as service, service.announcing():
        await service.create("farm.one:p", app=subject(at(600), beforeExpiry="1m", requestedAcks=ACKS))
        for seconds, stages in ((600, {"published"}), (700, {"ended"})):
            clock.set(seconds)

            async def has_come(awaited: set[str] = stages) -> bool:
                return {each.watch.stage for each in await service.listed()} == awaited

            await until(has_come, f"the subject is {stages}")
    (line,) = (await twinlog("deadlines", "--json")).lines
    assert (line["outcome"], line["attempts"], line["goneAt"]) == ("expired", 1, at(700))
    assert (line["acknowledged"], line["missing"]) == ([], ["app:seen"])


async def test_what_is_over_and_what_is_elsewhere_can_be_left_out(twinlog: Twinlog, told_of: Stage) -> None:
    for arguments, policies in (
        (("--pending",), PENDING),
        (("--namespace", "farm.two"), ["farm.two:quiet", "farm.two:idle", "farm.two:removed"]),
        (("--namespace", "farm.two", "--pending"), ["farm.two:quiet", "farm.two:idle"]),
        (("--namespace", "farm"), []),
        (("--limit", "2"), PENDING[:2]),
    ):
        ended = await twinlog("deadlines", *arguments, "--json")
        assert (ended.code, [line["policyId"] for line in ended.lines]) == (0, policies), arguments


async def test_a_table_tells_it_to_people(twinlog: Twinlog, told_of: Stage) -> None:
    ended = await twinlog("deadlines")
    assert ended.code == 0
    assert "watched subjects" in ended.text
    rows = {name: line for name in (*PENDING, *OVER) for line in ended.text.splitlines() if name in line}
    assert rows.keys() == {*PENDING, *OVER}
    assert all("integration:app" in row for row in rows.values())
    assert "app:seen 200 by amqp:backend" in rows["farm.one:answered"]
    for name, words in {
        "farm.one:answered": ("expired", at(600), at(541)),
        "farm.one:unanswered": ("published", at(620), at(621)),
        "farm.one:later": ("waiting", at(7_140)),
        "farm.two:quiet": ("expiring", at(3_600)),
        "farm.two:idle": ("idle",),
        "farm.two:removed": ("removed", at(0)),
    }.items():
        assert all(word in rows[name] for word in words), rows[name]


async def test_where_nothing_is_watched_there_is_nothing_to_tell(twinlog: Twinlog) -> None:
    assert (await twinlog("deadlines", "--json")).out == b""
    assert (await twinlog("deadlines")).code == 0


async def test_a_database_that_is_not_there_or_not_made_is_one_sentence(
    twinlog: Twinlog, empty_database_url: str
) -> None:
    nowhere = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    for url, words in ((nowhere, "refused"), (empty_database_url, "twinlog migrate")):
        ended = await twinlog.with_(TWINLOG_DATABASE_URL=url)("deadlines")
        assert (ended.code, ended.out) == (3, b"")
        assert words in ended.err
        assert "Traceback" not in ended.err
        assert "secret" not in ended.err


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--limit", "many"), ("--what",), ("farm.one",)], ids=" ".join)
async def test_wrong_usage_is_told(twinlog: Twinlog, arguments: tuple[str, ...]) -> None:
    ended = await twinlog("deadlines", *arguments)
    assert (ended.code, ended.out) == (2, b"")
    assert arguments[0] in ended.err
