"""Two services, one log, lost and refused appends in any order: each command takes effect as it was answered."""

from __future__ import annotations

import asyncio
import random

import pytest

from protocol.signals import Command, Response
from services.commanding.commanding import Commanding
from services.commanding.errors import Contested, OutcomeUnknown, StoreDown
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import ALICE, PUMP, WELL, Stage, create, get, put
from tests.unit.services.commanding.troubled import Trouble

TROUBLES: list[Trouble | None] = ["down", "lost before", "lost after", "unstorable", None, None, None]


@pytest.mark.parametrize("seed", range(25))
async def test_every_command_takes_effect_exactly_as_it_was_answered(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a repeatable choice
    limits = CommandingLimits(
        resolve_seconds=0.1, group_max=dice.choice([1, 3, 20]), attempts_beside_others=dice.choice([0, 1, 2])
    )
    stage = Stage(limits=limits)
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        await there.execute(create(WELL), ALICE)
        answers: dict[str, list[Response | BaseException]] = {}
        for turn in range(12):
            if trouble := dice.choice(TROUBLES):
                stage.store.troubles.append(trouble)
            batch = [(f"m-{turn}-{number}", dice.choice([PUMP, WELL])) for number in range(dice.randint(1, 6))]
            sent = [(name, put(name, turn, thing), dice.choice([here, there])) for name, thing in batch]
            sent += [(name, again, dice.choice([here, there])) for name, again, _ in sent if dice.random() < 0.3]
            for name, answer in await submitted(sent):
                answers.setdefault(name, []).append(answer)
        stage.store.troubles.clear()
        shown = [
            await service.execute(get("/attributes", thing), ALICE)
            for service in (here, there)
            for thing in (PUMP, WELL)
        ]
    check(stage, answers)
    assert shown[0].value == shown[2].value
    assert shown[1].value == shown[3].value
    assert stage.revisions() == list(range(1, len(stage.revisions()) + 1))


async def submitted(sent: list[tuple[str, Command, Commanding]]) -> list[tuple[str, Response | BaseException]]:
    futures = [service.submit(command, ALICE, command_id=name) for name, command, service in sent]
    answers = await asyncio.gather(*futures, return_exceptions=True)
    return [(name, answer) for (name, _, _), answer in zip(sent, answers, strict=True)]


def check(stage: Stage, answers: dict[str, list[Response | BaseException]]) -> None:
    recorded = [event for thing in (PUMP, WELL) for event in stage.store.events(f"thing:{thing}") if event.command_id]
    events = {event.command_id: event for event in recorded}
    assert len(events) == len(recorded)
    for name, given in answers.items():
        done = [answer for answer in given if isinstance(answer, Response)]
        failed = [answer for answer in given if not isinstance(answer, Response)]
        for answer in done:
            assert answer.headers["entity-revision"] == events[name].revision
            assert answer.position == events[name].position
        for error in failed:
            assert getattr(error, "code", None) in {StoreDown.code, Contested.code, "json.invalid"}, error
        if not done and not any(isinstance(error, OutcomeUnknown) for error in failed):
            assert name not in events
