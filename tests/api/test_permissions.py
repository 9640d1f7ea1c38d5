"""``POST /checkPermissions``: what may I, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore.memory import InMemorySoleWriter
from projections.twins import InMemoryTwins
from protocol.context import Limits
from protocol.identifiers import PolicyId
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from tests.api.conftest import Client, serving
from tests.api.gated import GatedStore

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
    assert found["permissions"]["READ"]["decidedBy"] == {
        "policyId": "farm.one:base",
        "entry": "owner",
        "countsAs": "imported-farm.one:base-owner",
        "subjects": ["nginx:ada"],
        "resource": "thing:/",
        "effect": "grant",
        "relation": "above",
    }
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
    own, imported = reply.json["q"]["permissions"]["READ"]["rules"]
    assert own == decided_by
    assert imported == {"policyId": "farm.one:base", "effect": "grant", "hidden": True}


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


READING: dict[str, object] = {"grant": ["READ"], "revoke": []}


def entry(*subjects: str, resources: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"subjects": {subject: {"type": "t"} for subject in subjects}, "resources": resources, **more}


AUDITORS = entry("nginx:bob", resources={"policy:/": READING}, importable="never")


@pytest.fixture
async def woven(farm: Client) -> Client:
    """A policy in which Bob's rights come on every way that there is; he may read where each is written."""
    await farm("PUT", "/api/2/policies/farm.one:base/entries/auditors", AUDITORS)
    plans = {
        "auditors": AUDITORS,
        "owner": entry("nginx:ada", resources=EVERYTHING),
        "plan": entry(resources={"thing:/features": READING}, importable="explicit"),
    }
    await farm("PUT", "/api/2/policies/farm.one:plans", {"entries": plans})
    entries = {
        "owner": entry("nginx:ada", resources=EVERYTHING),
        "crew": entry(
            "nginx:bob",
            resources={"policy:/": READING},
            references=[{"entry": "plan", "import": "farm.one:plans"}, {"entry": "local"}],
        ),
        "local": entry("group:staff", resources={"thing:/attributes/secret": {"grant": [], "revoke": ["READ"]}}),
        "abroad": entry("nginx:bob", resources={"thing:/definition": READING}, namespaces=["farm.two"]),
        "here": entry("nginx:bob", resources={"thing:/policyId": READING}, namespaces=["farm.one", "farm.two"]),
    }
    imports = {"farm.one:base": {}, "farm.one:plans": {"entries": ["plan"]}}
    await farm("PUT", "/api/2/policies/farm.one:woven", {"entries": entries, "imports": imports})
    thing = {"policyId": "farm.one:woven", "attributes": {"a": 1, "secret": 2}, "features": {"f": {}}}
    assert (await farm("PUT", "/api/2/things/farm.one:w", thing)).status == 201
    return farm


async def explained(client: Client, resource: str, subjects: str = "nginx:bob") -> Any:  # noqa: ANN401 - JSON
    question = {"q": check(resource, "farm.one:w", "READ")}
    pooled = {"x-ditto-pre-authenticated": subjects}
    return (await client("POST", f"{CHECK}?explain=true", question, pooled, auth={})).json["q"]["permissions"]["READ"]


@pytest.mark.parametrize(
    ("resource", "written", "counts_as"),
    [
        ("thing:/features/f", ("farm.one:plans", "plan"), "crew"),
        ("thing:/attributes/a", ("farm.one:base", "guests"), "imported-farm.one:base-guests"),
        ("thing:/attributes/secret", ("farm.one:woven", "local"), "crew"),
        ("thing:/policyId", ("farm.one:woven", "here"), "here"),
    ],
)
async def test_an_explanation_says_where_a_rule_is_written_and_what_brings_it_in(
    woven: Client, resource: str, written: tuple[str, str], counts_as: str
) -> None:
    found = (await explained(woven, resource))["decidedBy"]
    assert ((found["policyId"], found["entry"]), found["countsAs"]) == (written, counts_as)
    resolved = await woven("GET", "/api/2/policies/farm.one:woven?policy-view=resolved")
    assert counts_as in resolved.json["entries"]


@pytest.mark.parametrize(
    ("resource", "source", "told"),
    [
        ("thing:/attributes/a", "base", {}),
        ("thing:/features/f", "plans", {"countsAs": "crew"}),
    ],
)
async def test_of_a_rule_that_the_caller_may_not_read_where_it_is_written_the_effect_alone_is_told(
    woven: Client, resource: str, source: str, told: dict[str, str]
) -> None:
    before = await explained(woven, resource)
    assert (await woven("DELETE", f"/api/2/policies/farm.one:{source}/entries/auditors")).status == 204
    after = await explained(woven, resource)
    assert after["decidedBy"] == {"policyId": f"farm.one:{source}", "effect": "grant", "hidden": True, **told}
    assert after["rules"] == [after["decidedBy"]]
    assert (after["allowed"], after["partial"]) == (before["allowed"], before["partial"])


async def test_rules_that_may_not_be_read_are_not_counted_and_stand_last(woven: Client) -> None:
    base = "/api/2/policies/farm.one:base/entries"
    for label, resource in (("deep", "thing:/attributes/secret/x"), ("other", "thing:/")):
        await woven("PUT", f"{base}/{label}", entry("nginx:bob", resources={resource: READING}))
    await woven("PUT", f"{base}/abroad", entry("nginx:bob", resources={"thing:/": READING}, namespaces=["farm.two"]))
    before = await explained(woven, "thing:/attributes/secret")
    assert [rule["entry"] for rule in before["rules"]] == ["other", "guests", "local", "deep"]
    assert [rule["entry"] for rule in before["elsewhere"]] == ["abroad"]
    await woven("DELETE", f"{base}/auditors")
    after = await explained(woven, "thing:/attributes/secret")
    hidden = {"policyId": "farm.one:base", "effect": "grant", "hidden": True}
    assert after == {
        "allowed": False,
        "partial": True,
        "decidedBy": before["decidedBy"],
        "rules": [before["rules"][2], hidden],
    }


async def test_what_an_import_imports_is_shown_and_explained_to_whoever_may_read_it_there(farm: Client) -> None:
    middle = {"owner": entry("nginx:ada", resources=EVERYTHING), "readers": AUDITORS}
    await farm("PUT", "/api/2/policies/farm.one:middle", {"entries": middle, "imports": {"farm.one:base": {}}})
    through = {"farm.one:middle": {"transitiveImports": ["farm.one:base"]}}
    top = {"entries": {**middle}, "imports": through}
    await farm("PUT", "/api/2/policies/farm.one:woven", top)
    await farm("PUT", "/api/2/things/farm.one:w", {"policyId": "farm.one:woven"})
    label = "imported-farm.one:middle-imported-farm.one:base-guests"
    view = "/api/2/policies/farm.one:woven/entries?policy-view=resolved"
    assert label not in (await farm("GET", view, None, BOB, auth={})).json
    told = await explained(farm, "thing:/attributes/a")
    assert told["decidedBy"] == {"policyId": "farm.one:base", "effect": "grant", "hidden": True}
    await farm("PUT", "/api/2/policies/farm.one:base/entries/auditors", AUDITORS)
    assert label in (await farm("GET", view, None, BOB, auth={})).json
    told = await explained(farm, "thing:/attributes/a")
    assert (told["decidedBy"]["entry"], told["decidedBy"]["countsAs"]) == ("guests", label)


async def test_what_revokes_the_reading_of_an_imported_policy_counts_wherever_it_is_written(woven: Client) -> None:
    closed = {"policy:/entries/guests": {"grant": [], "revoke": ["READ"]}}
    entries = {"owner": entry("nginx:ada", resources=EVERYTHING), "closed": entry("nginx:bob", resources=closed)}
    await woven("PUT", "/api/2/policies/farm.one:law", {"entries": entries})
    await woven("PUT", "/api/2/policies/farm.one:base/imports/farm.one:law", {})
    told = await explained(woven, "thing:/attributes/a")
    assert told["decidedBy"] == {"policyId": "farm.one:base", "effect": "grant", "hidden": True}
    view = await woven("GET", "/api/2/policies/farm.one:woven/entries?policy-view=resolved", None, BOB, auth={})
    assert "imported-farm.one:base-owner" in view.json
    assert "imported-farm.one:base-guests" not in view.json


async def test_an_explanation_names_the_namespaces_of_an_entry_and_what_counts_in_others_only(woven: Client) -> None:
    here = (await explained(woven, "thing:/policyId"))["decidedBy"]
    assert here["namespaces"] == ["farm.one", "farm.two"]
    abroad = await explained(woven, "thing:/definition")
    assert (abroad["allowed"], abroad["decidedBy"], abroad["rules"]) == (False, None, [])
    assert [(rule["entry"], rule["namespaces"]) for rule in abroad["elsewhere"]] == [("abroad", ["farm.two"])]


async def test_an_explanation_says_which_of_the_callers_subjects_an_entry_names(woven: Client) -> None:
    pooled = await explained(woven, "thing:/attributes/secret", "x:y,group:staff,nginx:bob")
    assert [(rule["countsAs"], rule["subjects"]) for rule in pooled["rules"]] == [
        ("imported-farm.one:base-guests", ["nginx:bob"]),
        ("crew", ["group:staff", "nginx:bob"]),
        ("local", ["group:staff"]),
    ]


async def test_what_is_granted_in_part_is_what_a_read_shows_in_part(woven: Client) -> None:
    for path in ("", "/attributes", "/attributes/secret", "/features", "/definition"):
        found = await explained(woven, f"thing:{path or '/'}")
        read = await woven("GET", f"/api/2/things/farm.one:w{path}", None, BOB, auth={})
        assert found["partial"] == (read.status == 200), path
        assert found["allowed"] <= found["partial"]


async def test_an_explanation_names_the_root_policy_that_grants(store: GatedStore) -> None:
    rules = Limits(root_policies=(("farm.one", PolicyId("ops:base")),))
    limits, lease = CommandingLimits(rules=rules), InMemorySoleWriter(held=True)
    async with (
        Commanding(
            store=store, twins=InMemoryTwins(store), sole_writer=lease, clock=lambda: datetime.now(UTC), limits=limits
        ) as commands,
        serving(commands) as client,
    ):
        watchers = entry("nginx:bob", resources={"thing:/": READING, "policy:/": READING})
        root = {"owner": entry("nginx:ada", resources=EVERYTHING), "watchers": watchers}
        await client("PUT", "/api/2/policies/ops:base", {"entries": root})
        assert (await client("PUT", "/api/2/things/farm.one:w", {})).status == 201
        found = (await explained(client, "thing:/attributes"))["decidedBy"]
        assert (found["policyId"], found["entry"]) == ("ops:base", "watchers")
        assert found["countsAs"] == "nsimported-ops:base-watchers"
        blind = entry("nginx:bob", resources={"policy:/": {"grant": [], "revoke": ["READ"]}}, importable="never")
        await client("PUT", "/api/2/policies/ops:base/entries/blind", blind)
        assert (await explained(client, "thing:/attributes"))["decidedBy"] == {"effect": "grant", "hidden": True}
