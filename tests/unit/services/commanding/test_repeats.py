from __future__ import annotations

import asyncio

import pytest

from protocol.enforcement.auth import NOBODY
from protocol.errors import ThingConflict, ThingNotModifiable
from protocol.json import MISSING
from protocol.signals import Command, Response
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import (
    ALICE,
    BOB,
    MERGE,
    PUMP,
    WELL,
    Stage,
    command,
    create,
    outcome,
    put,
)
from tests.unit.services.commanding.test_policies import WRITER, policy

EVERY_CHANGE = {
    "create": create(attributes={"a": 1}),
    "modify of the thing": command("modify", "/", {"attributes": {"a": 2}}),
    "modify that creates": put("b", {"deep": True}),
    "modify": put("a", 2),
    "merge of the thing": command("merge", "/", {"attributes": {"a": None, "c": 3}}, headers=MERGE),
    "merge below": command("merge", "/attributes", {"c": 3}, headers=MERGE),
    "merge of the definition": command("merge", "/definition", "a:b:1", headers=MERGE),
    "delete below": command("delete", "/attributes/a"),
    "delete": command("delete"),
}


@pytest.mark.parametrize("change", EVERY_CHANGE.values(), ids=EVERY_CHANGE.keys())
async def test_a_repeat_answers_what_the_command_answered_and_appends_nothing(change: Command) -> None:
    stage = Stage()
    async with stage.service() as service:
        if change.verb != "create":
            await service.execute(create(attributes={"a": 1}), ALICE)
        first = await service.execute(change, ALICE, command_id="m-1")
        if change.verb != "delete" or change.path:
            await service.execute(put("later", 1), ALICE)
        before = await stage.store.head()
        repeat = await service.execute(change, ALICE, command_id="m-1")
    async with stage.service() as restarted:
        again = await restarted.execute(change, ALICE, command_id="m-1")
    assert without_position(repeat) == without_position(first) == without_position(again)
    assert await stage.store.head() == before


def without_position(response: Response) -> tuple[object, ...]:
    return response.entity_id, response.verb, response.path, response.status, response.value, dict(response.headers)


async def test_a_repeat_in_the_same_group_is_answered_with_the_first() -> None:
    stage = Stage()
    async with stage.service() as service:
        futures = [service.submit(create(), ALICE, command_id="m-1") for _ in range(3)]
        answers = await asyncio.gather(*futures)
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert stage.revisions() == [1]
    assert stage.store.groups == [1]


async def test_the_same_id_for_another_thing_is_another_command() -> None:
    stage = Stage()
    well = type(PUMP)("farm:well")
    async with stage.service() as service:
        await service.execute(create(), ALICE, command_id="m-1")
        await service.execute(create(well), ALICE, command_id="m-1")
    assert stage.revisions() == stage.revisions(well) == [1]


async def test_a_refused_command_leaves_no_memory() -> None:
    stage = Stage()
    async with stage.service() as service:
        assert await outcome(service.submit(put("a", 1), ALICE, command_id="m-1")) == "things:thing.notfound"
        await service.execute(create(), ALICE)
        assert (await service.execute(put("a", 1), ALICE, command_id="m-1")).status == 201


async def test_a_repeat_amid_a_group_takes_nobody_along() -> None:
    stage = Stage(limits=CommandingLimits(remembered_commands=0))
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        first = await service.execute(put("a", 1), ALICE, command_id="m-1")
        futures = [
            service.submit(put("a", 2), ALICE, command_id="m-2"),
            service.submit(put("a", 1), ALICE, command_id="m-1"),
            service.submit(put("a", 3), ALICE, command_id="m-3"),
        ]
        answers = await asyncio.gather(*futures)
    assert [answer.headers["entity-revision"] for answer in answers] == [3, 2, 4]
    assert answers[1].headers == first.headers
    assert stage.revisions() == [1, 2, 3, 4]


async def test_a_repeat_does_not_hold_up_commands_on_other_things() -> None:
    stage = Stage(limits=CommandingLimits(remembered_commands=0))
    async with stage.service() as service:
        await asyncio.gather(service.submit(create(), ALICE), service.submit(create(WELL), ALICE))
        await service.execute(put("a", 1), ALICE, command_id="m-1")
        futures = [service.submit(put("a", 1), ALICE, command_id="m-1"), service.submit(put("w", 1, WELL), ALICE)]
        assert [await outcome(future) for future in futures] == [201, 201]
    assert (stage.revisions(), stage.revisions(WELL)) == ([1, 2], [1, 2])


async def test_who_may_not_execute_a_command_does_not_learn_its_answer() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE, command_id="m-1")
        with pytest.raises(ThingNotModifiable):
            await service.execute(create(), NOBODY, command_id="m-1")
        with pytest.raises(ThingConflict):
            await service.execute(create(), BOB, command_id="m-1")


@pytest.mark.parametrize("together", [True, False], ids=["in one group", "later"])
@pytest.mark.parametrize("remembered", [0, 100])
async def test_the_same_id_from_somebody_else_does_not_get_around_the_policy(together: bool, remembered: int) -> None:
    stage = Stage(limits=CommandingLimits(remembered_commands=remembered))
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        first = service.submit(put("secret", 1234), ALICE, command_id="m-1")
        if not together:
            assert (await first).value == 1234
        assert await outcome(service.submit(put("secret", 1), BOB, command_id="m-1")) == "things:thing.notfound"
        assert (await first).value == 1234
        entry = service.submit(policy("modify", "/entries/user", WRITER, policy_id=PUMP), ALICE)
        again = service.submit(put("secret", 1), BOB, command_id="m-1")
        await entry
        told = await again
        assert (told.status, told.value, "etag" in told.headers) == (201, MISSING, False)
    assert stage.revisions() == [1, 2]


async def test_two_with_the_same_id_who_both_may_are_one_command() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await service.execute(policy("modify", "/entries/user", WRITER, policy_id=PUMP), ALICE)
        futures = [service.submit(put("secret", n), who, command_id="m-1") for n, who in ((1, ALICE), (2, BOB))]
        first, second = await asyncio.gather(*futures)
    assert (first.value, second.value, second.status) == (1, MISSING, 201)
    assert stage.revisions() == [1, 2]


async def test_a_create_without_an_id_conflicts_with_itself() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        with pytest.raises(ThingConflict):
            await service.execute(create(), ALICE)
