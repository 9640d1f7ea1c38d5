from __future__ import annotations

import asyncio

import pytest

from protocol.errors import HeaderInvalid, PreconditionNotModified, ThingHistoryNotFound
from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonValue
from protocol.signals import Command, RetrieveThings
from tests.unit.services.commanding.stage import ALICE, PUMP, WELL, Stage, command, create, get, put, until


async def test_a_read_under_the_lease_is_answered_before_it_returns() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        loads = len(stage.twins.loads)
        assert service.submit(get(), ALICE).result().value == {"thingId": PUMP, "policyId": PUMP}
        assert len(stage.twins.loads) == loads


async def test_a_read_without_the_lease_compares_with_the_log() -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        assert (await here.execute(get(), ALICE)).headers["entity-revision"] == 1
        await there.execute(put("a", 1), ALICE)
        assert (await here.execute(get(), ALICE)).headers["entity-revision"] == 2


async def test_a_new_epoch_of_the_lease_trusts_nothing_from_before() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as here, stage.service() as there:
        await here.execute(create(), ALICE)
        stage.lease.give_up()
        await there.execute(put("a", 1), ALICE)
        stage.lease.take()
        assert (await here.execute(get("/attributes/a"), ALICE)).value == 1


async def test_reads_share_one_look_at_the_log() -> None:
    stage = Stage()
    async with stage.service() as service:
        things = [ThingId(f"farm:t{number}") for number in range(20)]
        await asyncio.gather(*(service.submit(create(thing_id), ALICE) for thing_id in things))
        loads = len(stage.twins.loads)
        await asyncio.gather(*(service.submit(get("/", thing_id), ALICE) for thing_id in things))
        assert stage.twins.loads[loads:] == [40]


async def test_a_group_of_writes_needs_one_look_at_the_log() -> None:
    stage = Stage()
    async with stage.service() as service:
        things = [ThingId(f"farm:t{number}") for number in range(20)]
        await asyncio.gather(*(service.submit(create(thing_id), ALICE) for thing_id in things))
        await asyncio.gather(*(service.submit(put("a", 1, thing_id), ALICE) for thing_id in things))
    assert stage.twins.loads == [40, 40]


async def test_a_read_stays_behind_a_write_of_the_same_thing_and_passes_others() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(WELL), ALICE)
        stage.store.gate.clear()
        write, behind = service.submit(create(), ALICE), service.submit(get(), ALICE)
        await until(lambda: stage.store.waiting == 1)
        assert service.submit(get("/", WELL), ALICE).done()
        assert not behind.done()
        stage.store.gate.set()
        await write
        assert (await behind).value == {"thingId": PUMP, "policyId": PUMP}


async def test_a_read_whose_policy_is_being_changed_asks_the_log_about_the_policy() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.store.gate.clear()
        entry: JsonValue = {"subjects": {"test:bob": {"type": "t"}}, "resources": {}}
        change = Command(entity_id=PolicyId(PUMP), verb="modify", path=("entries", "app"), value=entry)
        write = service.submit(change, ALICE)
        await until(lambda: stage.store.waiting == 1)
        loads = len(stage.twins.loads)
        assert (await service.execute(get(), ALICE)).status == 200
        assert stage.twins.loads[loads:] == [1]
        stage.store.gate.set()
        assert (await write).status == 201


async def test_many_things_come_in_the_order_asked_for_without_the_missing() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await service.execute(create(WELL), ALICE)
        asked = (WELL, ThingId("farm:none"), PUMP)
        loads = len(stage.twins.loads)
        response = await service.execute(RetrieveThings(thing_ids=asked, fields="thingId,_revision"), ALICE)
        assert len(stage.twins.loads) == loads + 1
    assert response.value == [{"thingId": WELL, "_revision": 1}, {"thingId": PUMP, "_revision": 1}]
    assert response.entity_id == "_:_"


async def test_many_things_under_the_lease_come_from_memory() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        assert service.submit(RetrieveThings(thing_ids=(PUMP,)), ALICE).done()


async def test_things_are_listed_by_namespace_in_order() -> None:
    stage = Stage()
    async with stage.service() as service:
        for thing_id in (WELL, PUMP, ThingId("other:thing")):
            await service.execute(create(thing_id), ALICE)
        await service.execute(command("delete", thing_id=PUMP), ALICE)
        assert await service.list_things(ALICE, namespaces=("farm",), fields="thingId") == [{"thingId": WELL}]
        assert len(await service.list_things(ALICE)) == 2
        assert await service.list_things(ALICE, after=ThingId("other:thing")) == []


async def test_the_policy_is_shown_when_it_is_selected() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        shown = await service.execute(command("retrieve", fields="thingId,_policy"), ALICE)
    assert isinstance(shown.value, dict)
    assert isinstance(shown.value["_policy"], dict)
    assert shown.value["_policy"]["policyId"] == PUMP


async def test_a_matching_entity_tag_is_not_modified() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        with pytest.raises(PreconditionNotModified):
            await service.execute(command("retrieve", headers={"if-none-match": '"rev:1"'}), ALICE)


async def test_a_thing_is_shown_as_it_was_at_a_revision() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(attributes={"a": 1}), ALICE)
        await service.execute(command("modify", "/attributes/a", 2, headers={"correlation-id": "c-2"}), ALICE)
        await service.execute(command("delete"), ALICE)
        await service.execute(create(policyId=PUMP, attributes={"a": 4}), ALICE)
        past = await service.execute(at("/attributes/a", **{"at-historical-revision": 2}), ALICE)
        assert (past.value, past.headers["entity-revision"]) == (2, 2)
        assert isinstance(past.headers["historical-headers"], dict)
        assert past.headers["historical-headers"]["correlation-id"] == "c-2"
        for gone in (3, 9):
            with pytest.raises(ThingHistoryNotFound):
                await service.execute(at("/", **{"at-historical-revision": gone}), ALICE)


async def test_a_thing_is_shown_as_it_was_at_a_time() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(attributes={"a": 1}), ALICE)
        stage.clock.advance(60)
        await service.execute(put("a", 2), ALICE)
        past = await service.execute(at("/attributes/a", **{"at-historical-timestamp": "2026-01-01T00:00:59Z"}), ALICE)
        assert past.value == 1
        with pytest.raises(ThingHistoryNotFound):
            await service.execute(at("/", **{"at-historical-timestamp": "2025-12-31T23:59:59Z"}), ALICE)
        with pytest.raises(HeaderInvalid):
            await service.execute(at("/", **{"at-historical-timestamp": "yesterday"}), ALICE)


def at(path: str, **headers: JsonValue) -> Command:
    return command("retrieve", path, headers=headers)


async def test_time_in_states_is_the_time_in_the_log() -> None:
    stage = Stage()
    stage.lease.take()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        stage.clock.advance(-3600)
        await service.execute(put("a", 1), ALICE)
        shown = await service.execute(command("retrieve", fields="_modified"), ALICE)
    async with stage.service() as service:
        replayed = await service.execute(command("retrieve", fields="_modified"), ALICE)
    assert shown.value == replayed.value
