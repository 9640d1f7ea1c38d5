from __future__ import annotations

import pytest

from protocol.context import Limits
from protocol.json import JsonObject, JsonValue
from protocol.stored import published_headers, restore_event, store_event
from protocol.streams import stream_of
from tests.unit.protocol.things.scenario import ALONE, PUMP, Scenario, created, given, pump

FEATURES: JsonValue = {"f": {"properties": {"p": 1, "q": {"r": 2}}}}
P: JsonValue = {"p": {"u": 1}}
P_AND_Q: JsonValue = {"p": {"u": 1}, "q": {"r": {"u": 1}}}
THING = given(created(pump(attributes={"a": 1, "b": 2}, features=FEATURES)))


def put(key: str, value: JsonValue) -> JsonObject:
    return {"put-metadata": [{"key": key, "value": value}]}


def after(scenario: Scenario, path: str, value: JsonValue, headers: JsonObject) -> Scenario:
    return Scenario(state=scenario.when("modify", path, value, headers=headers).state, context=ALONE)


def metadata_of(scenario: Scenario) -> JsonObject:
    assert scenario.state is not None
    return scenario.state.metadata


MARKED = after(THING, "/attributes/a", 1, put("unit", "C"))


def test_metadata_is_put_beside_what_is_written_and_shown_on_request() -> None:
    MARKED.when("retrieve", "/", fields="_metadata").then(
        status=200, value={"_metadata": {"attributes": {"a": {"unit": "C"}}}}
    )
    answer = MARKED.when("retrieve", "/attributes/a", headers={"get-metadata": "unit,other"}).response
    assert answer.headers["ditto-metadata"] == {"unit": "C"}
    whole = MARKED.when("retrieve", "/", headers={"get-metadata": "attributes/a/unit"}).response
    assert whole.headers["ditto-metadata"] == {"attributes": {"a": {"unit": "C"}}}
    assert MARKED.when("retrieve", "/", headers={"get-metadata": "*"}).response.headers["ditto-metadata"] == {
        "attributes": {"a": {"unit": "C"}}
    }


@pytest.mark.parametrize(
    ("path", "value", "key", "tree"),
    [
        (
            "/features",
            FEATURES,
            "*/properties/*/u",
            {"features": {"f": {"properties": {"p": {"u": 1}, "q": {"r": {"u": 1}}}}}},
        ),
        (
            "/features/f",
            {"properties": {"p": 1}},
            "properties/*/u",
            {"features": {"f": {"properties": {"p": {"u": 1}}}}},
        ),
        ("/attributes", {"a": 1, "b": {"c": 1}}, "*/u", {"attributes": {"a": {"u": 1}, "b": {"c": {"u": 1}}}}),
        ("/attributes/a", 1, "*/u", {"attributes": {"a": {"u": 1}}}),
        ("/", {"attributes": {"a": 1}}, "attributes/*/u", {"attributes": {"a": {"u": 1}}}),
    ],
)
def test_a_wildcard_means_every_leaf_that_is_written(path: str, value: JsonValue, key: str, tree: JsonObject) -> None:
    for verb in ("modify", "merge"):
        assert THING.when(verb, path, value, headers=put(key, 1)).state.metadata == tree


def test_wildcards_at_the_wrong_place_are_refused() -> None:
    THING.when("modify", "/attributes", {}, headers=put("features/*/properties/*/u", 1)).refused(
        "header.notsupported", 400
    )
    THING.when("modify", "/", {}, headers=put("*/b/*/u", 1)).refused("header.invalid", 400)


@pytest.mark.parametrize("header", ["x", [1], [{"key": "a"}], [{"key": "/", "value": 1}], [{"key": 1, "value": 1}]])
def test_a_malformed_header_is_refused(header: JsonValue) -> None:
    THING.when("modify", "/attributes/a", 1, headers={"put-metadata": header}).refused("header.invalid", 400)


def test_metadata_is_deleted_by_name_or_whole() -> None:
    more = after(MARKED, "/attributes/a", 1, put("range/low", 3))
    assert metadata_of(after(more, "/attributes/a", 1, {"delete-metadata": "unit"})) == {
        "attributes": {"a": {"range": {"low": 3}}}
    }
    assert metadata_of(after(more, "/attributes/a", 1, {"delete-metadata": "*"})) == {"attributes": {}}
    assert metadata_of(after(more, "/", {"attributes": {"a": 1}}, {"delete-metadata": "*"})) == {}


def test_what_a_thing_loses_loses_its_metadata() -> None:
    for verb, path, value in (("merge", "/attributes", {"a": None}), ("modify", "/attributes", {"b": 1})):
        assert MARKED.when(verb, path, value).state.metadata == {"attributes": {}}  # type: ignore[arg-type] # verbs
    assert MARKED.when("delete", "/attributes/a").state.metadata == {"attributes": {}}
    assert MARKED.when("delete", "/").state.metadata == {}
    assert MARKED.when("modify", "/attributes/b", 5).state.metadata == {"attributes": {"a": {"unit": "C"}}}


def test_a_thing_is_created_with_metadata_by_header_or_body_but_not_both() -> None:
    tree: JsonObject = {"attributes": {"a": {"unit": "C"}}}
    body: JsonObject = {"attributes": {"a": 1}}
    assert given().when("create", "/", {**body, "_metadata": tree}).state.metadata == tree
    assert given().when("create", "/", body, headers=put("attributes/a/unit", "C")).state.metadata == tree
    given().when("create", "/", {**body, "_metadata": tree}, headers=put("attributes/a/unit", "C")).refused(
        "things:metadata.notmodifiable", 400
    )
    given().when("create", "/", {"_metadata": 1}).refused("json.format.invalid", 400)


def test_only_one_metadata_header_may_be_used() -> None:
    both: JsonObject = {**put("unit", 1), "delete-metadata": "unit"}
    THING.when("modify", "/attributes/a", 1, headers=both).refused("things:metadata.headersconflict", 400)


def test_metadata_is_limited_like_the_thing() -> None:
    small = THING.with_limits(Limits(thing_characters=1000))
    small.when("modify", "/attributes/a", 1, headers=put("note", "x" * 1000)).refused("things:thing.toolarge", 413)


def test_the_change_of_metadata_is_stored_with_the_event() -> None:
    decision = THING.when("modify", "/attributes/a", 1, headers=put("unit", "C")).decision
    assert decision is not None
    (event,) = decision.events
    type_, path, value, headers = store_event(event, {"correlation-id": "c"})
    assert restore_event(stream_of(PUMP), type_, path, value, headers) == event
    assert published_headers(headers) == b'{"correlation-id":"c"}'
    assert published_headers(b'{"correlation-id":"d"}') == b'{"correlation-id":"d"}'


def test_an_expression_is_no_name_of_metadata() -> None:
    for key, path in (("{{ ~(~ }}", "/attributes/a"), ("*", "/attributes/{{ ~(~ }}")):
        THING.when("modify", path, 1, headers={"delete-metadata": key}).refused("header.invalid", 400)
    THING.when("modify", "/attributes/a", 1, headers=put("{{ ~(~ }}", None)).refused("header.invalid", 400)
