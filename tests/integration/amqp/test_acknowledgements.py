"""Commands that ask for more than to be durable: answered when they have it, and nothing waits behind them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage

from eventstore.errors import StoreUnavailable
from protocol.errors import ThingNotFound
from protocol.identifiers import ThingId
from protocol.signals import Response
from services.amqp.fakes import ScriptedCommanding, Submission, done
from tests.integration.amqp.harness import comes_back, envelope, left_in_queue, new_consumer, running, take
from tests.integration.amqp.harness import field as open_field
from tests.waiting import eventually

BOTH = ["twin-persisted", "search-persisted"]


@dataclass
class Indexed:
    """A search index that shows a change when the test says so."""

    shows: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[int | None, float]] = field(default_factory=list)
    trouble: Exception | None = None

    async def persisted(self, position: int | None, seconds: float) -> bool:
        self.asked.append((position, seconds))
        if self.trouble is not None:
            raise self.trouble
        try:
            async with asyncio.timeout(seconds):
                await self.shows.wait()
        except TimeoutError:
            return False
        return True


def asking(*labels: str, **headers: object) -> bytes:
    return envelope(headers={"correlation-id": "inner", "requested-acks": list(labels), **headers})


def entries(message: dict[str, Any]) -> dict[str, object]:
    return {label: entry["status"] for label, entry in message["value"].items()}


def read(message: AbstractIncomingMessage) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(message.body)
    return found


async def test_a_change_is_answered_when_the_search_index_shows_it(amqp_url: str) -> None:
    indexed = Indexed()
    commanding = ScriptedCommanding(at(7))
    async with running(new_consumer(amqp_url, commanding, index=indexed)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        clock = asyncio.get_running_loop().time
        sent_at = clock()
        await world.send(asking("search-persisted"), reply_to="answers", correlation_id="c")
        await eventually(lambda: bool(indexed.asked), "the index is asked")
        gone = clock() - sent_at
        assert await answers.get(fail=False) is None
        indexed.shows.set()
        answer = await take(answers)

    message = read(answer)
    assert answer.correlation_id == "c"
    assert message["topic"] == "farm.one/pump-7/things/twin/acks/search-persisted"
    assert (message["status"], message["path"], "value" in message) == (204, "/", False)
    assert message["headers"]["correlation-id"] == "inner"
    assert "requested-acks" not in message["headers"]
    ((position, seconds),) = indexed.asked
    assert position == 7
    assert 60 - gone <= seconds <= 60


async def test_several_labels_are_answered_together(amqp_url: str) -> None:
    indexed = Indexed()
    indexed.shows.set()
    async with running(new_consumer(amqp_url, ScriptedCommanding(), index=indexed)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(asking(*BOTH), reply_to="answers")
        message = read(await take(answers))
    assert message["topic"] == "farm.one/pump-7/things/twin/acks"
    assert message["status"] == 200
    assert message["value"] == {label: {"status": 204, "headers": {}} for label in BOTH}
    assert message["headers"]["content-type"] == "application/json"


async def test_the_commit_alone_is_answered_as_ever(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        for labels in (["twin-persisted"], [], ["live-response"], ["live-response", "twin-persisted"]):
            await world.send(asking(*labels), reply_to="answers")
            message = read(await take(answers))
            assert message["topic"] == "farm.one/pump-7/things/twin/commands/modify"
            assert message["status"] == 204


@pytest.mark.parametrize("why", ["late", "unknown label", "no index", "no database"])
async def test_what_does_not_come_in_time_is_said_and_the_change_stands(amqp_url: str, why: str) -> None:
    indexed = Indexed(trouble=StoreUnavailable("gone") if why == "no database" else None)
    commanding = ScriptedCommanding()
    consumer = new_consumer(amqp_url, commanding, index=None if why == "no index" else indexed)
    label = "audit:log" if why == "unknown label" else "search-persisted"
    async with running(consumer), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(asking("twin-persisted", label, timeout="300ms"), reply_to="answers")
        message = read(await take(answers))
        await world.send(asking(label, timeout="100ms"), reply_to="answers")
        single = read(await take(answers))
    assert message["status"] == 424
    assert entries(message) == {"twin-persisted": 204, label: 408}
    assert message["value"][label]["payload"]["error"] == "acknowledgement:request.timeout"
    assert (single["topic"], single["status"]) == (f"farm.one/pump-7/things/twin/acks/{label}", 408)
    assert single["value"]["error"] == "acknowledgement:request.timeout"
    assert len(commanding.submissions) == 2
    assert await left_in_queue(amqp_url) == 0
    assert await left_in_queue(amqp_url, "twinlog.dead-letters") == 0


async def test_nothing_waits_behind_commands_that_wait(amqp_url: str) -> None:
    """Twice as many as the broker gives unacknowledged wait; a later message is taken and answered nevertheless."""
    indexed = Indexed()
    consumer = new_consumer(amqp_url, ScriptedCommanding(), index=indexed, prefetch=10)
    async with running(consumer), open_field(amqp_url) as world:
        answers, others = await world.queue("answers"), await world.queue("others")
        for number in range(20):
            label = "audit:log" if number % 4 == 3 else "search-persisted"
            await world.send(asking(label, timeout="60s"), reply_to="answers", correlation_id=f"{number}")
        await world.send(envelope(), reply_to="others", correlation_id="behind")
        assert (await take(others)).correlation_id == "behind"
        await eventually(lambda: len(indexed.asked) == 15, "all are waiting")
        indexed.shows.set()
        seen = {(await take(answers)).correlation_id for _ in range(15)}
    assert seen == {f"{number}" for number in range(20) if number % 4 != 3}
    assert await left_in_queue(amqp_url) == 0


async def test_a_delivery_is_acknowledged_when_the_index_shows_the_change(amqp_url: str) -> None:
    """A broker that loses us meanwhile delivers it again, and only it: what came behind was settled by itself."""
    indexed = Indexed()
    commanding = ScriptedCommanding()
    consumer = new_consumer(amqp_url, commanding, index=indexed)
    task = asyncio.ensure_future(consumer.run())
    await eventually(lambda: consumer.ready, "the consumer consumes")
    async with open_field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(asking("search-persisted"), message_id="waits")
        await world.send(envelope(), reply_to="answers", message_id="behind")
        await take(answers)
        await eventually(lambda: bool(indexed.asked), "the index is asked")
        await world.waiting("twinlog.commands")  # a round trip: what was written before is written
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await comes_back(amqp_url, 1)
    assert [each.command_id for each in commanding.submissions] == ["waits", "behind"]


async def test_a_stop_answers_those_who_wait_and_takes_nothing_back(amqp_url: str) -> None:
    indexed = Indexed()
    async with open_field(amqp_url) as world:
        answers = await world.queue("answers")
        async with running(new_consumer(amqp_url, ScriptedCommanding(), index=indexed)):
            await world.send(asking(*BOTH), reply_to="answers")
            await eventually(lambda: bool(indexed.asked), "the index is asked")
        assert entries(read(await take(answers))) == {"twin-persisted": 204, "search-persisted": 408}
    assert await left_in_queue(amqp_url) == 0


async def test_without_a_response_nothing_is_published_and_the_delivery_is_settled(amqp_url: str) -> None:
    indexed = Indexed()
    indexed.shows.set()
    async with running(new_consumer(amqp_url, ScriptedCommanding(), index=indexed)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        quiet: dict[str, object] = {"response-required": False}
        await world.send(asking(*BOTH, **quiet), reply_to="answers")
        await world.send(envelope(headers={"timeout": "0"}), reply_to="answers")
        await world.send(envelope(), reply_to="answers", correlation_id="last")
        assert (await take(answers)).correlation_id == "last"
    assert await left_in_queue(amqp_url) == 0


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"requested-acks": ["a b"]}, 400, "acknowledgement:label.invalid"),
        ({"requested-acks": ["audit:log"], "timeout": "0"}, 400, "header.invalid"),
        ({"timeout": "0", "response-required": True}, 400, "header.invalid"),
        ({"timeout": "2h"}, 400, "gateway:timeout.invalid"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused_before_anything_is_changed(
    amqp_url: str, headers: dict[str, object], status: int, code: str
) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(headers=headers), reply_to="answers")
        message = read(await take(answers))
    assert (message["status"], message["value"]["error"]) == (status, code)
    assert commanding.submissions == []


async def test_an_error_of_the_command_is_answered_instead(amqp_url: str) -> None:
    indexed = Indexed()
    from_nobody = ScriptedCommanding(lambda _: None)
    async with running(new_consumer(amqp_url, from_nobody, index=indexed)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(asking(*BOTH), reply_to="answers")
        await eventually(lambda: bool(from_nobody.submissions), "it is submitted")
        from_nobody.submissions[0].future.set_exception(missing())
        message = read(await take(answers))
    assert message["topic"] == "farm.one/pump-7/things/twin/errors"
    assert message["status"] == 404
    assert indexed.asked == []


def missing() -> Exception:
    return ThingNotFound(ThingId("farm.one:pump-7"))


def at(position: int) -> Callable[[Submission], Response]:
    return lambda submission: replace(done(submission), position=position)


@pytest.mark.parametrize(
    "topic",
    [
        "farm.one/pump/things/twin/commands/retrieve",
        "_/_/things/twin/commands/retrieve",
        "farm.one/pump/policies/commands/retrieve",
        "farm.one/pump/policies/commands/delete",
    ],
)
async def test_a_response_cannot_be_waited_for_no_time(amqp_url: str, topic: str) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), open_field(amqp_url) as world:
        answers = await world.queue("answers")
        asked = {"topic": topic, "path": "/", "headers": {"timeout": "0"}, "value": {"thingIds": ["farm.one:pump"]}}
        await world.send(orjson.dumps(asked), reply_to="answers")
        message = read(await take(answers))
    assert (message["status"], message["value"]["error"]) == (400, "header.invalid")
    assert commanding.submissions == []
