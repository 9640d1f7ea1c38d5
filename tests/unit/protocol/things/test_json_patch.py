from __future__ import annotations

import pytest

from protocol.json import JsonObject, JsonValue
from tests.unit.protocol.things.scenario import Outcome, Scenario, born, created, given, merged, modified, pump

JSON_PATCH: JsonObject = {"content-type": "application/json-patch+json"}
THING = given(created(pump(attributes={"a": 1, "list": [1, 2], "deep": {"x": 1, "y": 2}}, features={"f": {}})))


def patched(operations: JsonValue, path: str = "/", thing: Scenario = THING) -> Outcome:
    return thing.when("merge", path, operations, headers=JSON_PATCH)


def test_what_a_merge_patch_can_say_becomes_a_merge() -> None:
    patched(
        [
            {"op": "replace", "path": "/attributes/a", "value": 2},
            {"op": "remove", "path": "/attributes/deep/x"},
            {"op": "add", "path": "/attributes/list/-", "value": 3},
            {"op": "move", "from": "/attributes/deep/y", "path": "/attributes/z"},
        ]
    ).then(merged("/", {"attributes": {"a": 2, "list": [1, 2, 3], "deep": {"x": None, "y": None}, "z": 2}}), status=204)


def test_a_null_becomes_a_modify_of_the_smallest_resource_that_holds_every_change() -> None:
    patched([{"op": "add", "path": "/attributes/deep/x", "value": None}]).then(
        modified("/attributes/deep/x", None), status=204
    )
    patched([{"op": "add", "path": "/attributes/n", "value": None}]).then(
        born("/attributes/n", None), status=201, value=None
    )
    patched([{"op": "add", "path": "/deep/x", "value": None}, {"op": "remove", "path": "/deep/y"}], "/attributes").then(
        modified("/attributes/deep", {"x": None}), status=204
    )


def test_a_failing_test_changes_nothing() -> None:
    patched(
        [{"op": "replace", "path": "/attributes/a", "value": 2}, {"op": "test", "path": "/attributes/a", "value": 1}]
    ).refused("things:patch.testfailed", 409)
    assert THING.state is not None
    assert THING.state.document["attributes"] == {"a": 1, "list": [1, 2], "deep": {"x": 1, "y": 2}}


def test_a_test_that_holds_and_no_change_is_a_modify_that_changes_nothing() -> None:
    patched([{"op": "test", "path": "", "value": 1}], "/attributes/a").then(modified("/attributes/a", 1), status=204)


@pytest.mark.parametrize(
    "operations",
    [
        {},
        None,
        [1],
        [{"op": "replace"}],
        [{"op": "fly", "path": "/a"}],
        [{"op": ["add"], "path": "/a", "value": 1}],
        [{"op": "add", "path": "/q"}],
        [{"op": "add", "path": "q", "value": 1}],
        [{"op": "remove", "path": "/attributes/nothing"}],
        [{"op": "remove", "path": "/attributes/list/-"}],
        [{"op": "add", "path": "/attributes/list/7", "value": 1}],
        [{"op": "add", "path": "/attributes/a/b", "value": 1}],
        [{"op": "copy", "from": 3, "path": "/attributes/c"}],
        [{"op": "copy", "from": "/nothing", "path": "/attributes/c"}],
        [{"op": "move", "path": "/attributes/c"}],
        [{"op": "move", "from": "", "path": "/attributes/c"}],
        [{"op": "add", "path": "/attributes" * 70, "value": 1}],
        [{"op": "copy", "from": "/attributes", "path": "/attributes/c"}] * 70,
    ],
)
def test_a_malformed_patch_or_one_that_leads_to_nothing_is_refused(operations: JsonValue) -> None:
    patched(operations).refused("things:patch.invalid", 400)


def test_copies_cannot_grow_without_bound() -> None:
    doubling: JsonValue = [
        {"op": "copy", "from": "/attributes/list", "path": f"/attributes/list/{at}"}
        for at in (0, "-")
        for _ in range(20)
    ]
    patched(doubling).refused("things:patch.invalid", 400)


def test_a_patch_of_something_missing_is_not_found() -> None:
    patched([], thing=given()).refused("things:thing.notfound", 404)
    patched([], "/attributes/b").refused("things:attribute.notfound", 404)
    patched([], "/features/g/properties").refused("things:feature.notfound", 404)


def test_a_patch_cannot_touch_the_ids() -> None:
    patched([{"op": "remove", "path": "/thingId"}]).refused("things:id.notdeletable", 400)
    patched([{"op": "remove", "path": "/policyId"}]).refused("things:policyId.notdeletable", 400)
    patched([{"op": "replace", "path": "/thingId", "value": "a:b"}]).refused("things:id.notsettable", 400)
    patched([{"op": "replace", "path": "/thingId", "value": None}]).refused("things:id.notdeletable", 400)


def test_the_result_passes_the_checks_of_every_command() -> None:
    patched([{"op": "add", "path": "/attributes/a~1b", "value": 1}]).refused("json.key.invalid", 400)
    patched([{"op": "replace", "path": "/attributes", "value": 1}]).refused("things:merge.invalid", 400)
    tagged: JsonObject = {**JSON_PATCH, "if-match": '"rev:7"'}
    THING.when("merge", "/", [], headers=tagged).refused("things:precondition.failed", 412)
