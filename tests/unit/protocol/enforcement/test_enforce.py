"""Who may do what with a thing and a policy, cell by cell, and how everybody else is answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.context import Context
from protocol.enforcement.enforce import enforce, enforce_history
from protocol.errors import DittoError
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import parse_policy_path
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event, Verb
from protocol.things.evolve import evolve
from protocol.things.state import ThingState
from tests.unit.protocol.policies.scenario import NOON, P1, entry, rights, state_of

PUMP = ThingId("farm.one:pump")
DOCUMENT: JsonObject = {
    "thingId": PUMP,
    "policyId": P1,
    "attributes": {"a": 1, "secret": {"pin": 1}, "list": [{"x": 1}]},
    "features": {"f": {"properties": {"p": 1, "q": 2}}},
}
RULES: dict[str, JsonObject] = {
    "owner": {"thing:/": rights("READ", "WRITE"), "policy:/": rights("READ", "WRITE")},
    "reader": {"thing:/": rights("READ"), "policy:/": rights("READ")},
    "writer": {"thing:/": rights("WRITE")},
    "hidden": {
        "thing:/attributes": rights("READ", "WRITE"),
        "thing:/attributes/secret": rights(revoke=("READ", "WRITE")),
    },
    "device": {"thing:/features/f/properties/p": rights("READ", "WRITE")},
    "guest": {"policy:/entries/guest": rights("READ")},
    "stranger": {"message:/": rights("READ")},
}
ENTRIES: dict[str, JsonValue] = {name: entry(f"s:{name}", more={"resources": rules}) for name, rules in RULES.items()}
POLICY = state_of({"entries": ENTRIES})


def thing() -> ThingState:
    return evolve(None, Event(entity_id=PUMP, action="created", path=(), value=DOCUMENT), revision=1, timestamp=NOON)


def context(who: str, policy: PolicyState | None = POLICY) -> Context:
    return Context(now=NOON, subjects=(f"s:{who}",), policies={P1: policy})


def outcome(
    who: str, verb: Verb, path: str, value: JsonValue | Missing = MISSING, *, headers: JsonObject | None = None
) -> object:
    return asked(context(who), verb, path, value, headers=headers)


def asked(
    around: Context,
    verb: Verb,
    path: str,
    value: JsonValue | Missing = MISSING,
    *,
    headers: JsonObject | None = None,
    entity_id: ThingId | PolicyId = PUMP,
    state: ThingState | None = None,
) -> object:
    command = Command(entity_id=entity_id, verb=verb, path=parse_policy_path(path), value=value, headers=headers or {})
    try:
        _, shown = enforce(command, state or (thing() if entity_id == PUMP else POLICY), around)
    except DittoError as error:
        return error.code, error.status
    assert shown is not None
    return shown.document if verb == "retrieve" else "ok"


GONE = ("things:thing.notfound", 404)


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("owner", DOCUMENT),
        ("reader", DOCUMENT),
        ("hidden", {"thingId": PUMP, "attributes": {"a": 1, "list": [{"x": 1}]}}),
        ("device", {"thingId": PUMP, "features": {"f": {"properties": {"p": 1}}}}),
        ("writer", GONE),
        ("stranger", GONE),
    ],
)
def test_a_thing_is_seen_as_far_as_it_may_be_read(who: str, seen: object) -> None:
    assert outcome(who, "retrieve", "/") == seen


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/attributes", "things:attributes.notfound"),
        ("/attributes/a", "things:attribute.notfound"),
        ("/features/g", "things:feature.notfound"),
        ("/features/f/properties/q", "things:feature.property.notfound"),
        ("/policyId", "things:policyId.notfound"),
    ],
)
def test_what_may_not_be_read_is_not_found_by_its_own_name(path: str, code: str) -> None:
    assert outcome("device", "retrieve", path) == (code, 404)


@pytest.mark.parametrize(
    ("who", "verb", "path", "value", "answer"),
    [
        ("owner", "modify", "/", {}, "ok"),
        ("owner", "delete", "/", MISSING, "ok"),
        ("writer", "modify", "/attributes/a", 2, "ok"),
        ("reader", "modify", "/attributes/a", 2, ("things:attribute.notmodifiable", 403)),
        ("reader", "modify", "/", {}, ("things:thing.notmodifiable", 403)),
        ("reader", "delete", "/", MISSING, ("things:thing.notdeletable", 403)),
        ("reader", "modify", "/policyId", "a:b", ("things:policyId.notmodifiable", 403)),
        ("reader", "merge", "/attributes", {"a": 2}, ("things:thing.notmodifiable", 403)),
        ("stranger", "modify", "/attributes/a", 2, GONE),
        ("stranger", "delete", "/", MISSING, GONE),
        ("hidden", "modify", "/attributes/a", 2, "ok"),
        ("hidden", "modify", "/attributes", {}, ("things:attributes.notmodifiable", 403)),
        ("hidden", "delete", "/attributes", MISSING, ("things:attributes.notmodifiable", 403)),
        ("hidden", "merge", "/attributes", {"a": 2, "b": {}}, "ok"),
        ("hidden", "merge", "/", {"attributes": {"a": 2}}, "ok"),
        ("hidden", "merge", "/attributes", {"a": 2, "secret": {"pin": 2}}, ("things:thing.notmodifiable", 403)),
        ("hidden", "merge", "/attributes", {"secret": {}}, ("things:thing.notmodifiable", 403)),
        ("hidden", "merge", "/attributes", {"{{ ~.*~ }}": None}, ("things:thing.notmodifiable", 403)),
        ("device", "modify", "/features/f/properties/p", 2, "ok"),
        ("device", "modify", "/features/f/properties/p/deeper", 2, "ok"),  # the scalar that makes way is its own
        ("device", "merge", "/features/f/properties/p", {"deeper": 2}, "ok"),
        ("device", "merge", "/features/f", {"properties": {"p": 3}}, "ok"),
        ("device", "merge", "/features/f", {"properties": {"q": 3}}, ("things:thing.notmodifiable", 403)),
    ],
)
def test_changes_need_write_on_everything_that_changes(
    who: str, verb: Verb, path: str, value: JsonValue | Missing, answer: object
) -> None:
    assert outcome(who, verb, path, value) == answer


def test_what_makes_way_for_a_deeper_value_must_be_writable_too() -> None:
    made: JsonObject = {"thingId": PUMP, "policyId": P1, "features": {"f": {"properties": 7}}}
    state = evolve(None, Event(entity_id=PUMP, action="created", path=(), value=made), revision=1, timestamp=NOON)
    path = "/features/f/properties/p"
    refused = ("things:feature.property.notmodifiable", 403)
    assert asked(context("device"), "modify", path, 2, state=state) == refused
    assert asked(context("owner"), "modify", path, 2, state=state) == "ok"


def test_nothing_has_to_make_way_where_there_is_null() -> None:
    made: JsonObject = {"thingId": PUMP, "policyId": P1, "features": {"f": {"properties": None}}}
    state = evolve(None, Event(entity_id=PUMP, action="created", path=(), value=made), revision=1, timestamp=NOON)
    assert asked(context("device"), "modify", "/features/f/properties/p", 2, state=state) == "ok"


def test_metadata_is_seen_as_far_as_its_thing() -> None:
    metadata: JsonObject = {"attributes": {"a": {"unit": "K"}, "secret": {"pin": {"issuedBy": "locksmith"}}}}
    state = replace(thing(), metadata=metadata)
    command = Command(entity_id=PUMP, verb="retrieve", path=())
    _, seen = enforce(command, state, context("hidden"))
    assert isinstance(seen, ThingState)
    assert seen.metadata == {"attributes": {"a": {"unit": "K"}}}


def test_a_token_action_is_left_to_its_decision_which_asks_for_execute() -> None:
    path = "/actions/activateTokenIntegration"
    assert asked(context("reader"), "execute", path, entity_id=P1) == "ok"


def test_a_json_patch_needs_read_for_it_tells_what_it_meets() -> None:
    patch: JsonValue = [{"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2}]
    headers: JsonObject = {"content-type": "application/json-patch+json"}
    assert outcome("owner", "merge", "/attributes", patch, headers=headers) == "ok"
    assert outcome("writer", "merge", "/attributes", patch, headers=headers) == ("things:thing.notmodifiable", 403)


def test_a_thing_whose_policy_is_gone_is_found_by_nobody_and_changed_by_nobody() -> None:
    orphaned = context("owner", None)
    assert asked(orphaned, "retrieve", "/attributes") == GONE
    assert asked(orphaned, "modify", "/attributes/a", 1) == ("things:thing.notmodifiable", 403)


def test_nobody_may_do_nothing() -> None:
    nobody = Context(now=NOON, subjects=(), policies={P1: POLICY})
    assert asked(nobody, "retrieve", "/") == GONE
    assert asked(nobody, "delete", "/") == ("things:thing.notmodifiable", 403)
    assert asked(nobody, "retrieve", "/", entity_id=P1) == ("policies:policy.notfound", 404)


@pytest.mark.parametrize(
    ("who", "verb", "path", "answer"),
    [
        ("owner", "modify", "/entries/x", "ok"),
        ("reader", "modify", "/entries/x", ("policies:entry.notmodifiable", 403)),
        ("reader", "delete", "/", ("policies:policy.notmodifiable", 403)),
        ("guest", "modify", "/entries/x/subjects/a:b", ("policies:subject.notmodifiable", 403)),
        ("guest", "retrieve", "/entries/owner", ("policies:entry.notfound", 404)),
        ("device", "retrieve", "/", ("policies:policy.notfound", 404)),
        ("device", "delete", "/imports", ("policies:policy.notfound", 404)),
    ],
)
def test_policies_are_guarded_by_themselves(who: str, verb: Verb, path: str, answer: object) -> None:
    assert asked(context(who), verb, path, {}, entity_id=P1) == answer


def test_a_policy_is_seen_as_far_as_it_may_be_read() -> None:
    entries = POLICY.document["entries"]
    assert isinstance(entries, dict)
    seen = {"policyId": P1, "entries": {"guest": entries["guest"]}}
    assert asked(context("guest"), "retrieve", "/", entity_id=P1) == seen
    resolved = asked(context("owner"), "retrieve", "/", entity_id=P1, headers={"policy-view": "resolved"})
    assert isinstance(resolved, dict)
    assert resolved["entries"].keys() == entries.keys()


def test_the_past_is_for_those_who_may_read_all_of_it_today() -> None:
    def may(who: str, path: str = "/") -> bool:
        command = Command(entity_id=PUMP, verb="retrieve", path=parse_policy_path(path))
        try:
            enforce_history(command, thing(), context(who))
        except DittoError as error:
            return error.status != 404
        return True

    assert (may("owner"), may("reader"), may("hidden"), may("stranger")) == (True, True, False, False)
    assert (may("device", "/features/f/properties/p"), may("hidden", "/attributes")) == (True, False)


@pytest.mark.parametrize("who", ["stranger", "device"])
@pytest.mark.parametrize(
    ("entity_id", "verb", "path", "code"),
    [
        (PUMP, "modify", "/nothing", "protocoladapter:unknown.path"),
        (PUMP, "delete", "/policyId", "things:policyId.notdeletable"),
        (P1, "modify", "/nothing", "protocoladapter:unknown.path"),
        (P1, "delete", "/entries", "protocoladapter:unknown.command"),
    ],
)
def test_what_cannot_be_said_of_any_entity_does_not_tell_whether_this_one_exists(
    who: str, entity_id: ThingId | PolicyId, verb: Verb, path: str, code: str
) -> None:
    assert asked(context(who), verb, path, 1, entity_id=entity_id) == (code, 400)
    if entity_id == PUMP:
        assert asked(context(who, None), verb, path, 1, entity_id=entity_id) == (code, 400)
