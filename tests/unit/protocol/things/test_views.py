from __future__ import annotations

import pytest

from protocol.json import JsonValue
from tests.unit.protocol.things.scenario import ALICE, created, given, modified, policy_of, pump

FULL = pump(definition="a:b:1", attributes={"a": {"b": 1}, "c": 2}, features={"f": {"properties": {"p": 1, "q": 2}}})
THING = given(created(FULL), modified("/attributes/c", 2))


def test_a_thing_shows_no_underscore_fields_unless_asked() -> None:
    THING.when("retrieve", "/").then(status=200, value=FULL)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ("thingId", {"thingId": "farm.one:pump-7"}),
        (
            "attributes(a/b),features/*/properties/q",
            {
                "attributes": {"a": {"b": 1}},
                "features": {"f": {"properties": {"q": 2}}},
            },
        ),
        ("_revision,_namespace", {"_revision": 2, "_namespace": "farm.one"}),
        ("_created,_modified", {"_created": "2026-01-02T12:00:00Z", "_modified": "2026-01-02T12:00:00Z"}),
        ("_metadata,nothing", {}),
        ("_policy", {}),
    ],
)
def test_fields_select_from_the_thing(fields: str, value: JsonValue) -> None:
    THING.when("retrieve", "/", fields=fields).then(status=200, value=value)


@pytest.mark.parametrize(
    ("path", "fields", "value"),
    [
        ("/attributes", "a/b", {"a": {"b": 1}}),
        ("/features", "f/properties/p", {"f": {"properties": {"p": 1}}}),
        ("/features/f", "properties/p", {"properties": {"p": 1}}),
        ("/features/f/properties", "q", {"q": 2}),
        ("/attributes/a", "z", {"b": 1}),
        ("/attributes", "_revision", {}),
    ],
)
def test_fields_select_from_sub_resources_that_can_be_selected_from(path: str, fields: str, value: JsonValue) -> None:
    THING.when("retrieve", path, fields=fields).then(status=200, value=value)


def test_a_selector_that_does_not_parse_is_refused() -> None:
    THING.when("retrieve", "/", fields="a(").refused("json.fieldselector.invalid", 400)


def test_the_policy_is_shown_when_it_is_asked_for() -> None:
    asked = THING.when("retrieve", "/", fields="thingId,_policy")
    assert asked.needs == [("PolicyId", "farm.one:pump-7")]
    known = THING.with_policy("farm.one:pump-7", policy_of(ALICE)).when("retrieve", "/", fields="_policy")
    assert known.needs == []
    known.then(status=200, value={"_policy": policy_of(ALICE)})
    THING.with_policy("farm.one:pump-7", gone=True).when("retrieve", "/", fields="_policy").then(status=200, value={})


def test_tags_of_things_tell_the_revision_and_those_of_parts_the_value() -> None:
    assert THING.when("retrieve", "/").response.headers == {"entity-revision": 2, "etag": '"rev:2"'}
    one = THING.when("retrieve", "/attributes/c").response.headers["etag"]
    again = given(created(pump(attributes={"c": 2}))).when("retrieve", "/attributes/c").response.headers["etag"]
    assert one == again
    assert one != THING.when("retrieve", "/attributes/a/b").response.headers["etag"]


def test_the_answer_to_a_write_tells_the_tag_and_revision_after_it() -> None:
    written = THING.when("modify", "/attributes/c", 5).response.headers
    assert written["entity-revision"] == 3
    assert (
        written["etag"]
        == given(created(pump(attributes={"c": 5}))).when("retrieve", "/attributes/c").response.headers["etag"]
    )
    assert THING.when("merge", "/attributes/c", 5).response.headers == written


def test_the_answer_to_a_merge_of_definition_or_policy_id_tells_the_revision() -> None:
    assert THING.when("merge", "/definition", "a:b:2").response.headers["etag"] == '"rev:3"'
    assert THING.when("merge", "/policyId", "a:b").response.headers["etag"] == '"rev:3"'
    assert THING.when("modify", "/policyId", "a:b").response.headers["etag"] != '"rev:3"'
