from __future__ import annotations

import pytest

from protocol.context import Limits
from protocol.json import JsonValue
from tests.unit.protocol.things.scenario import (
    ALICE,
    created,
    deleted,
    given,
    merged,
    modified,
    policy_created,
    policy_of,
    pump,
)

OWN_POLICY = policy_created("farm.one:pump-7", policy_of(ALICE))


@pytest.mark.parametrize("verb", ["create", "modify", "merge"])
def test_creating_modifying_and_merging_a_missing_thing_all_create_it(verb: str) -> None:
    outcome = given().when(verb, "/", {"attributes": {"a": 1}})  # type: ignore[arg-type] # the three are verbs
    thing = pump(attributes={"a": 1})
    outcome.then(created(thing), OWN_POLICY, status=201, value=thing)
    assert outcome.response.verb == "create"
    assert outcome.response.headers == {"entity-revision": 1, "etag": '"rev:1"'}


def test_a_merge_that_creates_leaves_out_the_nulls() -> None:
    patch: JsonValue = {"definition": None, "attributes": {"a": None, "b": {"c": None, "d": [None]}}}
    thing = pump(attributes={"b": {"d": [None]}})
    given().when("merge", "/", patch).then(created(thing), OWN_POLICY, status=201, value=thing)


def test_creating_an_existing_thing_is_a_conflict() -> None:
    given(created(pump())).when("create", "/", {}).refused("things:thing.conflict", 409)


def test_a_modify_replaces_everything_but_the_policy_id() -> None:
    before = created(pump(definition="a:b:1", attributes={"a": 1}, features={"f": {}}))
    given(before).when("modify", "/", {"attributes": {"b": 2}}).then(
        modified("/", pump(attributes={"b": 2})), status=204
    )


def test_a_modify_may_change_the_policy_id_and_ignores_what_only_a_creation_heeds() -> None:
    body: JsonValue = {"policyId": "farm.one:p", "_policy": {"no": "matter"}, "_copyPolicyFrom": "a:b", "_revision": 9}
    given(created(pump())).when("modify", "/", body).then(
        modified("/", {"thingId": "farm.one:pump-7", "policyId": "farm.one:p"}), status=204
    )


def test_a_modify_that_changes_nothing_is_still_an_event() -> None:
    given(created(pump())).when("modify", "/", {}).then(modified("/", pump()), status=204)


def test_a_merge_of_an_existing_thing_records_the_patch() -> None:
    patch: JsonValue = {"attributes": {"a": None, "b": 2}}
    outcome = given(created(pump(attributes={"a": 1}))).when("merge", "/", patch)
    outcome.then(merged("/", patch), status=204)
    assert outcome.state.document == pump(attributes={"b": 2})


@pytest.mark.parametrize("patch", [None, {}, [], "text", 1])
def test_a_merge_of_the_whole_thing_needs_an_object_with_members(patch: JsonValue) -> None:
    for scenario in (given(), given(created(pump()))):
        scenario.when("merge", "/", patch).refused("things:merge.invalid", 400)


def test_a_merge_cannot_take_the_ids_away() -> None:
    thing = given(created(pump(attributes={})))
    thing.when("merge", "/", {"thingId": None}).refused("things:id.notdeletable", 400)
    thing.when("merge", "/", {"policyId": None}).refused("things:policyId.notdeletable", 400)
    thing.when("merge", "/", {"{{ ~thing.*~ }}": None}).refused("things:id.notdeletable", 400)
    thing.when("merge", "/", {"{{ /p.*/ }}": None}).refused("things:policyId.notdeletable", 400)


@pytest.mark.parametrize("verb", ["create", "modify", "merge"])
def test_the_id_in_the_value_must_be_the_one_addressed(verb: str) -> None:
    for scenario in (given(), given(created(pump()))):
        for thing_id in ("farm.one:other", "nonsense"):
            outcome = scenario.when(verb, "/", {"thingId": thing_id})  # type: ignore[arg-type] # the three are verbs
            assert outcome.error is not None
            assert outcome.error.status == 400
    given(created(pump())).when("modify", "/", {"thingId": "a:b"}).refused("things:id.notsettable", 400)
    given(created(pump())).when("modify", "/", {"thingId": "farm.one:pump-7"}).then(modified("/", pump()), status=204)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "json.format.invalid"),
        (None, "json.format.invalid"),
        ({"thingId": 1}, "json.format.invalid"),
        ({"thingId": "x"}, "things:id.invalid"),
        ({"policyId": 1}, "json.format.invalid"),
        ({"policyId": "x"}, "policies:id.invalid"),
        ({"definition": "x"}, "things:definition.identifier.invalid"),
        ({"definition": {}}, "json.format.invalid"),
        ({"attributes": []}, "json.format.invalid"),
        ({"attributes": {"a": {"b/c": 1}}}, "json.key.invalid"),
        ({"attributes": {"a" * 257: 1}}, "json.key.invalid"),
        ({"features": []}, "json.format.invalid"),
        ({"features": {"a/b": {}}}, "json.key.invalid"),
        ({"features": {"f": 1}}, "json.format.invalid"),
        ({"features": {"f": {"definition": []}}}, "things:feature.definition.empty"),
        ({"features": {"f": {"definition": [1]}}}, "json.format.invalid"),
        ({"features": {"f": {"definition": ["x"]}}}, "things:definition.identifier.invalid"),
        ({"features": {"f": {"properties": 1}}}, "json.format.invalid"),
        ({"features": {"f": {"desiredProperties": {"": 1}}}}, "json.key.invalid"),
    ],
)
def test_every_member_of_a_thing_is_checked(value: JsonValue, code: str) -> None:
    given().when("create", "/", value).refused(code, 400)
    given(created(pump())).when("modify", "/", value).refused(code, 400)


def test_members_and_features_may_be_null() -> None:
    thing = pump(definition=None, attributes=None, features={"f": None, "g": {"properties": None}})
    given(created(pump())).when("modify", "/", thing).then(modified("/", thing), status=204)


def test_a_deleted_thing_is_gone_and_its_revision_counts_on_when_it_is_created_again() -> None:
    gone = given(created(pump(attributes={"a": 1})), deleted())
    assert gone.state is not None
    assert (gone.state.deleted, gone.state.revision, gone.state.document) == (True, 2, pump())
    for verb in ("retrieve", "delete"):
        gone.when(verb, "/").refused("things:thing.notfound", 404)
    gone.when("modify", "/attributes/a", 1).refused("things:thing.notfound", 404)
    again = gone.when("modify", "/", {})
    assert again.response.status == 201
    assert again.response.headers["entity-revision"] == 3
    assert not again.state.deleted


def test_deleting_a_thing_says_so() -> None:
    outcome = given(created(pump())).when("delete", "/").then(deleted(), status=204)
    assert outcome.response.headers == {"entity-revision": 2}


def test_a_thing_may_be_as_large_as_the_limit_and_no_larger() -> None:
    room = 102_400 - len('{"thingId":"farm.one:pump-7","policyId":"farm.one:pump-7","attributes":{"a":""}}')
    largest = given(created(pump(attributes={"a": "ü" * room})))
    assert largest.state is not None
    assert largest.state.size == 102_400
    largest.when("modify", "/attributes/a", "é" * room).then(modified("/attributes/a", "é" * room), status=204)
    largest.when("modify", "/attributes/a", "x" * (room + 1)).refused("things:thing.toolarge", 413)
    largest.when("modify", "/attributes/b", 1).refused("things:thing.toolarge", 413)
    largest.when("merge", "/attributes", {"b": 1}).refused("things:thing.toolarge", 413)
    largest.when("merge", "/", {"attributes": {"b": 1}}).refused("things:thing.toolarge", 413)
    largest.when("merge", "/attributes", {"a": 1, "b": 1}).then(merged("/attributes", {"a": 1, "b": 1}), status=204)
    given().when("create", "/", {"attributes": {"a": "x" * (room + 1)}}).refused("things:thing.toolarge", 413)


def test_the_size_limit_and_the_depth_limit_are_the_context_s() -> None:
    small = given(created(pump())).with_limits(Limits(thing_characters=100, depth=5))
    small.when("modify", "/attributes/text", "x" * 100).refused("things:thing.toolarge", 413)
    small.when("modify", "/attributes/a/b/c", {"d": 1}).then(
        created({"d": 1}, "/attributes/a/b/c"), status=201, value={"d": 1}
    )
    small.when("modify", "/attributes/a/b/c", {"d": []}).refused("json.invalid", 400)
    small.when("merge", "/", {"attributes": {"a": {"b": {"c": {"d": 1}}}}}).then(
        merged("/", {"attributes": {"a": {"b": {"c": {"d": 1}}}}}), status=204
    )
    small.when("merge", "/attributes", {"a": {"b": {"c": {"d": {}}}}}).refused("json.invalid", 400)


def test_expressions_in_a_patch_are_spelled_out_in_the_event() -> None:
    log = given(created(pump(attributes={"2024-01": 1, "2024-02": {"x": 1}, "2025-01": 3})))
    patch: JsonValue = {"{{ ~2024-.*~ }}": None, "2024-02": {"y": 2}}
    outcome = log.when("merge", "/attributes", patch)
    outcome.then(merged("/attributes", {"2024-01": None, "2024-02": {"x": None, "y": 2}}), status=204)
    assert outcome.state.document["attributes"] == {"2024-02": {"y": 2}, "2025-01": 3}


def test_a_bad_expression_or_one_in_the_path_is_refused() -> None:
    log = given(created(pump(attributes={"a": 1})))
    log.when("merge", "/attributes", {"{{ ~(~ }}": None}).refused("things:merge.invalid", 400)
    log.when("merge", "/attributes/{{ ~a~ }}", None).refused("things:merge.invalid", 400)
    log.when("merge", "/attributes", {"{{ ~a~ }}": 1}).then(merged("/attributes", {"{{ ~a~ }}": 1}), status=204)


def test_an_expression_with_a_slash_and_a_value_is_no_key() -> None:
    given(created(pump())).when("merge", "/attributes", {"{{ /a/ }}": 1}).refused("json.key.invalid", 400)
