"""``PATCH`` with ``application/json-patch+json`` (RFC 6902), which Ditto does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client

PUMP = "/api/2/things/farm.one:pump"
KIND = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
async def pump(client: Client) -> Client:
    await client("PUT", PUMP, {"attributes": {"a": 1, "list": [1, 2, 3]}, "features": {"f": {"properties": {"x": 1}}}})
    return client


@pytest.mark.parametrize(
    ("path", "operations", "resource", "value"),
    [
        ("", [{"op": "replace", "path": "/attributes/a", "value": 2}], "/attributes/a", 2),
        ("", [{"op": "add", "path": "/attributes/list/1", "value": 9}], "/attributes/list", [1, 9, 2, 3]),
        ("/attributes", [{"op": "remove", "path": "/a"}], "/attributes", {"list": [1, 2, 3]}),
        ("/attributes", [{"op": "copy", "from": "/a", "path": "/b"}], "/attributes/b", 1),
        ("/attributes/list", [{"op": "remove", "path": "/0"}], "/attributes/list", [2, 3]),
        ("/attributes", [{"op": "add", "path": "/n", "value": None}], "/attributes/n", None),
        ("/features/f/properties", [{"op": "replace", "path": "/x", "value": {"y": 1}}], "/features/f", None),
    ],
)
async def test_operations_apply_to_the_resource_of_the_path(
    pump: Client, path: str, operations: list[Any], resource: str, value: object
) -> None:
    reply = await pump("PATCH", PUMP + path, operations, KIND)
    assert reply.status in {201, 204}
    found = await pump("GET", PUMP + resource)
    assert found.headers["entity-revision"] == "2"
    if value is not None:
        assert found.json == value


async def test_a_failing_test_is_409_and_changes_nothing(pump: Client) -> None:
    operations = [
        {"op": "replace", "path": "/attributes/a", "value": 2},
        {"op": "test", "path": "/attributes/list/0", "value": 7},
    ]
    assert (await pump("PATCH", PUMP, operations, KIND)).status == 409
    unchanged = await pump("GET", f"{PUMP}/attributes/a")
    assert (unchanged.json, unchanged.headers["entity-revision"]) == (1, "1")


@pytest.mark.parametrize(
    "operations",
    [{}, "x", [1], [{"op": "nonsense", "path": "/a"}], [{"op": "add"}], [{"op": "remove", "path": "/none"}], [{}]],
)
async def test_operations_that_make_no_sense_are_400(pump: Client, operations: object) -> None:
    assert (await pump("PATCH", PUMP, operations, KIND)).status == 400


async def test_if_match_guards_the_resource_of_the_path(pump: Client) -> None:
    tag = (await pump("GET", f"{PUMP}/attributes")).headers["ETag"]
    operations = [{"op": "add", "path": "/list/-", "value": None}]
    assert (await pump("PATCH", f"{PUMP}/attributes", operations, {**KIND, "If-Match": '"x"'})).status == 412
    assert (await pump("PATCH", f"{PUMP}/attributes", operations, {**KIND, "If-Match": tag})).status == 204


async def test_a_patch_of_a_missing_thing_is_404(client: Client) -> None:
    reply = await client("PATCH", PUMP, [{"op": "add", "path": "/attributes", "value": {}}], KIND)
    assert (reply.status, reply.error) == (404, "things:thing.notfound")
