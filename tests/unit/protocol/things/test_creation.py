from __future__ import annotations

import pytest

from protocol.context import Limits
from protocol.json import JsonObject, JsonValue
from tests.unit.protocol.things.scenario import ALICE, created, given, policy_created, policy_of, pump

SHARED = "farm.one:shared"
COPY_OF_ANOTHER: JsonObject = {"_copyPolicyFrom": "{{ ref:things/farm.one:pump-8/policyId }}"}


def on(policy_id: str, **members: JsonValue) -> JsonObject:
    return {"thingId": "farm.one:pump-7", "policyId": policy_id, **members}


def test_most_commands_need_nothing_beside_the_thing() -> None:
    thing = given(created(pump(attributes={"a": 1})))
    for outcome in (
        thing.when("modify", "/attributes/a", 2),
        thing.when("modify", "/", {}),
        thing.when("merge", "/", {"attributes": {}}),
        thing.when("delete", "/"),
        thing.when("retrieve", "/"),
        given().when("modify", "/attributes/a", 2),
        given().when("delete", "/"),
        given().when("create", "/", []),
        given().when("create", "/", {"policyId": "nonsense"}),
    ):
        assert outcome.needs == []


def test_without_a_word_the_thing_gets_a_policy_of_its_own_name_and_the_first_subject_owns_it() -> None:
    outcome = given().with_subjects("nginx:bob", "nginx:all").when("create", "/", {})
    assert outcome.needs == [("PolicyId", "farm.one:pump-7")]
    outcome.then(
        created(pump()),
        policy_created("farm.one:pump-7", policy_of("nginx:bob")),
        status=201,
        value=pump(),
    )


def test_the_default_policy_grants_everything() -> None:
    everything = {"grant": ["READ", "WRITE"], "revoke": []}
    assert policy_of(ALICE)["entries"] == {
        "DEFAULT": {
            "subjects": {ALICE: {"type": "generated"}},
            "resources": {"thing:/": everything, "policy:/": everything, "message:/": everything},
            "importable": "implicit",
        }
    }


def test_a_policy_left_over_from_a_deleted_thing_stands_in_the_way() -> None:
    leftover = given().with_policy("farm.one:pump-7", policy_of(ALICE))
    leftover.when("create", "/", {}).refused("things:thing.notcreatable", 400)
    leftover.when("create", "/", {"policyId": "farm.one:pump-7"}).then(created(pump()), status=201, value=pump())


def test_a_deleted_policy_does_not_stand_in_the_way() -> None:
    outcome = given().with_policy("farm.one:pump-7", gone=True).when("modify", "/", {})
    assert outcome.needs == []
    assert len(outcome.response.headers) == 2


def test_a_thing_joins_an_existing_policy() -> None:
    assert given().when("create", "/", {"policyId": SHARED}).needs == [("PolicyId", SHARED)]
    given().with_policy(SHARED, policy_of(ALICE, SHARED)).when("create", "/", {"policyId": SHARED}).then(
        created(on(SHARED)), status=201, value=on(SHARED)
    )


def test_a_policy_that_the_creator_may_not_read_looks_as_if_it_were_not_there() -> None:
    hidden = given().with_policy(SHARED, policy_of("nginx:bob", SHARED))
    bodies: list[JsonObject] = [{"policyId": SHARED}, {"_copyPolicyFrom": SHARED}]
    for body in bodies:
        hidden.when("create", "/", body).refused("policies:policy.notfound", 404)


def test_the_policy_of_a_thing_that_the_creator_may_not_read_cannot_be_copied() -> None:
    known = given().with_thing("farm.one:pump-8", {"thingId": "farm.one:pump-8", "policyId": SHARED})
    hidden = known.with_policy(SHARED, policy_of("nginx:bob", SHARED))
    hidden.when("create", "/", COPY_OF_ANOTHER).refused("things:thing.notfound", 404)


def test_expiries_of_an_inline_policy_are_rounded_up() -> None:
    policy = policy_of(ALICE)
    policy["entries"]["GUEST"] = {  # type: ignore[call-overload, index]  # a document of our own
        "subjects": {"nginx:bob": {"type": "t", "expiry": "2026-01-02T13:10:00Z"}},
        "resources": {},
    }
    outcome = given().when("create", "/", {"_policy": policy})
    assert outcome.decision is not None
    assert "2026-01-02T14:00:00Z" in str(outcome.decision.events[1].value)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"subjects": {"alice": {"type": "t"}}}, "policies:subjectid.invalid"),
        ({"subjects": {"a:b": {"type": "t", "expiry": "2020-01-01T00:00:00Z"}}}, "policies:subjectexpiry.invalid"),
        ({"subjects": {"a:b": {"type": "t", "announcement": 1}}}, "policies:subjectannouncement.invalid"),
        ({"importable": "maybe"}, "policies:entry.invalid"),
        (1, "policies:entry.invalid"),
    ],
)
def test_one_bad_element_of_an_inline_policy_is_named(entry: JsonValue, code: str) -> None:
    policy: JsonObject = {"entries": {"a": entry}}
    given().when("create", "/", {"_policy": policy}).refused(code, 400)


def test_the_refusal_of_an_inline_policy_says_what_to_do_about_it() -> None:
    everything = policy_of(ALICE)["entries"]
    others: JsonObject = {"entries": {"a": {"references": [{"entry": "none"}]}, **everything}}  # type: ignore[dict-item]  # what is unpacked is an object
    broken: JsonObject = {"entries": {"a": {"resources": {"thing:/": {"grant": ["X"], "revoke": []}}}}}
    lost: JsonObject = policy_of("nginx:bob")
    for policy, message, description in (
        (others, "cannot be created: The entry 'a' refers to 'none', but there is no such entry.", "Refer to another"),
        (broken, "'grant' of '/entries/a/resources/thing:/' has the wrong type", "Send a value of the type"),
        (lost, "you could not change its policy afterwards.", "Grant your subject WRITE"),
    ):
        error = given().when("create", "/", {"_policy": policy}).error
        assert error is not None
        assert message in error.message
        assert ".." not in error.message
        assert str(error.description).startswith(description)


def test_other_failures_of_an_inline_policy_keep_their_status() -> None:
    policy: JsonObject = {**policy_of(ALICE), "imports": {"farm.one:base": {}}}
    outcome = given().when("create", "/", {"_policy": policy})
    assert ("PolicyId", "farm.one:base") in outcome.needs
    outcome.refused("things:thing.notcreatable", 404)


def test_a_thing_cannot_join_a_policy_that_does_not_exist() -> None:
    given().when("create", "/", {"policyId": SHARED}).refused("policies:policy.notfound", 404)
    given().with_policy(SHARED, gone=True).when("create", "/", {"policyId": SHARED}).refused(
        "policies:policy.notfound", 404
    )


@pytest.mark.parametrize(
    ("body", "policy_id"),
    [
        ({}, "farm.one:pump-7"),
        ({"policyId": SHARED}, SHARED),
        ({"_policy": {"policyId": "farm.one:inline"}}, "farm.one:inline"),
        ({"policyId": SHARED, "_policy": {"policyId": "farm.one:inline"}}, SHARED),
    ],
)
def test_an_inline_policy_is_named_by_the_thing_by_itself_or_after_the_thing(body: JsonObject, policy_id: str) -> None:
    own = body.get("_policy")
    inline: JsonObject = {**policy_of(ALICE), **(own if isinstance(own, dict) else {"policyId": None})}
    inline = {key: value for key, value in inline.items() if value is not None}
    outcome = given().when("create", "/", {**body, "_policy": inline})
    assert outcome.needs == [("PolicyId", policy_id)]
    outcome.then(
        created(on(policy_id)),
        policy_created(policy_id, {**policy_of(ALICE), "policyId": policy_id}),
        status=201,
        value=on(policy_id),
    )


def test_an_inline_policy_whose_id_is_taken_is_refused() -> None:
    body: JsonObject = {"policyId": SHARED, "_policy": policy_of(ALICE)}
    given().with_policy(SHARED).when("create", "/", body).refused("things:thing.notcreatable", 400)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        {"a": {"subjects": {ALICE: {}}, "resources": {"policy:/": {"grant": ["WRITE"], "revoke": []}}}},
        {"a": {"subjects": {ALICE: {"type": "t"}}, "resources": {"policy:/": {"grant": ["WRITE"]}}}},
        {"a": {"subjects": {ALICE: {"type": "t"}}, "resources": {"policy:/": {"grant": ["FLY"], "revoke": []}}}},
        {"a": {"subjects": {ALICE: {"type": "t"}}, "resources": {"policy:/": {"grant": ["READ"], "revoke": []}}}},
        {
            "a": {
                "subjects": {ALICE: {"type": "t", "expiry": "2030-01-01T00:00:00Z"}},
                "resources": {"policy:/": {"grant": ["WRITE"], "revoke": []}},
            }
        },
    ],
)
def test_an_inline_policy_must_be_valid_and_have_a_permanent_owner(entries: JsonValue) -> None:
    given().when("create", "/", {"_policy": {"entries": entries}}).refused("things:policy.invalid", 400)


def test_an_inline_policy_must_be_an_object() -> None:
    given().when("create", "/", {"_policy": "mine"}).refused("things:policy.invalid", 400)


def test_a_creator_who_locks_himself_out_must_say_so() -> None:
    policy = policy_of("nginx:bob")
    entries = policy["entries"]
    assert isinstance(entries, dict)
    entries["USER"] = {
        "subjects": {ALICE: {"type": "t"}},
        "resources": {"thing:/": {"grant": ["READ", "WRITE"], "revoke": []}},
    }
    body: JsonObject = {"_policy": policy}
    given().when("create", "/", body).refused("things:thing.notcreatable", 403)
    assert given().when("create", "/", body, headers={"allow-policy-lockout": True}).response.status == 201


def test_a_creator_must_have_write_on_the_whole_thing() -> None:
    body: JsonObject = {"_policy": policy_of("nginx:bob")}
    lockout = given().when("create", "/", body, headers={"allow-policy-lockout": True})
    lockout.refused("things:thing.notmodifiable", 403)


def test_an_inline_policy_may_not_be_too_large() -> None:
    small = given().with_limits(Limits(policy_characters=100))
    small.when("create", "/", {"_policy": policy_of(ALICE)}).refused("policies:policy.toolarge", 413)


def test_inline_and_copied_policies_exclude_each_other() -> None:
    body: JsonObject = {"_policy": policy_of(ALICE), "_copyPolicyFrom": SHARED}
    given().when("create", "/", body).refused("things:policy.conflicting", 400)


def test_a_policy_is_copied_by_its_id() -> None:
    body: JsonObject = {"_copyPolicyFrom": SHARED}
    assert given().when("create", "/", body).needs == [("PolicyId", "farm.one:pump-7"), ("PolicyId", SHARED)]
    given().when("create", "/", body).refused("policies:policy.notfound", 404)
    given().with_policy(SHARED, policy_of(ALICE, SHARED)).when("create", "/", body).then(
        created(pump()), policy_created("farm.one:pump-7", policy_of(ALICE)), status=201, value=pump()
    )


def test_a_policy_is_copied_under_the_name_that_the_thing_gives() -> None:
    body: JsonObject = {"policyId": "farm.one:mine", "_copyPolicyFrom": SHARED}
    given().with_policy(SHARED, policy_of(ALICE, SHARED)).when("create", "/", body).then(
        created(on("farm.one:mine")),
        policy_created("farm.one:mine", policy_of(ALICE, "farm.one:mine")),
        status=201,
        value=on("farm.one:mine"),
    )


def test_the_policy_of_another_thing_is_copied_in_two_rounds() -> None:
    first = given().when("create", "/", COPY_OF_ANOTHER)
    assert first.needs == [("PolicyId", "farm.one:pump-7"), ("ThingId", "farm.one:pump-8")]
    known = given().with_thing("farm.one:pump-8", {"thingId": "farm.one:pump-8", "policyId": SHARED})
    assert known.when("create", "/", COPY_OF_ANOTHER).needs == [("PolicyId", "farm.one:pump-7"), ("PolicyId", SHARED)]
    known.with_policy(SHARED, policy_of(ALICE, SHARED)).when("create", "/", COPY_OF_ANOTHER).then(
        created(pump()), policy_created("farm.one:pump-7", policy_of(ALICE)), status=201, value=pump()
    )


def test_a_reference_must_lead_somewhere() -> None:
    other = given().with_thing("farm.one:pump-8", {"thingId": "farm.one:pump-8", "policyId": SHARED})
    known = other.with_policy(SHARED, policy_of(ALICE, SHARED))
    for expression, code, status in (
        ("{{ ref:policies/a:b/policyId }}", "placeholder:placeholder.reference.notsupported", 400),
        ("{{ what }}", "placeholder:placeholder.reference.notsupported", 400),
        ("{{ ref:things/farm.one:pump-8/attributes/p }}", "placeholder:placeholder.reference.unknownfield", 400),
        ("{{ ref:things/nonsense/policyId }}", "things:id.invalid", 400),
        ("nonsense", "policies:id.invalid", 400),
    ):
        outcome = known.when("create", "/", {"_copyPolicyFrom": expression})
        assert outcome.needs == []
        outcome.refused(code, status)


def test_nobody_cannot_own_a_policy() -> None:
    given().with_subjects().when("create", "/", {}).refused("things:thing.notcreatable", 403)
