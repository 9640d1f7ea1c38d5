"""``POST /checkPermissions``: what may I, and why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client

CHECK = "/api/2/checkPermissions"
BOB = {"x-ditto-pre-authenticated": "nginx:bob"}
EVERYTHING = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/", "message:/")}


def check(resource: str, entity_id: str, *permissions: str) -> dict[str, object]:
    return {"resource": resource, "entityId": entity_id, "hasPermissions": list(permissions)}


@pytest.fixture
async def farm(client: Client) -> Client:
    base: dict[str, Any] = {
        "owner": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": EVERYTHING},
        "guests": {
            "subjects": {"nginx:bob": {"type": "t"}},
            "resources": {"thing:/attributes": {"grant": ["READ"], "revoke": []}},
        },
    }
    guests = {
        "subjects": {"nginx:bob": {"type": "t"}},
        "resources": {"thing:/attributes/secret": {"grant": [], "revoke": ["READ"]}},
    }
    await client("PUT", "/api/2/policies/farm.one:base", {"entries": base})
    policy = {"entries": {"owner": base["owner"], "secrets": guests}, "imports": {"farm.one:base": {}}}
    assert (await client("PUT", "/api/2/policies/farm.one:p", policy)).status == 201
    assert (await client("PUT", "/api/2/things/farm.one:t", {"policyId": "farm.one:p"})).status == 201
    return client


async def test_each_question_is_answered_by_its_name(farm: Client) -> None:
    questions = {
        "write": check("thing:/features/x", "farm.one:t", "WRITE"),
        "both": check("thing:/", "farm.one:t", "READ", "WRITE"),
        "execute": check("policy:/", "farm.one:p", "EXECUTE"),
        "policy": check("policy:/entries/owner", "farm.one:p", "WRITE"),
        "message": check("message:/inbox/messages/ask", "farm.one:t", "WRITE"),
        "unknown thing": check("thing:/", "farm.one:none", "READ"),
        "unknown policy": check("policy:/", "farm.one:none", "READ"),
    }
    reply = await farm("POST", CHECK, questions)
    assert reply.status == 200
    assert reply.json == {
        "write": True,
        "both": True,
        "execute": False,
        "policy": True,
        "message": True,
        "unknown thing": False,
        "unknown policy": False,
    }
    guest = {
        "attributes": check("thing:/attributes/a", "farm.one:t", "READ"),
        "secret": check("thing:/attributes/secret/x", "farm.one:t", "READ"),
        "all attributes": check("thing:/attributes", "farm.one:t", "READ"),
        "write": check("thing:/attributes/a", "farm.one:t", "READ", "WRITE"),
    }
    reply = await farm("POST", CHECK, guest, BOB, auth={})
    assert reply.json == {"attributes": True, "secret": False, "all attributes": False, "write": False}


async def test_a_change_of_the_policy_counts_at_once(farm: Client) -> None:
    question = {"q": check("thing:/attributes/a", "farm.one:t", "READ")}
    assert (await farm("POST", CHECK, question, BOB, auth={})).json == {"q": True}
    await farm("DELETE", "/api/2/policies/farm.one:base/entries/guests")
    assert (await farm("POST", CHECK, question, BOB, auth={})).json == {"q": False}
    await farm("DELETE", "/api/2/policies/farm.one:p")
    assert (await farm("POST", CHECK, question)).json == {"q": False}


async def test_an_explanation_names_entry_and_policy(farm: Client) -> None:
    reply = await farm("POST", f"{CHECK}?explain=true", {"q": check("thing:/attributes", "farm.one:t", "READ")})
    found = reply.json["q"]
    assert (found["allowed"], found["explained"]) == (True, True)
    assert (
        found["permissions"]["READ"]["decidedBy"]
        == {
            "policyId": "farm.one:p",
            "entry": "owner",
            "resource": "thing:/",
            "effect": "grant",
            "relation": "above",
        }
        or found["permissions"]["READ"]["decidedBy"]["policyId"] == "farm.one:base"
    )
    rules = found["permissions"]["READ"]["rules"]
    assert {(rule["policyId"], rule["entry"]) for rule in rules} == {
        ("farm.one:p", "owner"),
        ("farm.one:base", "owner"),
    }


async def test_who_may_not_read_the_policy_hears_the_answer_without_the_reasons(farm: Client) -> None:
    question = {"q": check("thing:/attributes", "farm.one:t", "READ"), "none": check("thing:/", "farm.one:no", "READ")}
    hidden = {"allowed": False, "explained": False, "permissions": {"READ": {"allowed": False}}}
    reply = await farm("POST", f"{CHECK}?explain=true", question, BOB, auth={})
    assert reply.json == {"q": hidden, "none": hidden}
    readable = {"subjects": {"nginx:bob": {"type": "t"}}, "resources": {"policy:/": {"grant": ["READ"], "revoke": []}}}
    await farm("PUT", "/api/2/policies/farm.one:p/entries/auditors", readable)
    reply = await farm("POST", f"{CHECK}?explain=true", question, BOB, auth={})
    decided_by = reply.json["q"]["permissions"]["READ"]["decidedBy"]
    assert (decided_by["policyId"], decided_by["entry"], decided_by["effect"]) == ("farm.one:p", "secrets", "revoke")
    assert [rule["policyId"] for rule in reply.json["q"]["permissions"]["READ"]["rules"]] == [
        "farm.one:base",
        "farm.one:p",
    ]


async def test_the_policy_is_shown_to_whoever_may_read_it_also_without_the_things_policy_id(farm: Client) -> None:
    clerk = {
        "subjects": {"nginx:cleo": {"type": "t"}},
        "resources": {key: {"grant": ["READ"], "revoke": []} for key in ("thing:/attributes", "policy:/imports")},
    }
    await farm("PUT", "/api/2/policies/farm.one:p/entries/clerk", clerk)
    cleo = {"x-ditto-pre-authenticated": "nginx:cleo"}
    shown = await farm("GET", "/api/2/things/farm.one:t?fields=policyId,_policy", headers=cleo, auth={})
    assert shown.json == {"_policy": {"policyId": "farm.one:p", "imports": {"farm.one:base": {}}}}
    bob = await farm("GET", "/api/2/things/farm.one:t?fields=_policy", headers=BOB, auth={})
    assert bob.json == {}


async def test_the_key_of_a_resource_in_a_policy_is_one_key(farm: Client) -> None:
    key = "policy:/entries/owner/resources/thing:/attributes/a"
    watcher = {"subjects": {"nginx:bob": {"type": "t"}}, "resources": {key: {"grant": ["READ"], "revoke": []}}}
    await farm("PUT", "/api/2/policies/farm.one:p/entries/watcher", watcher)
    questions = {
        "granted": check(key, "farm.one:p", "READ"),
        "beside": check(f"{key}/b", "farm.one:p", "READ"),
        "slash": check("policy:/entries/owner/resources/thing:/", "farm.one:p", "READ"),
    }
    reply = await farm("POST", CHECK, questions, BOB, auth={})
    assert reply.json == {"granted": True, "beside": False, "slash": False}


WRONG: list[tuple[Any, int, str]] = [
    ([], 400, "json.format.invalid"),
    ({"q": 1}, 400, "json.format.invalid"),
    ({"q": {}}, 400, "json.field.missing"),
    ({"q": {"resource": "thing:/", "entityId": "a:b"}}, 400, "json.field.missing"),
    ({"q": check("thing:/", "noid", "READ")}, 400, "things:id.invalid"),
    ({"q": check("policy:/", "noid", "READ")}, 400, "policies:id.invalid"),
    ({"q": check("door:/", "a:b", "READ")}, 400, "json.format.invalid"),
    ({"q": check("thing", "a:b", "READ")}, 400, "json.format.invalid"),
    ({"q": check("thing:x", "a:b", "READ")}, 400, "json.format.invalid"),
    ({"q": check("thing://x", "a:b", "READ")}, 400, "json.pointer.invalid"),
    ({"q": check("thing:/", "a:b")}, 400, "json.format.invalid"),
    ({"q": check("thing:/", "a:b", "FLY")}, 400, "json.format.invalid"),
    ({"q": {**check("thing:/", "a:b"), "hasPermissions": "READ"}}, 400, "json.format.invalid"),
    ({"q": {**check("thing:/", "a:b"), "hasPermissions": [["READ"]]}}, 400, "json.format.invalid"),
    ({str(n): check("thing:/", "a:b", "READ") for n in range(1_001)}, 400, "json.format.invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG, ids=range(len(WRONG)))
async def test_a_question_that_cannot_be_read(client: Client, body: object, status: int, code: str) -> None:
    reply = await client("POST", CHECK, body)
    assert (reply.status, reply.error) == (status, code)


async def test_how_the_question_is_sent(client: Client) -> None:
    assert (await client("POST", CHECK, {})).json == {}
    assert (await client("POST", CHECK, data=b"")).error == "json.format.invalid"
    assert (await client("POST", CHECK, {}, {"Content-Type": "text/plain"})).status == 415
    assert (await client("POST", f"{CHECK}?explain=perhaps", {})).error == "header.invalid"
    assert (await client("POST", f"{CHECK}/", {})).status == 200
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        reply = await client(method, CHECK, {})
        assert (reply.status, reply.headers["Allow"]) == (405, "OPTIONS, POST")
    assert (await client("POST", CHECK, {}, auth={})).status == 401
