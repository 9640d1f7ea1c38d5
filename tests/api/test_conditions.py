"""Conditions over HTTP: as header, as query parameter, and those of a patch."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.api.conftest import Client

PUMP = "/api/2/things/farm.one:pump"
MAKER = f"{PUMP}/attributes/maker"
THING: dict[str, Any] = {
    "attributes": {"maker": "ACME", "row": 3, "deep": {"a": 1}},
    "features": {"motor": {"properties": {"rpm": 900}}},
}
TRUE, FALSE = 'and(eq(attributes/maker,"ACME"),gt(features/*/properties/rpm,899))', "gt(attributes/row,3)"


@pytest.fixture
async def pump(client: Client) -> Client:
    assert (await client("PUT", PUMP, THING)).status == 201
    return client


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("as_parameter", [True, False])
async def test_every_method_asks_its_condition_first(pump: Client, method: str, as_parameter: bool) -> None:
    async def asked(condition: str) -> tuple[int, str | None]:
        path, headers = (
            (f"{MAKER}?condition={quote(condition)}", {}) if as_parameter else (MAKER, {"condition": condition})
        )
        reply = await pump(method, path, "other", headers)
        return reply.status, reply.error if reply.status >= 400 else None

    assert await asked(FALSE) == (412, "things:condition.failed")
    assert await asked("gt(attributes/row,3") == (400, "rql.expression.invalid")
    assert (await pump("GET", MAKER)).json == "ACME"
    assert await asked(TRUE) in {(200, None), (204, None)}


async def test_a_mistake_is_shown_with_its_place(pump: Client) -> None:
    reply = await pump("GET", PUMP, headers={"condition": "eq(attributes/row, 3)"})
    assert reply.json["message"] == (
        "The expression does not parse at position 19: found ' ', expected a number, \"string\", true, false, null or"
        " time:now."
    )


async def test_a_condition_can_be_on_revision_and_time(pump: Client) -> None:
    text = quote("and(eq(_revision,1),gt(_modified,time:now-1h),like(thingId,'farm.*'),eq(_namespace,'farm.one'))")
    assert (await pump("PUT", f"{MAKER}?condition={text}", "B")).status == 204
    assert (await pump("PUT", f"{MAKER}?condition={text}", "C")).status == 412


async def test_a_creation_asks_no_condition(client: Client) -> None:
    assert (await client("PUT", f"{PUMP}?condition={FALSE}", THING)).status == 201
    assert (await client("POST", f"/api/2/things?condition={FALSE}", {})).status == 201
    assert (await client("GET", f"{PUMP}x?condition={FALSE}")).status == 404


async def test_of_several_things_those_are_shown_that_are_as_wanted(pump: Client) -> None:
    await pump("PUT", f"{PUMP}-2", {"attributes": {"row": 4}})
    path = "/api/2/things?ids=farm.one:pump,farm.one:pump-2&fields=thingId"
    reply = await pump("GET", f"{path}&condition={FALSE}")
    assert (reply.status, reply.json) == (200, [{"thingId": "farm.one:pump-2"}])
    assert (await pump("GET", f"{path}&condition=gt(")).error == "rql.expression.invalid"
    assert (await pump("GET", f"{path}&live-channel-condition={FALSE}")).status == 405


async def test_a_listing_of_a_namespace_has_no_condition(pump: Client) -> None:
    reply = await pump("GET", f"/api/2/things?condition={FALSE}")
    assert (reply.status, reply.error) == (400, "command.headers.invalid")


async def test_the_past_is_asked_as_it_was(pump: Client) -> None:
    await pump("PUT", MAKER, "B")
    headers = {"at-historical-revision": "1", "condition": 'eq(attributes/maker,"ACME")'}
    assert (await pump("GET", PUMP, headers=headers)).status == 200
    assert (await pump("GET", PUMP, headers={**headers, "at-historical-revision": "2"})).status == 412


async def test_a_patch_is_cut_down_to_the_places_whose_conditions_hold(pump: Client) -> None:
    conditions = {"attributes/maker": FALSE, "features/motor/properties/rpm": TRUE, "/attributes/deep/a": FALSE}
    patch = {
        "attributes": {"maker": "B", "row": 9, "deep": {"a": 2}},
        "features": {"motor": {"properties": {"rpm": 1}}},
    }
    header = {"merge-thing-patch-conditions": orjson.dumps(conditions).decode()}
    assert (await pump("PATCH", PUMP, patch, header)).status == 204
    thing = (await pump("GET", PUMP)).json
    assert thing["attributes"] == {"maker": "ACME", "row": 9, "deep": {"a": 1}}
    assert thing["features"]["motor"]["properties"] == {"rpm": 1}


async def test_a_patch_of_which_nothing_is_left_succeeds_and_makes_no_revision(pump: Client) -> None:
    header = {"merge-thing-patch-conditions": orjson.dumps({"/": FALSE}).decode()}
    reply = await pump("PATCH", MAKER, "B", header)
    assert (reply.status, reply.headers["entity-revision"]) == (204, "1")
    assert (await pump("GET", MAKER)).json == "ACME"


async def test_patch_conditions_that_are_none_are_refused(pump: Client) -> None:
    for header, code in (
        ("[]", "header.invalid"),
        ('{"a":1}', "header.invalid"),
        ('{"a":"b"}', "rql.expression.invalid"),
    ):
        reply = await pump("PATCH", PUMP, {"attributes": {}}, {"merge-thing-patch-conditions": header})
        assert (reply.status, reply.error) == (400, code)


async def test_the_channel_is_chosen_by_a_condition(pump: Client) -> None:
    reply = await pump("GET", f"{PUMP}?live-channel-condition={FALSE}")
    assert reply.status == 200
    assert (reply.headers["live-channel-condition-matched"], reply.headers["channel"]) == ("false", "twin")
    path = f"{PUMP}?live-channel-condition={quote(TRUE)}"
    late = await pump("GET", path)
    assert (late.status, late.error) == (408, "command.timeout")
    reply = await pump("GET", f"{path}&live-channel-timeout-strategy=use-twin")
    assert (reply.status, reply.headers["live-channel-condition-matched"]) == (200, "true")
    assert reply.headers["channel"] == "twin"
    refused = await pump("PUT", MAKER, "B", {"live-channel-condition": TRUE})
    assert (refused.status, refused.error) == (405, "things:live.channelcondition.notallowed")


async def test_what_is_meant_for_the_device_neither_changes_the_twin_nor_is_answered_by_it(pump: Client) -> None:
    for method in ("PUT", "PATCH", "DELETE", "GET"):
        for path, headers in ((f"{MAKER}?channel=live", {}), (MAKER, {"channel": "live"})):
            reply = await pump(method, path, "B", headers)
            assert (reply.status, reply.error) == (408, "command.timeout")
    several = await pump("GET", "/api/2/things?ids=farm.one:pump&channel=live")
    assert (several.status, several.error) == (408, "command.timeout")
    refused = await pump("POST", "/api/2/things?channel=live", {})
    assert (refused.status, refused.error) == (405, "things:thing.notcreatable")
    assert (await pump("GET", f"{PUMP}?channel=twin&fields=_revision")).json == {"_revision": 1}
    fallen_back = await pump("GET", f"{MAKER}?channel=live&live-channel-timeout-strategy=use-twin")
    assert (fallen_back.json, fallen_back.headers["channel"]) == ("ACME", "twin")


async def test_what_may_not_be_read_cannot_be_asked(pump: Client) -> None:
    entries = {
        "owner": {
            "subjects": {"nginx:ada": {"type": "t"}},
            "resources": {
                "policy:/": {"grant": ["READ", "WRITE"], "revoke": []},
                "thing:/": {"grant": ["WRITE"], "revoke": []},
            },
        },
        "reader": {
            "subjects": {"nginx:ada": {"type": "t"}},
            "resources": {"thing:/attributes/row": {"grant": ["READ"], "revoke": []}},
        },
    }
    thing = "/api/2/things/farm.one:shared"
    assert (await pump("PUT", thing, {**THING, "_policy": {"entries": entries}})).status == 201
    for method in ("GET", "PUT"):
        for condition in (TRUE, 'ne(attributes/maker,"X")', "not(exists(attributes/maker))"):
            reply = await pump(method, f"{thing}/attributes/row", 3, {"condition": condition})
            assert (reply.status, reply.error) == (412, "things:condition.failed")
        reply = await pump(method, f"{thing}/attributes/row", 3, {"condition": "eq(attributes/row,3)"})
        assert reply.status in {200, 204}
