"""Every thing route, method by method and outcome by outcome."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from tests.api.conftest import Client

PUMP = "/api/2/things/farm.one:pump"
THING: dict[str, Any] = {
    "definition": "farm:pump:1.0.0",
    "attributes": {"maker": "ACME", "place": {"row": 3, "a~b": 1}},
    "features": {
        "motor": {
            "definition": ["farm:motor:1.0.0"],
            "properties": {"rpm": 900, "limits": {"max": 1000}},
            "desiredProperties": {"rpm": 950},
        },
        "lamp": {"properties": {"on": True}},
    },
}
STORED = {"thingId": "farm.one:pump", "policyId": "farm.one:pump", **THING}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
async def pump(client: Client) -> Client:
    assert (await client("PUT", PUMP, THING)).status == 201
    return client


class Resource(NamedTuple):
    path: str
    value: Any
    other: Any
    absent: str
    not_found: str


# path, its value in THING, another valid value, a sibling path that is not there, the code of its absence
RESOURCES = [
    Resource("/definition", "farm:pump:1.0.0", "farm:pump:2.0.0", "", "things:definition.notfound"),
    Resource("/attributes", THING["attributes"], {"x": 1}, "", "things:attributes.notfound"),
    Resource("/attributes/maker", "ACME", None, "/attributes/none", "things:attribute.notfound"),
    Resource("/attributes/place/row", 3, [1, {"a": 2}], "/attributes/place/none", "things:attribute.notfound"),
    Resource("/attributes/place/a~0b", 1, 2, "/attributes/place/b~0a", "things:attribute.notfound"),
    Resource("/attributes/place%2Frow", 3, "x", "/attributes/place%2Fnone", "things:attribute.notfound"),
    Resource("/features", THING["features"], {"new": {}}, "", "things:features.notfound"),
    Resource("/features/lamp", THING["features"]["lamp"], {}, "/features/none", "things:feature.notfound"),
    Resource(
        "/features/motor/definition",
        ["farm:motor:1.0.0"],
        ["farm:motor:2.0.0"],
        "/features/lamp/definition",
        "things:feature.definition.notfound",
    ),
    Resource(
        "/features/motor/properties",
        THING["features"]["motor"]["properties"],
        {"a": 1},
        "",
        "things:feature.properties.notfound",
    ),
    Resource(
        "/features/motor/properties/limits/max",
        1000,
        {"deep": None},
        "/features/motor/properties/none",
        "things:feature.property.notfound",
    ),
    Resource(
        "/features/motor/desiredProperties",
        {"rpm": 950},
        {"rpm": 1},
        "/features/lamp/desiredProperties",
        "things:feature.desiredProperties.notfound",
    ),
    Resource(
        "/features/motor/desiredProperties/rpm",
        950,
        951,
        "/features/motor/desiredProperties/none",
        "things:feature.desiredProperty.notfound",
    ),
]
EACH = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.path)


@EACH
async def test_a_resource_is_read_with_its_tag_and_the_revision(pump: Client, resource: Resource) -> None:
    reply = await pump("GET", PUMP + resource.path)
    assert (reply.status, reply.json) == (200, resource.value)
    assert reply.headers["ETag"].startswith('"hash:')
    assert reply.headers["entity-revision"] == "1"
    assert reply.headers["Content-Type"] == "application/json"
    assert (await pump("GET", PUMP + resource.path + "/")).json == resource.value


@EACH
async def test_a_resource_is_replaced_with_204_and_its_new_tag(pump: Client, resource: Resource) -> None:
    before = await pump("GET", PUMP + resource.path)
    reply = await pump("PUT", PUMP + resource.path, resource.other)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["entity-revision"] == "2"
    after = await pump("GET", PUMP + resource.path)
    assert after.json == resource.other
    assert reply.headers["ETag"] == after.headers["ETag"] != before.headers["ETag"]


@EACH
async def test_a_resource_is_deleted_and_then_not_found(pump: Client, resource: Resource) -> None:
    reply = await pump("DELETE", PUMP + resource.path)
    assert (reply.status, reply.body) == (204, b"")
    assert "ETag" not in reply.headers
    for method in ("GET", "DELETE"):
        gone = await pump(method, PUMP + resource.path)
        assert (gone.status, gone.error) == (404, resource.not_found)


@EACH
async def test_a_resource_that_is_not_there_is_created_with_201_value_and_location(
    pump: Client, resource: Resource
) -> None:
    await pump("DELETE", PUMP + resource.path)
    reply = await pump("PUT", PUMP + resource.path + "?timeout=20", resource.value)
    assert (reply.status, reply.json) == (201, resource.value)
    assert reply.headers["Location"] == pump.origin + PUMP + resource.path
    assert reply.headers["ETag"].startswith('"hash:')


@EACH
async def test_a_resource_is_merged_with_204(pump: Client, resource: Resource) -> None:
    value = {"merged": {}} if resource.path == "/features" else resource.other
    if value is None:
        value = "text"
    reply = await pump("PATCH", PUMP + resource.path, value)
    assert (reply.status, reply.body) == (204, b"")
    merged = (await pump("GET", PUMP + resource.path)).json
    if isinstance(value, dict) and isinstance(resource.value, dict):
        assert merged.items() >= value.items()
    elif not isinstance(value, dict):
        assert merged == value


@EACH
async def test_a_sibling_that_is_not_there_is_404_by_its_own_name(pump: Client, resource: Resource) -> None:
    if resource.absent:
        reply = await pump("GET", PUMP + resource.absent)
        assert (reply.status, reply.error) == (404, resource.not_found)


@EACH
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_everything_below_a_missing_thing_is_404_by_the_name_of_the_thing(
    client: Client, resource: Resource, method: str
) -> None:
    reply = await client(method, PUMP + resource.path, resource.other if resource.other is not None else "x")
    assert (reply.status, reply.error) == (404, "things:thing.notfound")


@EACH
async def test_if_match_guards_a_resource(pump: Client, resource: Resource) -> None:
    tag = (await pump("GET", PUMP + resource.path)).headers["ETag"]
    for method in ("GET", "PUT", "DELETE"):
        reply = await pump(method, PUMP + resource.path, resource.other, {"If-Match": '"hash:other"'})
        assert (reply.status, reply.error) == (412, "things:precondition.failed")
        assert reply.headers["ETag"] == tag
    assert (await pump("PUT", PUMP + resource.path, resource.other, {"If-Match": f'"x", {tag}'})).status == 204


@EACH
async def test_if_none_match_spares_the_body_of_what_is_known(pump: Client, resource: Resource) -> None:
    tag = (await pump("GET", PUMP + resource.path)).headers["ETag"]
    reply = await pump("GET", PUMP + resource.path, headers={"If-None-Match": tag})
    assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", tag)
    refused = await pump("PUT", PUMP + resource.path, resource.other, {"If-None-Match": "*"})
    assert (refused.status, refused.error) == (412, "things:precondition.failed")


@EACH
async def test_if_equal_skip_refuses_a_change_that_changes_nothing(pump: Client, resource: Resource) -> None:
    reply = await pump("PUT", PUMP + resource.path, resource.value, {"if-equal": "skip"})
    assert (reply.status, reply.error) == (412, "things:precondition.failed")
    assert (await pump("GET", PUMP)).headers["entity-revision"] == "1"


@EACH
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_body_has_to_be_json_of_the_right_media_type(pump: Client, resource: Resource, method: str) -> None:
    for kind in ("text/plain", "application/xml", ""):
        reply = await pump(method, PUMP + resource.path, resource.value, {"Content-Type": kind})
        assert (reply.status, reply.error) == (415, "mediatype.unsupported")
    for data in (b"{", b"", b"nul", b'{"a":1}x', b"\xff", b"[" * 100_000):
        reply = await pump(method, PUMP + resource.path, data=data)
        assert reply.status == 400
        assert reply.error in {"json.invalid", "json.format.invalid"}
    deep = b"[" * 65 + b"]" * 65
    assert (await pump(method, PUMP + resource.path, data=deep)).error in {"json.invalid", "json.format.invalid"}


@EACH
async def test_a_method_that_is_not_there_is_405_and_names_those_that_are(pump: Client, resource: Resource) -> None:
    reply = await pump("POST", PUMP + resource.path, {})
    assert reply.status == 405
    assert reply.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    options = await pump("OPTIONS", PUMP + resource.path)
    assert (options.status, options.headers["Allow"]) == (204, reply.headers["Allow"])


async def test_a_thing_is_created_by_put_with_its_policy(client: Client) -> None:
    reply = await client("PUT", PUMP, THING)
    assert (reply.status, reply.json) == (201, STORED)
    assert reply.headers["ETag"] == '"rev:1"'
    assert reply.headers["Location"] == client.origin + PUMP
    assert reply.headers["ditto-originator"] == "nginx:ada"
    assert int(reply.headers["twinlog-position"]) >= 1
    assert (await client("GET", PUMP)).json == STORED


async def test_a_thing_is_created_by_post_under_a_new_id(client: Client) -> None:
    reply = await client("POST", "/api/2/things", {"attributes": {"a": 1}})
    assert reply.status == 201
    thing_id = reply.json["thingId"]
    assert re.fullmatch(f"org.eclipse.ditto:{UUID}", thing_id)
    assert reply.headers["Location"] == f"{client.origin}/api/2/things/{thing_id}"
    assert (await client("GET", f"/api/2/things/{thing_id}")).json["attributes"] == {"a": 1}
    other = await client("POST", "/api/2/things?namespace=farm.two", {})
    assert re.fullmatch(f"farm.two:{UUID}", other.json["thingId"])


async def test_a_repeated_post_with_one_idempotency_key_makes_one_thing(client: Client) -> None:
    key = {"Idempotency-Key": "order-66"}
    first = await client("POST", "/api/2/things", {"attributes": {"a": 1}}, key)
    second = await client("POST", "/api/2/things", {"attributes": {"a": 1}}, key)
    assert (first.status, second.status) == (201, 201)
    assert first.json["thingId"] == second.json["thingId"]
    assert (await client("GET", f"/api/2/things/{first.json['thingId']}")).headers["entity-revision"] == "1"


@pytest.mark.parametrize("header", ["Idempotency-Key", "ditto-message-id"])
async def test_a_repeated_put_with_one_idempotency_key_changes_once(pump: Client, header: str) -> None:
    for _ in range(2):
        reply = await pump("PUT", f"{PUMP}/attributes/maker", "EMCA", {header: "k"})
        assert (reply.status, reply.headers["entity-revision"]) == (204, "2")


@pytest.mark.parametrize("key", ["", "x" * 257])
async def test_an_idempotency_key_has_a_sane_length(pump: Client, key: str) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/maker", 1, {"Idempotency-Key": key})
    assert (reply.status, reply.error) == (400, "header.invalid")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/api/2/things", {"thingId": "a:b"}, 400, "things:id.notsettable"),
        ("POST", "/api/2/things", [], 400, "json.format.invalid"),
        ("POST", "/api/2/things?namespace=no!", {}, 400, "things:id.invalid"),
        ("PUT", PUMP, {"thingId": "farm.one:other"}, 400, "things:id.notsettable"),
        ("PUT", PUMP, "text", 400, "json.format.invalid"),
        ("PUT", PUMP, {"_policy": {}, "_copyPolicyFrom": "a:b"}, 204, ""),
        ("PATCH", PUMP, None, 400, "things:merge.invalid"),
        ("PATCH", PUMP, {}, 400, "things:merge.invalid"),
        ("PATCH", PUMP, {"thingId": None}, 400, "things:id.notdeletable"),
        ("PATCH", PUMP, {"policyId": None}, 400, "things:policyId.notdeletable"),
        ("PUT", f"{PUMP}/definition", "nonsense", 400, "things:definition.identifier.invalid"),
        ("PUT", f"{PUMP}/features/lamp/definition", [], 400, "things:feature.definition.empty"),
        ("PUT", f"{PUMP}/features/none/properties/x", 1, 404, "things:feature.notfound"),
        ("DELETE", f"{PUMP}/features/none/properties", None, 404, "things:feature.notfound"),
        ("PUT", f"{PUMP}/attributes//x", 1, 400, "json.pointer.invalid"),
        ("PUT", f"{PUMP}/attributes/a//x", 1, 400, "json.pointer.invalid"),
        ("PUT", f"{PUMP}/attributes/%2Fx", 1, 400, "json.pointer.invalid"),
        ("PUT", f"{PUMP}/attributes/a%00b", 1, 400, "json.key.invalid"),
        ("PUT", f"{PUMP}/attributes/a", {"b/c": 1}, 400, "json.key.invalid"),
        ("PUT", f"{PUMP}/features/a%2Fb", {}, 400, "json.key.invalid"),
        ("GET", "/api/2/things/no-colon", None, 400, "things:id.invalid"),
        ("GET", "/api/2/things/a:b%2Fc", None, 400, "things:id.invalid"),
        ("GET", "/api/2/things/a:%00", None, 400, "things:id.invalid"),
        ("GET", f"/api/2/things/a:{'x' * 300}", None, 400, "things:id.invalid"),
        ("GET", f"{PUMP}?fields=a(b", None, 400, "json.fieldselector.invalid"),
        ("GET", f"{PUMP}?fields=", None, 400, "json.fieldselector.invalid"),
        ("GET", f"{PUMP}?timeout=x", None, 400, "timeout.invalid"),
        ("GET", f"{PUMP}?timeout=61", None, 400, "gateway:timeout.invalid"),
        ("GET", f"{PUMP}?timeout=0", None, 400, "header.invalid"),
        ("GET", f"{PUMP}?response-required=false", None, 400, "command.headers.invalid"),
        ("PUT", f"{PUMP}?response-required=maybe", {}, 400, "header.invalid"),
        ("PUT", f"{PUMP}?timeout=0&response-required=true", {}, 400, "header.invalid"),
        ("PUT", f"{PUMP}?timeout=0&requested-acks=twin-persisted", {}, 400, "header.invalid"),
        ("PUT", f"{PUMP}?requested-acks=a", {}, 400, "acknowledgement:label.invalid"),
        ("PUT", f"{PUMP}?requested-acks=with%20space", {}, 400, "acknowledgement:label.invalid"),
        ("PUT", f"{PUMP}?if-match=x", {}, 204, ""),
    ],
)
async def test_a_mistake_is_answered_by_its_code(
    pump: Client, method: str, path: str, body: object, status: int, error: str
) -> None:
    reply = await pump(method, path, body)
    assert (reply.status, reply.error if reply.body else "") == (status, error)
    if reply.body:
        assert reply.json["status"] == status
        assert reply.json["message"]
        assert None not in reply.json.values()


async def test_an_existing_thing_is_replaced_but_keeps_its_policy(pump: Client) -> None:
    reply = await pump("PUT", PUMP, {"attributes": {"only": 1}})
    assert (reply.status, reply.headers["ETag"]) == (204, '"rev:2"')
    assert (await pump("GET", PUMP)).json == {
        "thingId": "farm.one:pump",
        "policyId": "farm.one:pump",
        "attributes": {"only": 1},
    }


async def test_a_patch_of_an_unknown_thing_creates_it_without_nulls(client: Client) -> None:
    reply = await client("PATCH", PUMP, {"attributes": {"a": 1, "b": None}})
    assert (reply.status, reply.json["attributes"]) == (201, {"a": 1})
    assert reply.headers["Location"] == client.origin + PUMP


async def test_a_thing_can_be_deleted_and_made_again_and_its_revision_counts_on(pump: Client) -> None:
    assert (await pump("DELETE", PUMP)).status == 204
    assert (await pump("GET", PUMP)).error == "things:thing.notfound"
    assert (await pump("DELETE", PUMP)).error == "things:thing.notfound"
    again = await pump("PUT", PUMP, {"policyId": "farm.one:pump"})
    assert (again.status, again.headers["ETag"]) == (201, '"rev:3"')


async def test_the_policy_id_can_be_read_and_changed_but_not_deleted(pump: Client) -> None:
    path = f"{PUMP}/policyId"
    for other in ("farm.one:other", "farm.one:bare"):  # each with a policy of its name
        assert (await pump("PUT", f"/api/2/things/{other}", {})).status == 201
    assert (await pump("GET", path)).json == "farm.one:pump"
    assert (await pump("PUT", path, "farm.one:other")).status == 204
    assert (await pump("PUT", path, data=b"farm.one:bare")).status == 204
    assert (await pump("GET", path)).json == "farm.one:bare"
    assert (await pump("PUT", path, "bad")).error == "policies:id.invalid"
    assert (await pump("PATCH", path, None)).error == "things:policyId.notdeletable"
    refused = await pump("DELETE", path)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, PATCH, PUT")
    assert (await pump("GET", path + "/")).status == 404


async def test_fields_select_and_may_be_repeated(pump: Client) -> None:
    reply = await pump("GET", f"{PUMP}?fields=attributes(maker,place/row)&fields=_revision")
    assert reply.json == {"attributes": {"maker": "ACME", "place": {"row": 3}}, "_revision": 1}
    reply = await pump("GET", f"{PUMP}?fields=features/*/properties/on")
    assert reply.json == {"features": {"lamp": {"properties": {"on": True}}}}
    assert (await pump("GET", f"{PUMP}?fields=nothing")).json == {}
    assert (await pump("GET", f"{PUMP}/attributes?fields=maker")).json == {"maker": "ACME"}
    assert (await pump("GET", f"{PUMP}?fields=_policy")).json["_policy"]["policyId"] == "farm.one:pump"


async def test_paths_are_decoded_once_and_a_plus_is_a_plus(pump: Client) -> None:
    assert (await pump("PUT", f"{PUMP}/attributes/a+b%2520c%20d", 1)).status == 201
    assert (await pump("GET", f"{PUMP}/attributes")).json["a+b%20c d"] == 1
    assert (await pump("PUT", f"{PUMP}/attributes/x%7E1y", 2)).status == 201
    assert (await pump("GET", f"{PUMP}/attributes")).json["x~1y"] == 2
    assert (await pump("GET", "/api/2/things/farm.one%3Apump/%61ttributes/maker")).json == "ACME"
    assert (await pump("PUT", "/api/2/things/a:%E2%82%AC", {})).status == 201


async def test_an_id_without_namespace_is_in_the_default_one(client: Client) -> None:
    assert (await client("PUT", "/api/2/things/:x", {})).json["thingId"] == "org.eclipse.ditto:x"
    assert (await client("GET", "/api/2/things/:x")).status == 200


async def test_head_is_a_get_without_body(pump: Client) -> None:
    reply = await pump("HEAD", PUMP)
    assert (reply.status, reply.body, reply.headers["ETag"]) == (200, b"", '"rev:1"')


@pytest.mark.parametrize("query", ["response-required=false", "timeout=0"])
async def test_a_client_that_wants_no_response_gets_202_and_its_change(pump: Client, query: str) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/maker?{query}", "EMCA")
    assert (reply.status, reply.body) == (202, b"")
    assert (await pump("GET", f"{PUMP}/attributes/maker")).json == "EMCA"
    refused = await pump("PUT", f"{PUMP}/features/none/properties/x?{query}", 1)
    assert (refused.status, refused.error) == (404, "things:feature.notfound")


async def test_headers_and_parameters_of_one_name_must_agree(pump: Client) -> None:
    path = f"{PUMP}/attributes/maker?response-required=false"
    assert (await pump("PUT", path, 1, {"response-required": "true"})).error == "gateway:duplicate.header.field"
    assert (await pump("PUT", path, 1, {"response-required": "false"})).status == 202
    assert (await pump("PUT", path + "&response-required=true", 1)).error == "gateway:duplicate.header.field"


async def test_asked_headers_are_sent_back(pump: Client) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/maker?timeout=20s", 1, {"response-required": "true"})
    assert (reply.headers["response-required"], reply.headers["timeout"]) == ("true", "20s")


async def test_twin_persisted_alone_is_the_usual_answer(pump: Client) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/maker?requested-acks=twin-persisted,live-response", 1)
    assert (reply.status, reply.body) == (204, b"")
    reply = await pump("PUT", f"{PUMP}/attributes/maker?requested-acks=twin-persisted&response-required=false", 1)
    assert (reply.status, reply.body) == (202, b"")


async def test_an_acknowledgement_that_does_not_come_fails_the_whole_with_424(pump: Client) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/x?timeout=2s", 1, {"requested-acks": '["twin-persisted","my:ack"]'})
    assert reply.status == 424
    assert reply.json["twin-persisted"]["status"] == 201
    assert reply.json["twin-persisted"]["payload"] == 1
    assert reply.json["my:ack"]["payload"]["error"] == "acknowledgement:request.timeout"
    assert (await pump("GET", f"{PUMP}/attributes/x")).json == 1


async def test_a_single_acknowledgement_that_does_not_come_is_408(pump: Client) -> None:
    reply = await pump("PUT", f"{PUMP}/attributes/x?timeout=2s&requested-acks=my:ack", 1)
    assert (reply.status, reply.error) == (408, "acknowledgement:request.timeout")


async def test_acknowledgements_without_response_are_told_by_label_and_status(pump: Client) -> None:
    path = f"{PUMP}/attributes/x?timeout=2s&requested-acks=twin-persisted,my:ack&response-required=false"
    reply = await pump("PUT", path, 1)
    assert (reply.status, reply.json) == (424, {"twin-persisted": {"status": 201}, "my:ack": {"status": 408}})
