from __future__ import annotations

import asyncio

import pytest

from protocol.errors import DittoError, ThingConflict, ThingNotFound
from protocol.json import JsonObject
from services.commanding.commanding import Commanding
from services.commanding.errors import Overloaded, StoreDown, Withdrawn
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import (
    ALICE,
    PUMP,
    WELL,
    Stage,
    command,
    create,
    get,
    outcome,
    put,
    until,
)


async def test_a_created_thing_comes_with_its_policy_in_one_append() -> None:
    stage = Stage()
    async with stage.service() as service:
        response = await service.execute(create(attributes={"a": 1}), ALICE)
    assert (response.status, response.verb, response.position) == (201, "create", 2)
    assert response.value == {"thingId": PUMP, "policyId": PUMP, "attributes": {"a": 1}}
    assert stage.store.groups == [1]
    assert [event.type for event in stage.store.events(f"policy:{PUMP}")] == ["created"]


async def test_an_idle_service_appends_each_command_alone() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await service.execute(put("a", 1), ALICE)
        await service.execute(put("a", 2), ALICE)
    assert stage.store.groups == [1, 1, 1]


async def test_commands_gather_while_an_append_is_in_flight() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.gate.clear()
        first = service.submit(put("a", 0), ALICE)
        await until(lambda: stage.store.waiting == 1)
        rest = [service.submit(put("a", number), ALICE) for number in range(1, 50)]
        stage.store.gate.set()
        await asyncio.gather(first, *rest)
    assert stage.store.groups == [1, 1, 49]
    assert stage.revisions() == list(range(1, 52))


async def test_a_group_is_bounded() -> None:
    stage = Stage(limits=CommandingLimits(group_max=10))
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await asyncio.gather(*(service.submit(put("a", number), ALICE) for number in range(25)))
    assert stage.store.groups == [1, 10, 10, 5]


async def test_commands_on_one_thing_are_decided_on_what_the_earlier_ones_left() -> None:
    stage = Stage()
    async with stage.service() as service:
        futures = [
            service.submit(each, ALICE)
            for each in (create(), put("a", 1), put("a", 2), get("/attributes/a"), command("delete"), put("a", 3))
        ]
        results = [await outcome(future) for future in futures]
    assert results == [201, 201, 204, 200, 204, ThingNotFound.code]
    assert futures[3].result().value == 2
    assert stage.store.groups == [4]


async def test_a_refused_command_disturbs_nobody() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        futures = [service.submit(each, ALICE) for each in (put("a", 1), create(), put("x", 1, WELL), put("b", 2))]
        results = [await outcome(future) for future in futures]
    assert results == [201, ThingConflict.code, ThingNotFound.code, 201]
    assert stage.revisions() == [1, 2, 3]


async def test_a_refusal_on_what_the_group_itself_makes_waits_for_the_commit() -> None:
    stage = Stage()
    async with stage.service() as service:
        stage.store.gate.clear()
        first, second = service.submit(create(), ALICE), service.submit(create(), ALICE)
        alien = service.submit(put("x", 1, WELL), ALICE)
        assert await outcome(alien) == ThingNotFound.code
        assert not second.done()
        stage.store.gate.set()
        assert [await outcome(first), await outcome(second)] == [201, ThingConflict.code]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    stage = Stage(limits=CommandingLimits(queue_max=3))
    async with stage.service() as service:
        taken = [service.submit(put("a", number), ALICE) for number in range(3)]
        with pytest.raises(Overloaded) as refused:
            service.submit(put("a", 3), ALICE)
        assert refused.value.status == 503
        assert refused.value.headers["retry-after"] == 1
        assert {await outcome(future) for future in taken} == {ThingNotFound.code}
        assert await outcome(service.submit(create(), ALICE)) == 201


async def test_a_command_that_waits_too_long_is_withdrawn_without_effect() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.gate.clear()
        first = service.submit(put("a", 1), ALICE)
        await until(lambda: stage.store.waiting == 1)
        with pytest.raises(Withdrawn) as late:
            await service.execute(put("a", 2), ALICE, timeout=0.01)
        stage.store.gate.set()
        await first
        assert (await service.execute(get("/attributes/a"), ALICE)).value == 1
    assert (late.value.status, late.value.code) == (408, "command.timeout")
    assert stage.revisions() == [1, 2]


async def test_a_command_in_an_append_is_waited_for_beyond_its_timeout() -> None:
    stage = Stage()
    async with stage.service() as service:
        stage.store.gate.clear()
        task = asyncio.create_task(service.execute(create(), ALICE, timeout=1.0))
        await until(lambda: stage.store.waiting == 1)
        await asyncio.wait((task,), timeout=1.1)
        assert not task.done()
        stage.store.gate.set()
        assert (await task).status == 201


async def test_a_cancelled_waiter_withdraws_what_waits_and_drops_what_is_on_its_way() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.gate.clear()
        on_its_way = service.submit(put("a", 1), ALICE)
        await until(lambda: stage.store.waiting == 1)
        waiting = service.submit(put("b", 1), ALICE)
        on_its_way.cancel()
        waiting.cancel()
        stage.store.gate.set()
        thing = (await service.execute(get("/attributes"), ALICE)).value
    assert thing == {"a": 1}


async def test_nobody_may_do_nothing() -> None:
    stage = Stage()
    nobody = type(ALICE)(subjects=())
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        results = [await outcome(service.submit(each, nobody)) for each in (get(), put("a", 1), create(WELL))]
    assert results == ["things:thing.notfound", "things:thing.notmodifiable", "things:thing.notmodifiable"]


async def test_an_unavailable_store_is_503_and_recovers_without_a_restart() -> None:
    stage = Stage()
    async with stage.service() as service:
        stage.store.troubles.append("down")
        with pytest.raises(StoreDown) as down:
            await service.execute(create(), ALICE)
        stage.twins.down = True
        with pytest.raises(StoreDown):
            await service.execute(get(), ALICE)
        stage.twins.down = False
        assert (await service.execute(create(), ALICE)).status == 201
    assert down.value.status == 503


async def test_what_the_store_cannot_keep_is_refused_alone() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        poison = command("modify", "/attributes/a", 1, headers={"custom": "\x00"})
        stage.store.troubles.extend(("unstorable", "unstorable"))
        futures = [service.submit(each, ALICE) for each in (poison, put("b", 1))]
        results = [await outcome(future) for future in futures]
    assert results == ["json.invalid", 201]
    assert stage.revisions() == [1, 2]


async def test_events_say_who_and_in_which_context() -> None:
    stage = Stage()
    async with stage.service() as service:
        headers: JsonObject = {
            "correlation-id": "c-1",
            "my-header": "kept",
            "if-equal": "update",
            "response-required": False,
        }
        await service.execute(create(), ALICE)
        await service.execute(command("modify", "/attributes/a", 1, headers=headers), ALICE, command_id="m-1")
    event = stage.store.events(f"thing:{PUMP}")[-1]
    assert event.command_id == "m-1"
    for expected in (b'"correlation-id":"c-1"', b'"my-header":"kept"', b'"ditto-originator":"test:alice"'):
        assert expected in event.headers
    assert b"if-equal" not in event.headers
    assert b'"ditto-causation":"thing:farm:pump@1"' in stage.store.events(f"policy:{PUMP}")[0].headers


async def test_followers_hear_of_a_group_before_its_commands_are_answered() -> None:
    stage = Stage()
    heard: list[int] = []
    async with Commanding(
        store=stage.store,
        twins=stage.twins,
        sole_writer=stage.lease,
        clock=stage.clock,
        appended=lambda events: heard.extend(event.position for event in events),
    ) as service:
        await service.execute(create(), ALICE)
        assert heard == [1, 2]


async def test_answers_are_counted_by_edge_verb_and_outcome() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE, edge="amqp")
        with pytest.raises(DittoError):
            await service.execute(create(), ALICE, edge="amqp")
        await service.execute(get(), ALICE, edge="http")
        counted = service.metrics.registry.get_sample_value
        for edge, verb, result in (
            ("amqp", "create", "done"),
            ("amqp", "create", "refused"),
            ("http", "retrieve", "done"),
        ):
            labels = {"edge": edge, "verb": verb, "outcome": result}
            assert counted("twinlog_commands_total", labels) == 1
        assert counted("twinlog_events_appended_total") == 2
        assert counted("twinlog_command_seconds_count") == 3
