from __future__ import annotations

from dataclasses import dataclass

import pytest

from protocol.errors import UnknownPath
from protocol.json import JsonValue
from protocol.pointers import parse
from protocol.things.resources import TABLE, resource_at
from tests.unit.protocol.things.scenario import born, created, deleted, given, merged, modified, pump

FULL = pump(
    definition="org.acme:pump:1.0.0",
    attributes={"maker": "ACME", "place": {"city": "Ghent"}},
    features={
        "motor": {
            "definition": ["org.acme:motor:1.0.0"],
            "properties": {"rpm": 900, "load": {"mean": 0.5}},
            "desiredProperties": {"rpm": 950},
        }
    },
)
BARE = pump(features={"motor": {}})


@dataclass(frozen=True)
class Row:
    """What a row of the table promises: where, a valid and an invalid value, and its errors."""

    path: str
    valid: JsonValue
    invalid: JsonValue
    invalid_code: str
    missing_code: str
    merge_invalid_code: str = "things:merge.invalid"
    deletable: bool = True
    bare: JsonValue = None


ROWS = [
    Row(
        "/definition",
        "org.acme:pump:2.0.0",
        "pump",
        "things:definition.identifier.invalid",
        "things:definition.notfound",
        merge_invalid_code="things:definition.identifier.invalid",
    ),
    Row("/attributes", {"maker": "Brook"}, [1], "json.format.invalid", "things:attributes.notfound"),
    Row(
        "/attributes/place/city",
        "Brugge",
        {"a/b": 1},
        "json.key.invalid",
        "things:attribute.notfound",
        merge_invalid_code="json.key.invalid",
    ),
    Row(
        "/features",
        {"valve": {"properties": {"open": True}}},
        "none",
        "json.format.invalid",
        "things:features.notfound",
    ),
    Row("/features/motor", {"properties": {"rpm": 1}}, 7, "json.format.invalid", "things:feature.notfound"),
    Row(
        "/features/motor/definition",
        ["org.acme:motor:2.0.0"],
        [],
        "things:feature.definition.empty",
        "things:feature.definition.notfound",
        merge_invalid_code="things:feature.definition.empty",
    ),
    Row("/features/motor/properties", {"rpm": 1}, 3, "json.format.invalid", "things:feature.properties.notfound"),
    Row(
        "/features/motor/properties/rpm",
        901,
        {"": 1},
        "json.key.invalid",
        "things:feature.property.notfound",
        merge_invalid_code="json.key.invalid",
    ),
    Row(
        "/features/motor/desiredProperties",
        {"rpm": 1},
        False,
        "json.format.invalid",
        "things:feature.desiredProperties.notfound",
    ),
    Row(
        "/features/motor/desiredProperties/rpm",
        901,
        {"\x07": 1},
        "json.key.invalid",
        "things:feature.desiredProperty.notfound",
        merge_invalid_code="json.key.invalid",
    ),
]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
in_a_feature = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.path.startswith("/features/motor/")], ids=lambda row: row.path
)


def absent(row: Row) -> dict[str, JsonValue]:
    """A thing that has everything around the row's resource, but not the resource."""
    return pump() if row.path in {"/features", "/features/motor"} else BARE


def test_the_rows_tested_here_are_the_table_without_the_root_and_the_policy_id() -> None:
    tested = {resource_at(parse(row.path)).pattern for row in ROWS}
    assert tested | {"/", "/policyId"} == {row.pattern for row in TABLE}


@pytest.mark.parametrize(
    "path", ["/foo", "/features/motor/foo", "/policyId/x", "/definition/x", "/features/motor/definition/0", "/_policy"]
)
def test_a_thing_has_nothing_at_any_other_path(path: str) -> None:
    with pytest.raises(UnknownPath):
        resource_at(parse(path))


@every_row
def test_modifying_what_exists_is_a_modified_event_without_a_value_in_the_answer(row: Row) -> None:
    given(created(FULL)).when("modify", row.path, row.valid).then(modified(row.path, row.valid), status=204)


@every_row
def test_modifying_what_is_absent_is_a_created_event_and_answers_the_value(row: Row) -> None:
    given(created(absent(row))).when("modify", row.path, row.valid).then(
        born(row.path, row.valid), status=201, value=row.valid
    )


@every_row
def test_modifying_below_a_missing_thing_is_not_found(row: Row) -> None:
    given().when("modify", row.path, row.valid).refused("things:thing.notfound", 404)


@every_row
def test_a_value_of_the_wrong_kind_is_refused(row: Row) -> None:
    given(created(FULL)).when("modify", row.path, row.invalid).refused(row.invalid_code, 400)


@every_row
def test_merging_is_a_merged_event_whether_the_resource_exists_or_not(row: Row) -> None:
    for thing in (FULL, absent(row)):
        outcome = given(created(thing)).when("merge", row.path, row.valid)
        outcome.then(merged(row.path, row.valid), status=204)


@every_row
def test_merging_a_value_of_the_wrong_kind_is_refused(row: Row) -> None:
    given(created(FULL)).when("merge", row.path, row.invalid).refused(row.merge_invalid_code, 400)


@every_row
def test_merging_null_removes_the_resource_and_is_no_error_if_there_is_none(row: Row) -> None:
    for thing in (FULL, absent(row)):
        outcome = given(created(thing)).when("merge", row.path, None).then(merged(row.path, None), status=204)
        assert "etag" not in outcome.response.headers or row.path == "/definition"
        given(created(outcome.state.document)).when("retrieve", row.path).refused(row.missing_code, 404)


@every_row
def test_merging_below_a_missing_thing_is_not_found(row: Row) -> None:
    given().when("merge", row.path, row.valid).refused("things:thing.notfound", 404)


@every_row
def test_deleting_what_exists_is_a_deleted_event_without_a_value(row: Row) -> None:
    outcome = given(created(FULL)).when("delete", row.path).then(deleted(row.path), status=204)
    assert "etag" not in outcome.response.headers
    given(created(outcome.state.document)).when("retrieve", row.path).refused(row.missing_code, 404)


@every_row
def test_deleting_what_is_absent_is_not_found(row: Row) -> None:
    given(created(absent(row))).when("delete", row.path).refused(row.missing_code, 404)
    given().when("delete", row.path).refused("things:thing.notfound", 404)


@every_row
def test_retrieving_answers_the_value_or_that_there_is_none(row: Row) -> None:
    stored = given(created(FULL)).when("modify", row.path, row.valid).state.document
    given(created(stored)).when("retrieve", row.path).then(status=200, value=row.valid)
    given(created(absent(row))).when("retrieve", row.path).refused(row.missing_code, 404)
    given().when("retrieve", row.path).refused("things:thing.notfound", 404)


@every_row
def test_only_a_whole_thing_is_created(row: Row) -> None:
    given().when("create", row.path, row.valid).refused("protocoladapter:unknown.path", 400)


@every_row
def test_a_json_null_is_kept_as_a_value(row: Row) -> None:
    outcome = given(created(FULL)).when("modify", row.path, None).then(modified(row.path, None), status=204)
    given(created(outcome.state.document)).when("retrieve", row.path).then(status=200, value=None)


@in_a_feature
def test_modifying_or_deleting_in_a_missing_feature_names_the_feature(row: Row) -> None:
    lonely = given(created(pump(features={"valve": {}})))
    lonely.when("modify", row.path, row.valid).refused("things:feature.notfound", 404)
    lonely.when("delete", row.path).refused("things:feature.notfound", 404)
    lonely.when("retrieve", row.path).refused("things:feature.notfound", 404)


@in_a_feature
def test_merging_in_a_missing_feature_creates_the_feature(row: Row) -> None:
    outcome = given(created(pump())).when("merge", row.path, row.valid).then(merged(row.path, row.valid), status=204)
    given(created(outcome.state.document)).when("retrieve", row.path).then(status=200, value=row.valid)


def test_the_policy_id_is_modified_without_asking_for_the_policy() -> None:
    given(created(FULL)).when("modify", "/policyId", "farm.one:other").then(
        modified("/policyId", "farm.one:other"), status=204
    )


def test_the_policy_id_must_be_one() -> None:
    given(created(FULL)).when("modify", "/policyId", "nonsense").refused("policies:id.invalid", 400)
    given(created(FULL)).when("modify", "/policyId", 5).refused("json.format.invalid", 400)


def test_the_policy_id_cannot_be_taken_away() -> None:
    given(created(FULL)).when("merge", "/policyId", None).refused("things:policyId.notdeletable", 400)
    given(created(FULL)).when("delete", "/policyId").refused("things:policyId.notdeletable", 400)


def test_the_policy_id_can_be_merged_and_retrieved() -> None:
    given(created(FULL)).when("merge", "/policyId", "a:b").then(merged("/policyId", "a:b"), status=204)
    given(created(FULL)).when("retrieve", "/policyId").then(status=200, value="farm.one:pump-7")


@pytest.mark.parametrize(
    "definition", ["org.acme:pump:1.0.0", "_:a-b:1", "https://acme.example/pump.tm.jsonld", "http://a/b?c=d#e"]
)
def test_definitions_are_identifiers_or_urls(definition: str) -> None:
    given(created(FULL)).when("modify", "/definition", definition).then(modified("/definition", definition), status=204)


@pytest.mark.parametrize("definition", ["", "a:b", "a:b:c:d", "a b:c:d", "ftp://a/b", "https://", "http:///x"])
def test_other_definitions_are_refused(definition: str) -> None:
    given(created(FULL)).when("modify", "/definition", definition).refused("things:definition.identifier.invalid", 400)
    given(created(FULL)).when("modify", "/features/motor/definition", [definition]).refused(
        "things:definition.identifier.invalid", 400
    )


def test_a_command_that_writes_needs_a_value() -> None:
    for verb in ("create", "modify", "merge"):
        given(created(FULL)).when(verb, "/").refused("json.field.missing", 400)


def test_unknown_members_of_things_and_features_are_not_kept() -> None:
    given(created(FULL)).when("modify", "/features/motor", {"properties": {}, "colour": "red"}).then(
        modified("/features/motor", {"properties": {}}), status=204
    )
    given(created(FULL)).when("merge", "/", {"colour": "red", "attributes": {"a": 1}}).then(
        merged("/", {"attributes": {"a": 1}}), status=204
    )


def test_missing_parents_are_created_and_scalars_in_the_way_replaced() -> None:
    outcome = given(created(pump(attributes={"a": 1}))).when("modify", "/attributes/a/b/c", 2)
    assert outcome.state.document["attributes"] == {"a": {"b": {"c": 2}}}
