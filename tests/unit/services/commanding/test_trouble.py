from __future__ import annotations

import asyncio

import pytest

from services.commanding.errors import Contested, OutcomeUnknown, Overloaded, Stopping, StoreDown
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import ALICE, PUMP, WELL, Stage, command, create, get, outcome, put, until
from tests.unit.services.commanding.troubled import RivalledStore, Trouble


async def test_a_command_overtaken_by_another_process_is_decided_again_on_what_that_left() -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        stage.store.gate.clear()
        late = here.submit(put("a", "here"), ALICE)
        await until(lambda: stage.store.waiting == 1)
        early = there.submit(put("a", "there"), ALICE)
        await until(lambda: stage.store.waiting == 2)
        stage.store.gate.set()
        statuses = sorted([(await early).status, (await late).status])
    assert statuses == [201, 204]
    assert stage.revisions() == [1, 2, 3]


async def test_only_the_overtaken_and_what_builds_on_them_are_decided_again() -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as there:
        await asyncio.gather(here.submit(create(), ALICE), here.submit(create(WELL), ALICE))
        await here.execute(get(), ALICE)
        stage.store.gate.clear()
        blocker = here.submit(put("b", 0, WELL), ALICE)
        await until(lambda: stage.store.waiting == 1)
        group = [
            here.submit(each, ALICE)
            for each in (put("a", 1), put("w", 1, WELL), put("a", 2), get("/attributes/w", WELL))
        ]
        stage.store.gate.set()
        await blocker
        await there.execute(put("a", 0), ALICE)
        results = [await outcome(future) for future in group]
    assert results[1:] == [201, 204, 200]
    assert results[0] in (201, 204)
    assert stage.revisions() == [1, 2, 3, 4]
    assert stage.revisions(WELL) == [1, 2, 3]


async def test_commands_that_are_overtaken_every_time_are_executed_while_nobody_else_can_append() -> None:
    store = RivalledStore()
    stage = Stage(store=store)
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await service.execute(create(WELL), ALICE)
        store.rivalled = True
        group = [
            service.submit(each, ALICE, command_id=command_id)
            for each, command_id in (
                (put("a", 1), "m-1"),
                (put("a", 2), "m-2"),
                (get("/attributes/a"), None),
                (put("a", 1), "m-1"),
                (put("w", 1, WELL), None),
                (command("delete", "/attributes/none"), None),
            )
        ]
        results = [await outcome(future) for future in group]
    assert results == [201, 204, 200, 201, 201, "things:attribute.notfound"]
    assert group[2].result().value == 2
    assert store.alone == 1
    assert [event.path for event in store.events(f"thing:{PUMP}")[-2:]] == ["/attributes/a"] * 2
    assert stage.revisions() == list(range(1, len(stage.revisions()) + 1))


async def test_what_was_cancelled_before_it_was_decided_alone_is_not_executed() -> None:
    store = RivalledStore()
    stage = Stage(store=store)
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        store.rivalled = True
        store.gate.clear()
        blocker = service.submit(put("a", 1), ALICE)
        await until(lambda: store.waiting == 1)
        given_up, kept = service.submit(put("b", 1), ALICE), service.submit(put("c", 1), ALICE)
        given_up.cancel()
        store.gate.set()
        assert [await outcome(blocker), await outcome(kept)] == [201, 201]
    assert "/attributes/b" not in [event.path for event in store.events(f"thing:{PUMP}")]


async def test_a_store_that_is_away_while_others_are_kept_from_it_is_told_as_ever() -> None:
    stage = Stage(limits=CommandingLimits(attempts_beside_others=0, store_seconds=2))
    async with stage.service() as service:
        stage.twins.down = True
        assert await outcome(service.submit(create(), ALICE)) == StoreDown.code
        stage.twins.down = False
        assert await outcome(service.submit(create(), ALICE)) == 201
    assert stage.store.groups == []


@pytest.mark.parametrize("trouble", ["down", "lost before", "lost after"])
async def test_an_append_lost_while_others_are_kept_from_it_takes_effect_exactly_once(trouble: Trouble) -> None:
    stage = Stage(limits=CommandingLimits(attempts_beside_others=0, store_seconds=2))
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.troubles.append(trouble)
        assert await outcome(service.submit(put("a", 1), ALICE)) == 201
    assert stage.revisions() == [1, 2]


async def test_a_command_that_is_overtaken_every_time_is_refused_in_the_end() -> None:
    stage = Stage(limits=CommandingLimits(attempts_max=1))
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        stage.store.gate.clear()
        one = here.submit(put("a", 1), ALICE)
        other = there.submit(put("a", 2), ALICE)
        await until(lambda: stage.store.waiting == 2)
        stage.store.gate.set()
        results = [await outcome(one), await outcome(other)]
    assert sorted(map(str, results)) == ["201", Contested.code]
    assert stage.revisions() == [1, 2]


@pytest.mark.parametrize("trouble", ["lost before", "lost after"])
@pytest.mark.parametrize("command_id", [None, "m-1"])
@pytest.mark.parametrize("held", [False, True])
async def test_a_lost_append_takes_effect_exactly_once(trouble: str, command_id: str | None, held: bool) -> None:
    stage = Stage()
    if held:
        stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.troubles.append(trouble)  # type: ignore[arg-type]  # one of the literals
        group = [service.submit(put("a", 1), ALICE, command_id=command_id), service.submit(put("b", 1), ALICE)]
        answers = await asyncio.gather(*group)
        assert [answer.headers["entity-revision"] for answer in answers] == [2, 3]
        assert (await service.execute(get("/attributes"), ALICE)).value == {"a": 1, "b": 1}
    assert stage.revisions() == [1, 2, 3]


async def test_a_lost_append_whose_store_stays_away_is_said_to_be_unknown() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.troubles.append("lost after")
        stage.store.troubles.extend(["down"] * 20)
        with pytest.raises(OutcomeUnknown):
            await service.execute(put("a", 1), ALICE, command_id="m-1")
        stage.store.troubles.clear()
        assert (await service.execute(get("/attributes/a"), ALICE)).value == 1
        assert (await service.execute(put("a", 1), ALICE, command_id="m-1")).status == 201
    assert stage.revisions() == [1, 2]


async def test_a_lost_append_that_somebody_overtook_is_decided_again() -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        stage.store.gate.clear()
        lost = here.submit(put("a", 1), ALICE)
        await until(lambda: stage.store.waiting == 1)
        stage.store.troubles.append("lost before")
        other = there.submit(put("a", 2), ALICE)
        await until(lambda: stage.store.waiting == 2)
        stage.store.gate.set()
        await asyncio.gather(lost, other)
    assert stage.revisions() == [1, 2, 3]


async def test_stopping_finishes_what_was_taken_and_takes_no_more() -> None:
    stage = Stage(limits=CommandingLimits(group_max=2))
    async with stage.service() as service:
        futures = [service.submit(create(), ALICE), *(service.submit(put("a", number), ALICE) for number in range(5))]
        stopped = asyncio.create_task(service.stop(5))
        await asyncio.sleep(0)
        with pytest.raises(Stopping):
            service.submit(get(), ALICE)
        await stopped
        assert [future.done() for future in futures] == [True] * 6
        assert {await outcome(future) for future in futures} == {201, 204}


async def test_stopping_answers_what_it_could_not_finish() -> None:
    stage = Stage()
    async with stage.service() as service:
        stage.store.gate.clear()
        on_its_way = service.submit(create(), ALICE)
        await until(lambda: stage.store.waiting == 1)
        waiting = service.submit(put("a", 1), ALICE)
        await service.stop(0.01)
        assert isinstance(on_its_way.exception(), OutcomeUnknown)
        assert isinstance(waiting.exception(), Stopping)


async def test_the_bound_counts_everything_that_waits() -> None:
    stage = Stage(limits=CommandingLimits(queue_max=2))
    async with stage.service() as service:
        taken = [service.submit(get(), ALICE), service.submit(create(WELL), ALICE)]
        with pytest.raises(Overloaded):
            service.submit(create(), ALICE)
        assert [await outcome(future) for future in taken] == ["things:thing.notfound", 201]


@pytest.mark.parametrize("trouble", [["down"], ["lost before", *["down"] * 20]])
async def test_nothing_ordered_overtakes_a_command_that_could_not_be_executed(trouble: list[Trouble]) -> None:
    stage = Stage()
    async with stage.service() as service:
        stage.store.troubles.extend(trouble)
        first = service.submit(create(), ALICE, ordered=True)
        await until(lambda: stage.store.groups == [1])
        behind = [service.submit(put("a", number), ALICE, ordered=True) for number in range(3)]
        aside = service.submit(create(WELL), ALICE, ordered=True)
        late = []
        first.add_done_callback(lambda _: late.append(service.submit(put("b", 1), ALICE, ordered=True)))
        first_outcome = await outcome(first)
        stage.store.troubles.clear()
        assert [first_outcome, *[await outcome(future) for future in (*behind, *late)]] == [StoreDown.code] * 5
        assert await outcome(aside) == 201
        again = [service.submit(each, ALICE, ordered=True) for each in (create(), *(put("a", n) for n in range(3)))]
        assert [await outcome(future) for future in again] == [201, 201, 204, 204]
        assert (await service.execute(get("/attributes/a"), ALICE)).value == 2


async def test_a_command_that_is_not_ordered_waits_for_nobody() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.troubles.append("down")
        first = service.submit(put("a", 1), ALICE, ordered=True)
        await until(lambda: len(stage.store.groups) == 2)
        other = service.submit(put("a", 2), ALICE)
        assert [await outcome(first), await outcome(other)] == [StoreDown.code, 201]


async def test_ordered_commands_fall_behind_one_that_others_were_faster_than() -> None:
    stage = Stage(limits=CommandingLimits(attempts_max=1))
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        stage.store.gate.clear()
        blocker = here.submit(put("x", 1), ALICE)
        await until(lambda: stage.store.waiting == 1)
        contested = [here.submit(put("a", number), ALICE, ordered=True) for number in range(3)]
        there_too = there.submit(put("a", 9), ALICE)
        await until(lambda: stage.store.waiting == 2)
        stage.store.gate.set()
        results = [await outcome(future) for future in (*contested, blocker, there_too)]
        codes = {Contested.code, 201, 204}
        assert set(results) <= codes
        refused = [result == Contested.code for result in results[:3]]
        assert refused == sorted(refused), "what comes behind a refused command is refused, too"
