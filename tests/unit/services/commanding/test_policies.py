"""Policies as entities, and how the next command already obeys them, in every process."""

from __future__ import annotations

import asyncio

import pytest

from protocol.errors import DittoError
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import parse_policy_path
from protocol.signals import Command, RetrieveThings, Verb
from services.commanding.commanding import Commanding
from tests.unit.services.commanding.stage import (
    ALICE,
    BOB,
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

SHARED = PolicyId("farm:shared")


def policy(verb: Verb, path: str = "/", value: JsonValue | Missing = MISSING, **more: JsonValue) -> Command:
    policy_id = PolicyId(str(more.pop("policy_id", SHARED)))
    headers = {name.replace("_", "-"): header for name, header in more.items()}
    return Command(entity_id=policy_id, verb=verb, path=parse_policy_path(path), value=value, headers=headers)


def entry(subject: str, resources: JsonObject, **more: JsonValue) -> JsonObject:
    rights: JsonObject = {key: {"grant": grant, "revoke": []} for key, grant in resources.items()}
    return {"subjects": {subject: {"type": "t"}}, "resources": rights, "importable": "implicit", **more}


OWNED: JsonObject = {
    "entries": {"owner": entry("test:alice", {"thing:/": ["READ", "WRITE"], "policy:/": ["READ", "WRITE"]})}
}
READER = entry("test:bob", {"thing:/attributes/open": ["READ"]})
WRITER = entry("test:bob", {"thing:/": ["READ", "WRITE"]})


async def status(service: Commanding, command: Command, who: object = ALICE) -> object:
    return await outcome(service.submit(command, BOB if who is BOB else ALICE))


async def test_policies_are_created_read_changed_and_deleted() -> None:
    stage = Stage()
    async with stage.service() as service:
        made = await service.execute(policy("create", "/", OWNED), ALICE)
        assert (made.status, made.headers) == (201, {"entity-revision": 1, "etag": '"rev:1"'})
        assert await status(service, policy("modify", "/entries/user", READER)) == 201
        assert (await service.execute(policy("retrieve", "/entries/user"), ALICE)).value == READER
        assert await status(service, policy("delete", "/entries/user")) == 204
        past = await service.execute(policy("retrieve", "/entries", at_historical_revision=2), ALICE)
        assert isinstance(past.value, dict)
        assert set(past.value) == {"owner", "user"}
        assert await status(service, policy("delete")) == 204
        assert await status(service, policy("retrieve")) == "policies:policy.notfound"
        assert await status(service, policy("delete"), BOB) == "policies:policy.notfound"
    assert [event.type for event in stage.store.events("policy:farm:shared")] == [
        "created", "created", "deleted", "deleted",
    ]  # fmt: skip


@pytest.mark.parametrize("held", [False, True])
async def test_the_first_command_after_a_change_of_the_policy_obeys_it_in_every_process(held: bool) -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as other:
        await here.execute(policy("create", "/", OWNED), ALICE)
        await here.execute(create(policyId=SHARED), ALICE)
        there = here if held else other
        if held:
            stage.lease.take()
        assert await status(there, put("a", 1), BOB) == "things:thing.notfound"
        await here.execute(policy("modify", "/entries/user", WRITER), ALICE)
        assert await status(there, put("a", 1), BOB) == 201
        await here.execute(policy("delete", "/entries/user"), ALICE)
        assert await status(there, put("a", 2), BOB) == "things:thing.notfound"
        assert await status(there, get(), BOB) == "things:thing.notfound"
    assert stage.revisions() == [1, 2]


async def test_in_one_group_a_command_obeys_the_change_before_it() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(create(policyId=SHARED), ALICE)
        stage.store.gate.clear()
        blocker = service.submit(create(WELL), ALICE)
        await asyncio.sleep(0)
        group = [
            service.submit(put("a", 1), BOB),
            service.submit(policy("modify", "/entries/user", WRITER), ALICE),
            service.submit(put("a", 2), BOB),
            service.submit(policy("delete", "/entries/user"), ALICE),
            service.submit(put("a", 3), BOB),
        ]
        stage.store.gate.set()
        await blocker
        answers = [await outcome(future) for future in group]
    assert answers == ["things:thing.notfound", 201, 201, 204, "things:thing.notfound"]


async def test_a_command_that_a_policy_change_overtakes_is_judged_again() -> None:
    stage = Stage()
    async with stage.service() as here, stage.service() as there:
        await here.execute(policy("create", "/", OWNED), ALICE)
        await here.execute(policy("modify", "/entries/user", WRITER), ALICE)
        await here.execute(create(policyId=SHARED), ALICE)
        stage.store.gate.clear()
        revoked = here.submit(policy("delete", "/entries/user"), ALICE)
        await until(lambda: stage.store.waiting == 1)
        late = there.submit(put("a", 1), BOB)
        await until(lambda: stage.store.waiting == 2)
        stage.store.gate.set()
        assert (await outcome(revoked), await outcome(late)) == (204, "things:thing.notfound")
    assert stage.revisions() == [1]


async def test_imports_take_effect_and_change_without_an_event_on_the_importer() -> None:
    stage = Stage()
    base = policy("create", "/", {"entries": {**OWNED["entries"], "user": READER}}, policy_id="farm:base")  # type: ignore[dict-item]  # an object of ours
    async with stage.service() as here, stage.service() as there:
        await here.execute(base, ALICE)
        await here.execute(policy("create", "/", {**OWNED, "imports": {"farm:base": {}}}), ALICE)
        await here.execute(create(policyId=SHARED, attributes={"open": 1, "closed": 2}), ALICE)
        seen = await there.execute(get(), BOB)
        assert seen.value == {"thingId": PUMP, "attributes": {"open": 1}}
        assert await status(there, get("/attributes/closed"), BOB) == "things:attribute.notfound"
        resolved = await here.execute(policy("retrieve", "/entries", policy_view="resolved"), ALICE)
        assert isinstance(resolved.value, dict)
        assert "imported-farm:base-user" in resolved.value
        await here.execute(policy("delete", "/entries/user", policy_id="farm:base"), ALICE)
        assert await status(there, get(), BOB) == "things:thing.notfound"
    assert len(stage.store.events("policy:farm:shared")) == 1


async def test_a_role_comes_down_through_a_policy_between_as_in_the_documentation() -> None:
    """The fleet of Ditto's page *basic-policy*: a template, a region with its drivers, and a truck with one more."""
    keeper = {
        **entry("test:alice", {"thing:/": ["READ", "WRITE"], "policy:/": ["READ", "WRITE"]}),
        "importable": "never",
    }
    role = entry("test:nobody", {"thing:/attributes/open": ["READ"]}, allowedAdditions=["subjects"])
    west: JsonObject = {
        "subjects": {"test:west": {"type": "t"}},
        "references": [{"import": "farm:roles", "entry": "role"}],
    }
    truck = entry("test:bob", {"thing:/": ["WRITE"]}, references=[{"import": "farm:west", "entry": "driver"}])
    through: JsonObject = {"farm:west": {"transitiveImports": ["farm:roles"]}}
    documents: dict[str, JsonValue] = {
        "farm:roles": {"entries": {"keeper": keeper, "role": role}},
        "farm:west": {"entries": {"keeper": keeper, "driver": west}, "imports": {"farm:roles": {}}},
        SHARED: {"entries": {"keeper": keeper, "driver": truck}, "imports": through},
    }
    stage = Stage()
    async with stage.service() as service:
        for policy_id, document in documents.items():
            await service.execute(policy("create", "/", document, policy_id=policy_id), ALICE)
        await service.execute(create(policyId=SHARED, attributes={"open": 1, "closed": 2}), ALICE)
        assert (await service.execute(get(), BOB)).value == {"thingId": PUMP, "attributes": {"open": 1}}
        assert await status(service, put("open", 2), BOB) == "things:attribute.notmodifiable"
        shut = policy("modify", "/imports/farm:west/transitiveImports", [])
        assert await status(service, shut) == 204
        assert await status(service, get(), BOB) == "things:thing.notfound"
        assert await status(service, put("open", 2), BOB) == 204


async def test_the_resolved_view_shows_of_what_is_imported_only_what_the_caller_may_read_whole_there() -> None:
    """Alice imported what she may read; Bob reads the importing policy, and of the source what a third one grants."""
    guest = entry("test:bob", {"policy:/": ["READ"]})
    glimpse = entry("test:bob", {"policy:/entries/open": ["READ"]})
    stage = Stage()
    async with stage.service() as service:
        documents: dict[str, JsonValue] = {
            "farm:third": {"entries": {**OWNED["entries"], "glimpse": glimpse}},  # type: ignore[dict-item]  # the entries of a policy are an object
            "farm:base": {"entries": {**OWNED["entries"], "open": READER}, "imports": {"farm:third": {}}},  # type: ignore[dict-item]  # the entries of a policy are an object
            SHARED: {"entries": {**OWNED["entries"], "guest": guest}, "imports": {"farm:base": {}}},  # type: ignore[dict-item]  # the entries of a policy are an object
        }
        for policy_id, document in documents.items():
            await service.execute(policy("create", "/", document, policy_id=policy_id), ALICE)
        view = policy("retrieve", "/entries", policy_view="resolved")
        all_of_it = (await service.execute(view, ALICE)).value
        assert isinstance(all_of_it, dict)
        assert set(all_of_it) == {"owner", "guest", "imported-farm:base-owner", "imported-farm:base-open"}
        seen = (await service.execute(view, BOB)).value
        assert isinstance(seen, dict)
        assert set(seen) == {"owner", "guest", "imported-farm:base-open"}
        subjects_only: JsonObject = {"policy:/entries/open/subjects": {"grant": ["READ"], "revoke": []}}
        part = policy("modify", "/entries/glimpse/resources", subjects_only, policy_id="farm:third")
        await service.execute(part, ALICE)
        left = (await service.execute(view, BOB)).value
        assert isinstance(left, dict)
        assert set(left) == {"owner", "guest"}


async def test_the_resolved_view_of_the_past_needs_reading_all_of_what_was_imported_today() -> None:
    """The source as it was when the time or the revision asked for came, its entries as today's rights there allow."""
    guest = entry("test:bob", {"policy:/": ["READ"]})
    glimpse = entry("test:bob", {"policy:/entries/open/subjects": ["READ"]})
    stage = Stage()
    async with stage.service() as service:
        documents: dict[str, JsonValue] = {
            "farm:base": {"entries": {**OWNED["entries"], "open": READER, "glimpse": glimpse}},  # type: ignore[dict-item]  # the entries of a policy are an object
            SHARED: {"entries": {**OWNED["entries"], "guest": guest}, "imports": {"farm:base": {}}},  # type: ignore[dict-item]  # the entries of a policy are an object
        }
        for policy_id, document in documents.items():
            await service.execute(policy("create", "/", document, policy_id=policy_id), ALICE)
        then = stage.clock().isoformat()
        stage.clock.advance(60)
        await service.execute(policy("modify", "/entries/later", WRITER, policy_id="farm:base"), ALICE)
        open_to_bob = entry("test:bob", {"policy:/entries/open": ["READ"]})

        async def seen(who: object, **when: JsonValue) -> set[str]:
            view = policy("retrieve", "/entries", policy_view="resolved", **when)
            shown = (await service.execute(view, BOB if who is BOB else ALICE)).value
            assert isinstance(shown, dict)
            return {label.removeprefix("imported-farm:base-") for label in shown}

        all_then = {"owner", "guest", "open", "glimpse"}
        assert await seen(ALICE, at_historical_revision=1) == all_then
        assert await seen(ALICE, at_historical_timestamp=then) == all_then
        assert await seen(ALICE, at_historical_timestamp=stage.clock().isoformat()) == {*all_then, "later"}
        assert await seen(BOB, at_historical_revision=1) == {"owner", "guest"}
        await service.execute(policy("modify", "/entries/glimpse", open_to_bob, policy_id="farm:base"), ALICE)
        assert await seen(BOB, at_historical_revision=1) == {"owner", "guest", "open"}
        await service.execute(policy("delete", "/", policy_id="farm:base"), ALICE)
        assert await seen(ALICE, at_historical_revision=1) == {"owner", "guest"}


async def test_several_things_are_read_as_far_as_each_may_be() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(policy("create", "/", {"entries": {**OWNED["entries"], "user": READER}}), ALICE)  # type: ignore[dict-item]  # as above
        await service.execute(create(policyId=SHARED, attributes={"open": 1, "closed": 2}), ALICE)
        await service.execute(create(WELL), ALICE)
        response = await service.execute(RetrieveThings(thing_ids=(PUMP, WELL, ThingId("farm:none"))), BOB)
        assert response.value == [{"thingId": PUMP, "attributes": {"open": 1}}]


async def test_the_past_needs_more_than_a_glimpse() -> None:
    stage = Stage()
    past = Command(entity_id=PUMP, verb="retrieve", path=(), headers={"at-historical-revision": 1})
    async with stage.service() as service:
        await service.execute(policy("create", "/", {"entries": {**OWNED["entries"], "user": READER}}), ALICE)  # type: ignore[dict-item]  # as above
        await service.execute(create(policyId=SHARED, attributes={"open": 1}), ALICE)
        assert await status(service, past) == 200
        assert await status(service, past, BOB) == "things:thing.notfound"
        await service.execute(policy("modify", "/entries/user", WRITER), ALICE)
        assert await status(service, past, BOB) == 200


async def test_a_thing_whose_policy_was_deleted_waits_for_it_to_come_back() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        await service.execute(policy("delete", policy_id=PUMP), ALICE)
        assert await status(service, get()) == "things:thing.notfound"
        assert await status(service, put("a", 1)) == "things:thing.notmodifiable"
        await service.execute(policy("create", "/", OWNED, policy_id=PUMP), ALICE)
        assert await status(service, put("a", 1)) == 201


async def test_a_refused_command_leaves_no_trace() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(create(), ALICE)
        with pytest.raises(DittoError):
            await service.execute(put("a", 1), BOB)
        with pytest.raises(DittoError):
            await service.execute(policy("modify", "/entries/me", WRITER, policy_id=PUMP), BOB)
    assert await stage.store.head() == 2


async def test_who_may_write_and_not_read_is_not_told_the_entity_tag_of_what_is_there() -> None:
    stage = Stage()
    async with stage.service() as service:
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(policy("modify", "/entries/blind", entry("test:bob", {"thing:/": ["WRITE"]})), ALICE)
        await service.execute(create(PUMP, policyId=SHARED, attributes={"pin": 4711}), ALICE)
        guess = command("modify", "/attributes/pin", 1, headers={"if-match": '"hash:0000000000000000"'})
        told: dict[str, DittoError] = {}
        for who in (ALICE, BOB):
            with pytest.raises(DittoError) as refused:
                await service.execute(guess, who)
            told[who.default_subject] = refused.value
        assert {error.status for error in told.values()} == {412}
        assert "etag" in told["test:alice"].headers
        assert str(told["test:alice"].headers["etag"]) not in told["test:bob"].message
        assert told["test:bob"].headers == {}
