from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from pamqp.commands import Basic

from protocol.errors import GatewayServiceUnavailable, ThingNotFound
from protocol.signals import Command
from services.amqp.acknowledges import NobodyAsked
from services.amqp.channels import Delivery
from services.amqp.connection import Backoff
from services.amqp.envelopes import DittoMapper
from services.amqp.fakes import Answer, Desk, ScriptedCommanding, Submission, done
from services.amqp.identity import Identity
from services.amqp.intake import Intake, Patience
from services.amqp.meters import Meters
from services.metrics import Metrics

AT_ONCE = Patience(attempts=2, backoff=Backoff(first=0.0, longest=0.0))
SECRET = "postgresql://twinlog:hunter2@db/twinlog"


@dataclass
class Stage:
    """An intake with commanding that answers as told, and a desk where everything ends up."""

    commanding: ScriptedCommanding
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.intake = Intake(
            commanding=self.commanding,
            acknowledging=NobodyAsked(),
            mapper=DittoMapper(),
            identity=Identity(known={"device": ("amqp:device",)}),
            dead_letters=self.desk,
            meters=Meters(Metrics()),
            patience=AT_ONCE,
            name="test",
        )
        self.intake.attach(self.desk, self.desk)

    def deliver(self, tag: int, *, thing: str = "lamp", user_id: str | None = "device", body: bytes = b"") -> None:
        topic = f"ns/{thing}/things/twin/commands/modify"
        envelope = {"topic": topic, "path": "/attributes/a", "value": tag}
        properties = Basic.Properties(user_id=user_id, reply_to="answers")
        self.intake.deliver(
            Delivery(
                tag=tag,
                redelivered=False,
                exchange="twinlog.commands",
                routing_key="device",
                properties=properties,
                body=body or orjson.dumps(envelope),
            )
        )

    async def answers(self, tag: int) -> list[dict[str, Any]]:
        """The answers up to this delivery, which has been acknowledged."""
        await self.desk.settlement(tag)
        return [orjson.loads(answer) for answer in self.desk.answers]

    @property
    def executed(self) -> list[str]:
        """The things that commands were submitted for, in order."""
        signals = [submission.signal for submission in self.commanding.submissions]
        return [signal.entity_id.name for signal in signals if isinstance(signal, Command)]


def stage(answer: Answer = done) -> Stage:
    return Stage(ScriptedCommanding(answer))


async def test_a_command_is_answered_and_then_acknowledged() -> None:
    there = stage(lambda _: None)
    there.deliver(1)
    assert there.desk.settled == 0
    there.commanding.submissions[0].succeed()
    assert [answer["status"] for answer in await there.answers(1)] == [204]
    assert not there.desk.dead_letters


async def test_a_later_answer_acknowledges_nothing_earlier() -> None:
    there = stage(lambda _: None)
    there.deliver(1)
    there.deliver(2)
    there.commanding.submissions[1].succeed()
    there.commanding.submissions[0].succeed()
    assert len(await there.answers(2)) == 2


async def test_a_command_refused_for_good_is_answered_and_put_aside() -> None:
    there = stage(lambda submission: ThingNotFound(str(submission.signal)))
    there.deliver(1)
    assert [answer["status"] for answer in await there.answers(1)] == [404]
    assert [type(error) for error in there.desk.dead_letters] == [ThingNotFound]


@pytest.mark.parametrize("body", [b"no json", b'{"topic": 7}', b"{}"])
async def test_a_message_that_cannot_be_read_is_put_aside(body: bytes) -> None:
    there = stage()
    there.deliver(1, body=body)
    await there.desk.settlement(1)
    assert len(there.desk.dead_letters) == 1
    assert not there.executed


async def test_a_sender_whom_nobody_vouches_for_is_put_aside_and_not_executed() -> None:
    there = stage()
    there.deliver(1, user_id=None)
    await there.desk.settlement(1)
    assert [error.status for error in there.desk.dead_letters] == [401]
    assert not there.executed


async def test_a_service_that_is_busy_makes_everything_wait_in_order() -> None:
    errors = [GatewayServiceUnavailable("Busy.")]
    there = stage(lambda submission: errors.pop() if errors else done(submission))
    there.deliver(1, thing="a")
    await asyncio.wait({there.commanding.submissions[0].future})
    there.deliver(2, thing="b")
    there.deliver(3, thing="c")
    assert there.executed == ["a"]
    assert [answer["status"] for answer in await there.answers(3)] == [204, 204, 204]
    assert there.executed == ["a", "a", "b", "c"]
    assert not there.desk.dead_letters


async def test_a_defect_is_tried_again_and_then_put_aside_and_tells_the_sender_no_detail() -> None:
    def crash(submission: Submission) -> None:
        submission.future.set_exception(RuntimeError(SECRET))

    there = stage(crash)
    there.deliver(1)
    answers = await there.answers(1)
    assert [answer["status"] for answer in answers] == [500]
    assert SECRET not in str(answers)
    assert there.executed == ["lamp"] * (1 + AT_ONCE.attempts)
    assert len(there.desk.dead_letters) == 1


async def test_nothing_is_acknowledged_after_the_channel_has_gone() -> None:
    there = stage(lambda _: None)
    there.deliver(1)
    there.intake.close()
    there.commanding.submissions[0].succeed()
    await there.commanding.submissions[0].future
    await there.intake.drain()
    assert (there.desk.settled, there.desk.answers) == (0, [])


async def test_a_drain_waits_for_what_was_submitted_and_takes_nothing_more() -> None:
    there = stage()
    there.deliver(1)
    await there.intake.drain()
    there.deliver(2)
    assert there.desk.settled == 1
    assert there.executed == ["lamp"]
