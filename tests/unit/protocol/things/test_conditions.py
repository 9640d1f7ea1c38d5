from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.context import Limits
from protocol.identifiers import PolicyId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.policies.state import PolicyState
from protocol.signals import Verb
from tests.unit.protocol.things.scenario import ALICE, NOON, PUMP, Scenario, created, given, merged, modified, pump

THING = given(
    created(
        pump(
            attributes={"a": 1, "secret": "x", "plain": 5, "deep": {"b": 1, "c": 1}},
            features={"f": {"properties": {"p": 1, "hidden": 2}}, "g": {"properties": {"p": 2}}},
        )
    ),
    modified("/definition", "farm:pump:1.0.0"),
)
HERE = "/attributes/a"
ALL: list[tuple[Verb, JsonValue | Missing]] = [("retrieve", MISSING), ("delete", MISSING), ("modify", 2), ("merge", 2)]
FAILED = ("things:condition.failed", 412)


def condition(text: str) -> JsonObject:
    return {"condition": text}


def patch_conditions(**conditions: str) -> JsonObject:
    return {"merge-thing-patch-conditions": {place.replace("__", "/"): text for place, text in conditions.items()}}


def readable(scenario: Scenario, *grants: str, revokes: tuple[str, ...] = ()) -> Scenario:
    """Alice may read what is granted, and write everything."""
    resources: JsonObject = {f"thing:{path}": {"grant": ["READ"], "revoke": []} for path in grants}
    resources |= {f"thing:{path}": {"grant": [], "revoke": ["READ"]} for path in revokes}
    document: JsonObject = {
        "policyId": PUMP,
        "entries": {"reader": {"subjects": {ALICE: {"type": "test"}}, "resources": resources}},
    }
    policy = PolicyState(policy_id=PolicyId(PUMP), document=document, revision=1, created=NOON, modified=NOON)
    context = replace(scenario.context, governing=PolicyId(PUMP), policies={PolicyId(PUMP): policy})
    return replace(scenario, context=context)


@pytest.mark.parametrize(("verb", "value"), ALL)
def test_a_command_is_done_if_its_condition_holds_and_not_if_it_does_not(
    verb: Verb, value: JsonValue | Missing
) -> None:
    assert THING.when(verb, HERE, value, headers=condition("eq(attributes/a,1)")).error is None
    THING.when(verb, HERE, value, headers=condition("eq(attributes/a,2)")).refused(*FAILED)
    error = THING.when(verb, HERE, value, headers=condition("eq(attributes/a,x)")).refused(
        "rql.expression.invalid", 400
    )
    assert "position 17" in error.message


@pytest.mark.parametrize(
    "text",
    [
        *("eq(_revision,2)", 'eq(_namespace,"farm.one")', 'eq(namespace,"farm.one")', 'eq(thingId,"farm.one:pump-7")'),
        *('eq(_modified,"2026-01-02T12:00:00Z")', "eq(_created,time:now)", 'eq(policyId,"farm.one:pump-7")'),
        *("exists(features/f/properties/p)", "eq(features/*/properties/p,2)", "ne(attributes/absent,1)"),
        *('eq(definition,"farm:pump:1.0.0")', "and(exists(_metadata),not(exists(_metadata/attributes)))"),
    ],
)
def test_conditions_see_the_whole_thing_as_it_is_stored(text: str) -> None:
    THING.when("modify", HERE, 2, headers=condition(text)).then(modified(HERE, 2), status=204)


def test_conditions_see_the_metadata() -> None:
    labelled: JsonObject = {"put-metadata": [{"key": "/unit", "value": "C"}]}
    state = THING.when("modify", "/attributes", {"t": 1}, headers=labelled).state
    scenario = replace(THING, state=state)
    text = 'eq(_metadata/attributes/unit,"C")'
    assert scenario.when("retrieve", "/", headers=condition(text)).error is None


def test_there_is_no_condition_on_what_does_not_exist() -> None:
    false = condition("eq(attributes/a,2)")
    assert given().when("create", "/", {}, headers=false).response.status == 201
    assert given().when("modify", "/", {}, headers=false).response.status == 201
    assert given().when("merge", "/", {"attributes": {}}, headers=false).response.status == 201
    for verb, value in ALL:
        given().when(verb, HERE, value, headers=false).refused("things:thing.notfound", 404)
    THING.when("create", "/", {}, headers=false).refused("things:thing.conflict", 409)
    given().when("create", "/", {}, headers=condition("((")).refused("rql.expression.invalid", 400)


def test_the_condition_comes_before_entity_tags_and_missing_parts() -> None:
    both: JsonObject = {**condition("eq(attributes/a,2)"), "if-match": '"rev:9"'}
    THING.when("modify", HERE, 2, headers=both).refused(*FAILED)
    THING.when("modify", HERE, 2, headers={**both, "condition": "eq(attributes/a,1)"}).refused(
        "things:precondition.failed", 412
    )
    for verb, value in ALL:
        THING.when(verb, "/features/x/properties/y", value, headers=both).refused(*FAILED)


def test_a_condition_that_would_look_at_too_much_is_none() -> None:
    large = given(created(pump(attributes={"a": [0] * 40_000})))
    text = "or(" + ",".join(f"eq(attributes/a,{number})" for number in range(1, 200)) + ")"
    large.when("retrieve", "/", headers=condition(text)).refused("things:condition.invalid", 400)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "eq(attributes/secret,'x')",
            "ne(attributes/secret,'x')",
            "not(exists(attributes/secret))",
            "exists(attributes)",
        ),
        *(
            "or(eq(attributes/a,1),eq(attributes/secret,1))",
            "exists(attributes/secret/below)",
            "empty(attributes/secret)",
        ),
        *("exists(features/*/properties/hidden)", "not(exists(features/*/properties/hidden))", "exists(features)"),
        *("exists(features/f)", "exists(features/*/properties)", "not(exists(features/*))"),
    ],
)
def test_a_condition_on_what_one_may_not_read_is_false_whatever_it_says(text: str) -> None:
    scenario = readable(THING, "/", revokes=("/attributes/secret", "/features/f/properties/hidden"))
    for verb, value in ALL:
        scenario.when(verb, HERE, value, headers=condition(text)).refused(*FAILED)
    live: JsonObject = {"live-channel-condition": text}
    scenario.when("retrieve", HERE, headers=live).refused(*FAILED)
    patches = patch_conditions(b="exists(attributes/a)", a=text)
    scenario.when("merge", "/attributes", {"z": 1}, headers=patches).refused(*FAILED)


def test_what_one_may_read_can_be_asked() -> None:
    scenario = readable(THING, "/attributes/a", "/features/g")
    for text in ("eq(attributes/a,1)", "eq(features/g/properties/p,2)", "exists(features/g)"):
        assert scenario.when("modify", HERE, 2, headers=condition(text)).error is None
    for text in ("eq(features/*/properties/p,2)", "eq(_revision,2)", "exists(policyId)"):
        scenario.when("modify", HERE, 2, headers=condition(text)).refused(*FAILED)
    for text in ('eq(thingId,"farm.one:pump-7")', 'eq(namespace,"farm.one")'):
        assert scenario.when("modify", HERE, 2, headers=condition(text)).error is None


def test_all_features_can_be_asked_by_whoever_reads_that_part_of_each() -> None:
    scenario = readable(THING, "/features", revokes=("/features/f/properties/hidden",))
    text = "eq(features/*/properties/p,2)"
    assert scenario.when("modify", HERE, 2, headers=condition(text)).error is None


def test_a_condition_under_a_policy_that_is_not_there_is_false() -> None:
    gone = replace(THING, context=replace(THING.context, governing=PolicyId(PUMP)))
    gone.when("modify", HERE, 2, headers=condition("eq(attributes/a,1)")).refused(*FAILED)


# live-channel-condition


@pytest.mark.parametrize("verb", ["create", "modify", "merge", "delete"])
def test_only_queries_choose_their_channel_by_a_condition(verb: Verb) -> None:
    live: JsonObject = {"live-channel-condition": "eq(attributes/a,2)"}
    THING.when(verb, "/" if verb == "create" else HERE, {}, headers=live).refused(
        "things:live.channelcondition.notallowed", 405
    )


def test_a_false_live_condition_is_answered_by_the_twin() -> None:
    outcome = THING.when("retrieve", HERE, headers={"live-channel-condition": "eq(attributes/a,2)"})
    outcome.then(status=200, value=1)
    headers = outcome.response.headers
    assert (headers["live-channel-condition-matched"], headers["channel"]) == (False, "twin")


def test_a_true_live_condition_times_out_at_once_or_falls_back_to_the_twin() -> None:
    live: JsonObject = {"live-channel-condition": "eq(attributes/a,1)"}
    THING.when("retrieve", HERE, headers=live).refused("command.timeout", 408)
    THING.when("retrieve", HERE, headers={**live, "live-channel-timeout-strategy": "fail"}).refused(
        "command.timeout", 408
    )
    outcome = THING.when("retrieve", HERE, headers={**live, "live-channel-timeout-strategy": "use-twin"})
    outcome.then(status=200, value=1)
    headers = outcome.response.headers
    assert (headers["live-channel-condition-matched"], headers["channel"]) == (True, "twin")


def test_a_live_condition_has_to_be_one() -> None:
    THING.when("retrieve", HERE, headers={"live-channel-condition": "a=1"}).refused("rql.expression.invalid", 400)


# merge-thing-patch-conditions


def test_places_whose_condition_does_not_hold_are_cut_out_of_the_patch() -> None:
    headers = patch_conditions(attributes__a="gt(attributes/a,5)", attributes__z="eq(attributes/a,1)")
    THING.when("merge", "/", {"attributes": {"a": 2, "y": 3, "z": 4}}, headers=headers).then(
        merged("/", {"attributes": {"y": 3, "z": 4}}), status=204
    )


def test_places_are_relative_to_the_command_and_properties_are_not() -> None:
    headers = patch_conditions(b="eq(attributes/a,2)", **{"/c": "eq(attributes/a,1)"})
    THING.when("merge", "/attributes/deep", {"b": 2, "c": 2}, headers=headers).then(
        merged("/attributes/deep", {"c": 2}), status=204
    )


def test_emptied_objects_stay_unless_they_are_to_go() -> None:
    headers = patch_conditions(attributes__deep__b="eq(attributes/a,2)")
    patch: JsonObject = {"attributes": {"deep": {"b": 2}}}
    THING.when("merge", "/", patch, headers=headers).then(merged("/", {"attributes": {"deep": {}}}), status=204)
    dropping = THING.with_limits(Limits(drop_emptied=True))
    dropping.when("merge", "/", patch, headers=headers).then(status=204)
    patch = {"attributes": {"deep": {"b": 2}, "a": 3, "kept": {}}}
    dropping.when("merge", "/", patch, headers=headers).then(
        merged("/", {"attributes": {"a": 3, "kept": {}}}), status=204
    )


@pytest.mark.parametrize(("path", "patch"), [("/attributes/a", 2), ("/attributes/deep", {"b": 2}), ("/", {"x": 1})])
def test_a_patch_that_is_cut_out_as_a_whole_changes_nothing_and_succeeds(path: str, patch: JsonValue) -> None:
    headers: JsonObject = {"merge-thing-patch-conditions": {"/": "eq(attributes/a,2)"}}
    outcome = THING.when("merge", path, patch if path != "/" else {"attributes": patch}, headers=headers)
    outcome.then(status=204)


def test_places_that_the_patch_does_not_have_are_no_matter() -> None:
    headers = patch_conditions(attributes__x__y="eq(attributes/a,2)", features="eq(attributes/a,2)")
    THING.when("merge", "/", {"attributes": {"x": 1}}, headers=headers).then(
        merged("/", {"attributes": {"x": 1}}), status=204
    )


def test_members_that_an_expression_deletes_are_spared_like_those_that_are_named() -> None:
    headers: JsonObject = {"merge-thing-patch-conditions": {"b": "eq(attributes/a,2)"}}
    THING.when("merge", "/attributes/deep", {"{{ ~.*~ }}": None, "d": 1}, headers=headers).then(
        merged("/attributes/deep", {"c": None, "d": 1}), status=204
    )
    headers = {"merge-thing-patch-conditions": {"{{ ~.*~ }}": "eq(attributes/a,2)"}}
    THING.when("merge", "/attributes/deep", {"{{ ~.*~ }}": None, "d": 1}, headers=headers).then(
        merged("/attributes/deep", {"d": 1}), status=204
    )


def test_if_equal_looks_at_the_patch_as_it_was_sent() -> None:
    headers = {**patch_conditions(a="eq(attributes/a,2)"), "if-equal": "skip"}
    THING.when("merge", "/attributes", {"a": 2, "plain": 5}, headers=headers).then(
        merged("/attributes", {"plain": 5}), status=204
    )
    THING.when("merge", "/attributes", {"a": 1, "plain": 5}, headers=headers).refused("things:precondition.failed", 412)
    headers = {**headers, "if-equal": "skip-minimizing-merge"}
    THING.when("merge", "/attributes", {"a": 2, "plain": 5, "new": 1}, headers=headers).then(
        merged("/attributes", {"new": 1}), status=204
    )


def test_a_creation_by_merge_has_no_patch_conditions() -> None:
    headers = patch_conditions(attributes__a="exists(attributes/a)")
    assert given().when("merge", "/", {"attributes": {"a": 1}}, headers=headers).state.document["attributes"] == {
        "a": 1
    }


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ({"a": "a=1"}, "rql.expression.invalid"),
        ({"a": 1}, "header.invalid"),
        ([], "header.invalid"),
        ({"a//b": "exists(thingId)"}, "json.pointer.invalid"),
    ],
)
def test_patch_conditions_have_to_be_places_and_queries(conditions: JsonValue, code: str) -> None:
    for scenario in (THING, given()):
        headers: JsonObject = {"merge-thing-patch-conditions": conditions}
        scenario.when("merge", "/", {"attributes": {"a": 1}}, headers=headers).refused(code, 400)


def test_a_json_patch_has_no_patch_conditions() -> None:
    headers = {**patch_conditions(a="exists(attributes/a)"), "content-type": "application/json-patch+json"}
    THING.when("merge", "/attributes", [], headers=headers).refused("command.headers.invalid", 400)


# channel


@pytest.mark.parametrize("verb", ["modify", "merge", "delete"])
def test_a_change_for_the_device_is_not_made_to_the_twin(verb: Verb) -> None:
    THING.when(verb, HERE, 2, headers={"channel": "live"}).refused("command.timeout", 408)
    given().when(verb, HERE, 2, headers={"channel": "live"}).refused("things:thing.notfound", 404)
    assert THING.when(verb, HERE, 2, headers={"channel": "twin"}).error is None
    THING.when(verb, HERE, 2, headers={"channel": "live", **condition("eq(attributes/a,2)")}).refused(*FAILED)


def test_things_are_not_created_on_the_live_channel() -> None:
    given().when("create", "/", {}, headers={"channel": "live"}).refused("things:thing.notcreatable", 405)


def test_a_query_for_the_device_times_out_at_once_or_falls_back_to_the_twin() -> None:
    THING.when("retrieve", HERE, headers={"channel": "live"}).refused("command.timeout", 408)
    headers: JsonObject = {"channel": "live", "live-channel-timeout-strategy": "use-twin"}
    outcome = THING.when("retrieve", HERE, headers=headers)
    outcome.then(status=200, value=1)
    assert outcome.response.headers["channel"] == "twin"
