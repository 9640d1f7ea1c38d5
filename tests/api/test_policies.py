"""The policies of HTTP API 2: every route with every method, and what each is answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from tests.api.conftest import Client

P = "/api/2/policies/farm.one:p"
OWNER = "/entries/owner"
OTHER = {"x-ditto-pre-authenticated": "nginx:bob"}

ENTRY = {
    "subjects": {"nginx:ada": {"type": "t"}},
    "resources": {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/", "message:/")},
}
READER = {
    "subjects": {"nginx:bob": {"type": "t"}},
    "resources": {"policy:/": {"grant": ["READ"], "revoke": []}},
    "references": [{"entry": "owner"}],
    "namespaces": ["farm.one"],
    "allowedAdditions": ["subjects"],
}
POLICY = {"entries": {"owner": ENTRY, "reader": {key: READER[key] for key in ("subjects", "resources")}}}
TEMPLATE = {"entries": {"owner": ENTRY, "shared": {**ENTRY, "importable": "explicit"}}}
LENT = {"type": "t", "expiry": "2999-01-01T00:00:00Z"}


@pytest.fixture
async def policy(client: Client) -> Client:
    assert (await client("PUT", "/api/2/policies/farm.one:template", TEMPLATE)).status == 201
    assert (await client("PUT", P, POLICY)).status == 201
    return client


ALL = {
    "": {"GET", "PUT", "DELETE"},
    "/entries": {"GET", "PUT"},
    OWNER: {"GET", "PUT", "DELETE"},
    f"{OWNER}/subjects": {"GET", "PUT"},
    f"{OWNER}/subjects/nginx:ada": {"GET", "PUT", "DELETE"},
    f"{OWNER}/resources": {"GET", "PUT"},
    f"{OWNER}/resources/thing:/": {"GET", "PUT", "DELETE"},
    f"{OWNER}/importable": {"GET", "PUT"},
    f"{OWNER}/namespaces": {"GET", "PUT"},
    f"{OWNER}/allowedAdditions": {"GET", "PUT", "DELETE"},
    f"{OWNER}/references": {"GET", "PUT", "DELETE"},
    "/imports": {"GET", "PUT", "DELETE"},
    "/imports/farm.one:template": {"GET", "PUT", "DELETE"},
    "/imports/farm.one:template/entries": {"GET", "PUT"},
    "/imports/farm.one:template/transitiveImports": {"GET", "PUT"},
    "/actions/activateTokenIntegration": {"POST"},
    "/actions/deactivateTokenIntegration": {"POST"},
    f"{OWNER}/actions/activateTokenIntegration": {"POST"},
    f"{OWNER}/actions/deactivateTokenIntegration": {"POST"},
}


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "DELETE"])
async def test_a_method_that_a_resource_does_not_have_is_405_with_those_that_it_has(
    policy: Client, path: str, method: str
) -> None:
    reply = await policy(method, P + path, {})
    if method in ALL[path]:
        assert reply.status != 405
    else:
        assert reply.status == 405
        allowed = ALL[path] | {"OPTIONS"} | ({"HEAD"} if "GET" in ALL[path] else set())
        assert set(reply.headers["Allow"].split(", ")) == allowed


async def test_the_collection_only_takes_new_policies(client: Client) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        reply = await client(method, "/api/2/policies", {})
        assert (reply.status, reply.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize(
    "path", ["/nope", f"{OWNER}/nope", f"{OWNER}/importable/x", "/imports/a:b/nope", "/actions", "/actions/nope", "//"]
)
async def test_what_no_policy_has_is_404_in_plain_text(policy: Client, path: str) -> None:
    reply = await policy("GET", P + path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")


READS = {
    "": {"policyId": "farm.one:p", "entries": {"owner": {**ENTRY, "importable": "implicit"}}},
    OWNER: {**ENTRY, "importable": "implicit"},
    f"{OWNER}/subjects": ENTRY["subjects"],
    f"{OWNER}/subjects/nginx:ada": {"type": "t"},
    f"{OWNER}/subjects/nginx%3Aada": {"type": "t"},
    f"{OWNER}/resources": ENTRY["resources"],
    f"{OWNER}/resources/thing:/": {"grant": ["READ", "WRITE"], "revoke": []},
    f"{OWNER}/resources/thing%3A%2F": {"grant": ["READ", "WRITE"], "revoke": []},
    f"{OWNER}/importable": "implicit",
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_get_shows_the_resource_with_its_tag(client: Client, path: str, slash: str) -> None:
    await client("PUT", P, {"entries": {"owner": ENTRY}})
    if slash and "/subjects/" in path:
        return  # the slash is part of the subject's id
    reply = await client("GET", P + path + slash)
    assert (reply.status, reply.json) == (200, READS[path])
    assert reply.headers["entity-revision"] == "1"
    assert reply.headers["ETag"] == '"rev:1"' if not path else reply.headers["ETag"].startswith('"hash:')
    again = await client("GET", P + path, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    head = await client("HEAD", P + path)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", reply.headers["ETag"])


WRITES: list[tuple[str, Any, int, int]] = [
    ("", POLICY, 204, 204),
    ("/entries", POLICY["entries"], 204, 204),
    ("/entries/new", ENTRY, 201, 204),
    (f"{OWNER}/subjects", ENTRY["subjects"], 204, 204),
    (f"{OWNER}/subjects/nginx:new", LENT, 201, 204),
    (f"{OWNER}/subjects/https://login.example/a:b/c", LENT, 201, 204),
    (f"{OWNER}/subjects/x:%7Bcurly%7D%20%C3%A4", LENT, 201, 204),
    (f"{OWNER}/resources", ENTRY["resources"], 204, 204),
    (f"{OWNER}/resources/thing:/features/lamp", {"grant": [], "revoke": ["READ"]}, 201, 204),
    (f"{OWNER}/importable", "never", 204, 204),
    (f"{OWNER}/namespaces", ["farm.one", "farm.one.*"], 204, 204),
    (f"{OWNER}/allowedAdditions", ["subjects"], 204, 204),
    ("/entries/reader/references", [{"entry": "owner"}], 201, 204),
    ("/imports", {"farm.one:template": {"entries": ["shared"]}}, 204, 204),
    ("/imports/farm.one:template", {"entries": ["shared"]}, 201, 204),
]


async def test_a_whole_resource_may_be_addressed_without_its_slash(policy: Client) -> None:
    rights = {"grant": ["READ"], "revoke": []}
    assert (await policy("PUT", f"{P}/entries/reader/resources/message:", rights)).status == 201
    assert (await policy("GET", f"{P}/entries/reader/resources/message:")).json == rights
    assert (await policy("GET", f"{P}/entries/reader/resources")).json["message:/"] == rights


UNTAGGED = ("/importable", "/namespaces")


@pytest.mark.parametrize(("path", "value", "first", "then"), WRITES, ids=[row[0] or "policy" for row in WRITES])
async def test_a_put_creates_or_replaces(policy: Client, path: str, value: object, first: int, then: int) -> None:
    created = await policy("PUT", P + path, value)
    assert created.status == first
    assert ("ETag" in created.headers) is (path.endswith(UNTAGGED) is False)
    assert created.headers["entity-revision"] == "2"
    if first == 201:
        assert created.headers["Location"] == policy.origin + P + path
        assert created.json
    else:
        assert created.body == b""
    assert (await policy("PUT", P + path, value)).status == then
    shown = await policy("GET", P + path)
    assert shown.status == 200
    assert "ETag" in shown.headers
    skipped = await policy("PUT", P + path, shown.json, {"if-equal": "skip"})
    assert (skipped.status, skipped.error) == (412, "policies:precondition.failed")


DELETES = [
    "/entries/reader",
    "/entries/reader/subjects/nginx:bob",
    "/entries/reader/resources/policy:/",
    "/entries/reader/allowedAdditions",
    "/entries/reader/references",
    "/imports/farm.one:template",
    "/imports",
    "",
]


REPEATABLE = {"/entries/reader/allowedAdditions", "/entries/reader/references", "/imports"}
"""Parts that every entry and policy has: to delete one again is no mistake."""


@pytest.mark.parametrize("path", DELETES)
async def test_a_delete_removes_and_what_is_gone_is_404_unless_every_entry_has_it(policy: Client, path: str) -> None:
    await policy("PUT", f"{P}/entries/reader", READER)
    await policy("PUT", f"{P}/imports/farm.one:template", {"entries": ["shared"]})
    gone = await policy("DELETE", P + path)
    assert (gone.status, gone.body) == (204, b"")
    assert "ETag" not in gone.headers
    again = await policy("DELETE", P + path)
    assert again.status == (204 if path in REPEATABLE else 404)
    assert again.status == 204 or again.error.startswith("policies:")


NOT_FOUND = [
    ("GET", "/api/2/policies/farm.one:none", "policies:policy.notfound"),
    ("DELETE", "/api/2/policies/farm.one:none", "policies:policy.notfound"),
    ("PUT", "/api/2/policies/farm.one:none/entries/a", "policies:policy.notfound"),
    ("GET", f"{P}/entries/none", "policies:entry.notfound"),
    ("DELETE", f"{P}/entries/none", "policies:entry.notfound"),
    ("GET", f"{P}/entries/none/subjects", "policies:entry.notfound"),
    ("PUT", f"{P}/entries/none/subjects", "policies:entry.notfound"),
    ("PUT", f"{P}/entries/none/subjects/a:b", "policies:entry.notfound"),
    ("PUT", f"{P}/entries/none/resources/thing:/", "policies:entry.notfound"),
    ("GET", f"{P}{OWNER}/subjects/no:body", "policies:subject.notfound"),
    ("DELETE", f"{P}{OWNER}/subjects/no:body", "policies:subject.notfound"),
    ("GET", f"{P}{OWNER}/resources/thing:/none", "policies:resource.notfound"),
    ("DELETE", f"{P}{OWNER}/resources/thing:/none", "policies:resource.notfound"),
    ("GET", f"{P}/imports/farm.one:none", "policies:import.notfound"),
    ("DELETE", f"{P}/imports/farm.one:none", "policies:import.notfound"),
    ("GET", f"{P}/imports/farm.one:none/entries", "policies:import.notfound"),
    ("PUT", f"{P}/imports/farm.one:none", "policies:policy.notfound"),
]
BODIES: dict[str, Any] = {"/entries/a": ENTRY, "/subjects": {}, "/subjects/a:b": {"type": "t"}}


@pytest.mark.parametrize(("method", "path", "code"), NOT_FOUND)
async def test_what_is_not_there_is_404_by_its_code(policy: Client, method: str, path: str, code: str) -> None:
    body: object = next((BODIES[end] for end in BODIES if path.endswith(end)), {"grant": [], "revoke": []})
    reply = await policy(method, path, body)
    assert (reply.status, reply.error) == (404, code)


REFUSED: list[tuple[str, Any, int, str]] = [
    ("", {}, 400, "json.field.missing"),
    ("", [], 400, "json.format.invalid"),
    ("", {"policyId": "farm.one:other", **POLICY}, 400, "policies:id.notsettable"),
    ("", {"entries": {}}, 403, "policies:policy.modificationinvalid"),
    ("", {"entries": {"reader": POLICY["entries"]["reader"]}}, 403, "policies:policy.modificationinvalid"),
    ("/entries", {}, 403, "policies:policy.modificationinvalid"),
    ("/entries/imported-x", ENTRY, 400, "policies:label.invalid"),
    ("/entries/a%2Fb", ENTRY, 400, "policies:entry.invalid"),
    ("/entries/%07", ENTRY, 400, "policies:entry.invalid"),
    ("/entries/x", 1, 400, "policies:entry.invalid"),
    (OWNER, {}, 403, "policies:entry.modificationinvalid"),
    (f"{OWNER}/subjects", {}, 403, "policies:entry.modificationinvalid"),
    (f"{OWNER}/subjects/nginx:ada", LENT, 403, "policies:entry.modificationinvalid"),
    (f"{OWNER}/subjects/nobody", {"type": "t"}, 400, "policies:subjectid.invalid"),
    (f"{OWNER}/subjects/a:b", {}, 400, "json.field.missing"),
    (f"{OWNER}/subjects/a:b", {"type": "t", "expiry": "2001-01-01T00:00:00Z"}, 400, "policies:subjectexpiry.invalid"),
    (f"{OWNER}/subjects/a:b", {"type": "t", "expiry": "x"}, 400, "policies:subjectexpiry.invalid"),
    (
        f"{OWNER}/subjects/a:b",
        {**LENT, "announcement": {"beforeExpiry": "1ms"}},
        400,
        "policies:subjectannouncement.invalid",
    ),
    (f"{OWNER}/resources", {}, 403, "policies:entry.modificationinvalid"),
    (f"{OWNER}/resources/thing:/x", {"grant": []}, 400, "json.field.missing"),
    (f"{OWNER}/resources/thing:/x", {"grant": ["FLY"], "revoke": []}, 400, "json.format.invalid"),
    (f"{OWNER}/resources/thing:/", [], 400, "json.format.invalid"),
    (f"{OWNER}/importable", "perhaps", 400, "policies:entry.invalid"),
    (f"{OWNER}/importable", None, 400, "policies:entry.invalid"),
    (f"{OWNER}/namespaces", "farm.one", 400, "policies:entry.invalid"),
    (f"{OWNER}/namespaces", ["*"], 400, "policies:entry.invalid"),
    (f"{OWNER}/references", [{"entry": "owner"}], 400, "policies:entry.invalid"),
    (f"{OWNER}/references", [{"entry": "none"}], 400, "policies:entry.invalid"),
    (f"{OWNER}/references", [{"entry": "x", "import": "farm.one:template"}], 400, "policies:import.invalid"),
    ("/imports", {f"a:{number}": {} for number in range(11)}, 400, "policies:imports.toolarge"),
    ("/imports/farm.one:p", {}, 400, "policies:import.invalid"),
    ("/imports/noid", {}, 400, "policies:id.invalid"),
    ("/imports/farm.one:template", [], 400, "policies:import.invalid"),
    (
        "/entries/big",
        {**ENTRY, "subjects": {f"a:{n}": {"type": "x" * 900} for n in range(120)}},
        413,
        "policies:policy.toolarge",
    ),
]


@pytest.mark.parametrize(("path", "value", "status", "code"), REFUSED)
async def test_what_may_not_be_is_refused_by_its_code_and_changes_nothing(
    policy: Client, path: str, value: object, status: int, code: str
) -> None:
    reply = await policy("PUT", P + path, value)
    assert (reply.status, reply.error) == (status, code)
    assert (await policy("GET", P)).headers["entity-revision"] == "1"


@pytest.mark.parametrize("policy_id", ["noid", "a%20b:c", "1:x", "a:b%2Fc", "a:%07"])
async def test_a_wrong_id_is_400(client: Client, policy_id: str) -> None:
    for path in ("", "/entries", "/entries/a/subjects/b:c"):
        reply = await client("GET", f"/api/2/policies/{policy_id}{path}")
        assert (reply.status, reply.error) == (400, "policies:id.invalid")


async def test_an_id_without_namespace_gets_the_default_one(client: Client) -> None:
    created = await client("PUT", "/api/2/policies/:mine", {"entries": {"owner": ENTRY}})
    assert (created.status, created.json["policyId"]) == (201, "org.eclipse.ditto:mine")


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "json.invalid"),
        (b"", "application/json", 400, "json.format.invalid"),
        (b"[" * 500, "application/json", 400, "json.invalid"),
        (b"{}", "text/plain", 415, "mediatype.unsupported"),
        (b"{}", "application/merge-patch+json", 415, "mediatype.unsupported"),
    ],
)
async def test_a_body_that_cannot_be_read(policy: Client, data: bytes, kind: str, status: int, code: str) -> None:
    for path in ("", "/entries", OWNER, f"{OWNER}/subjects/a:b"):
        reply = await policy("PUT", P + path, None, {"Content-Type": kind}, data=data)
        assert (reply.status, reply.error) == (status, code)


async def test_post_makes_an_id(client: Client) -> None:
    created = await client("POST", "/api/2/policies?namespace=farm.two", {"entries": {"owner": ENTRY}})
    assert created.status == 201
    assert created.json["policyId"].startswith("farm.two:")
    assert created.headers["ETag"] == '"rev:1"'
    location = created.headers["Location"].removeprefix(client.origin)
    assert (await client("GET", location)).json == created.json
    named = await client("POST", "/api/2/policies", {"policyId": "a:b", "entries": {"owner": ENTRY}})
    assert (named.status, named.error) == (400, "policies:id.notsettable")
    key = {"Idempotency-Key": "k1"}
    one = await client("POST", "/api/2/policies", {"entries": {"owner": ENTRY}}, key)
    two = await client("POST", "/api/2/policies", {"entries": {"owner": ENTRY}}, key)
    assert (one.status, two.status, one.json["policyId"]) == (201, 201, two.json["policyId"])


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_nobody_locks_himself_out_unless_he_says_so(client: Client, method: str) -> None:
    path = "/api/2/policies" if method == "POST" else P
    others = {"entries": {"owner": {**ENTRY, "subjects": {"nginx:bob": {"type": "t"}}}}}
    refused = await client(method, path, others)
    assert (refused.status, refused.error) == (403, "policies:policy.notcreatable")
    assert (await client(method, f"{path}?allow-policy-lockout=true", others)).status == 201


async def test_preconditions(policy: Client) -> None:
    for headers in ({"If-Match": '"rev:9"'}, {"If-None-Match": "*"}, {"If-Match": 'W/"rev:1"'}):
        for method in ("PUT", "DELETE"):
            reply = await policy(method, P, POLICY, headers)
            assert (reply.status, reply.error) == (412, "policies:precondition.failed")
            assert reply.headers["ETag"] == '"rev:1"'
    tag = (await policy("GET", f"{P}{OWNER}")).headers["ETag"]
    assert (await policy("PUT", f"{P}{OWNER}", ENTRY, {"If-Match": tag})).status == 204
    assert (await policy("PUT", f"{P}/entries/new", ENTRY, {"If-Match": "*"})).status == 412
    assert (await policy("PUT", f"{P}/entries/new", ENTRY, {"If-None-Match": "*"})).status == 201


async def test_fields_and_the_past(policy: Client) -> None:
    shown = await policy("GET", f"{P}?fields=policyId,entries/owner/subjects,_revision,_namespace")
    assert shown.json == {
        "policyId": "farm.one:p",
        "entries": {"owner": {"subjects": ENTRY["subjects"]}},
        "_revision": 1,
        "_namespace": "farm.one",
    }
    await policy("DELETE", f"{P}/entries/reader")
    past = await policy("GET", f"{P}/entries/reader?at-historical-revision=1")
    assert (past.status, past.json["subjects"]) == (200, {"nginx:bob": {"type": "t"}})
    never = await policy("GET", f"{P}?at-historical-revision=9")
    assert (never.status, never.error) == (404, "policies:policy.history.notfound")


async def test_the_resolved_view_writes_out_what_is_imported(policy: Client) -> None:
    await policy("PUT", f"{P}/imports/farm.one:template", {"entries": ["shared"]})
    for way in ("?policy-view=resolved", ""):
        reply = await policy("GET", P + way, headers={} if way else {"policy-view": "resolved"})
        assert set(reply.json["entries"]) == {
            "owner",
            "reader",
            "imported-farm.one:template-owner",
            "imported-farm.one:template-shared",
        }
        assert "ETag" not in reply.headers
    original = await policy("GET", f"{P}?policy-view=original")
    assert set(original.json["entries"]) == {"owner", "reader"}
    wrong = await policy("GET", f"{P}?policy-view=other")
    assert (wrong.status, wrong.error) == (400, "policies:view.invalid")


async def test_the_resolved_view_of_the_past_has_what_was_imported_then(policy: Client) -> None:
    template = "/api/2/policies/farm.one:template"
    before = (await policy("GET", f"{template}/entries/shared")).json["resources"]
    await policy("PUT", f"{P}/imports/farm.one:template", {"entries": ["shared"]})
    now_granted = {"thing:/": {"grant": ["WRITE"], "revoke": []}}
    assert (await policy("PUT", f"{template}/entries/shared/resources", now_granted)).status == 204
    await policy("PUT", f"{template}/entries/later", ENTRY)
    await policy("DELETE", f"{P}/imports/farm.one:template")
    labels = {"owner", "reader", "imported-farm.one:template-owner", "imported-farm.one:template-shared"}
    past = await policy("GET", f"{P}?policy-view=resolved&at-historical-revision=2")
    assert (past.status, past.json["entries"].keys()) == (200, labels)
    assert past.json["entries"]["imported-farm.one:template-shared"]["resources"] == before
    assert (past.headers["entity-revision"], "ETag" in past.headers) == ("2", False)
    assert "historical-headers" in past.headers
    first = await policy("GET", f"{P}/entries?policy-view=resolved&at-historical-revision=1")
    assert set(first.json) == {"owner", "reader"}
    latest = await policy("GET", f"{P}/entries?policy-view=resolved&at-historical-timestamp=2999-01-01T00:00:00Z")
    assert set(latest.json) == {"owner", "reader"}
    original = await policy("GET", f"{P}/entries?at-historical-revision=2")
    assert set(original.json) == {"owner", "reader"}


@pytest.mark.parametrize(
    ("written", "kept"), [("a~b", "a~0b"), ("a~0b", "a~0b"), ("a~1b", "a~01b"), ("a%7E0b", "a~0b")]
)
async def test_a_tilde_in_the_key_of_a_resource_may_be_escaped(policy: Client, written: str, kept: str) -> None:
    resources, rights = f"{P}/entries/reader/resources", {"grant": ["READ"], "revoke": []}
    assert (await policy("PUT", f"{resources}/thing:/attributes/{written}", rights)).status == 201
    assert (await policy("GET", resources)).json[f"thing:/attributes/{kept}"] == rights
    assert (await policy("GET", f"{resources}/thing:/attributes/{written}")).json == rights
    inner = f"{resources}/policy:/entries/reader/resources/thing:/attributes/{written}"
    assert (await policy("PUT", inner, rights)).status == 201
    bob = {"x-ditto-pre-authenticated": "nginx:bob"}
    seen = await policy("GET", f"{resources}/thing:/attributes/{written}", headers=bob, auth={})
    assert (seen.status, seen.json) == (200, rights)
    assert (await policy("DELETE", f"{resources}/thing:/attributes/{kept}")).status == 204
    assert (await policy("PUT", resources, {f"thing:/attributes/{unquote(written)}": rights})).status == 204
    assert (await policy("GET", resources)).json == {f"thing:/attributes/{kept}": rights}


async def test_a_change_that_wants_no_answer_is_202_and_refusals_come_back(policy: Client) -> None:
    no_answer = "response-required=false"
    assert (await policy("PUT", f"{P}{OWNER}/importable?{no_answer}", "never")).status == 202
    assert (await policy("DELETE", f"{P}/entries/none?{no_answer}")).status == 404
    for method in ("GET", "PUT", "DELETE"):
        reply = await policy(method, f"{P}?timeout=0", POLICY)
        assert (reply.status, reply.error) == (400, "header.invalid")


async def test_acknowledgements_are_not_awaited(policy: Client) -> None:
    assert (await policy("PUT", f"{P}?requested-acks=my:ack&timeout=1s", POLICY)).status == 204


async def test_who_may_not_write_gets_403_and_who_may_not_read_404(policy: Client) -> None:
    stranger = {"x-ditto-pre-authenticated": "nginx:stranger"}
    for path, methods in ALL.items():
        for method in methods - {"POST"}:
            body: object = READS.get(path, {})
            reply = await policy(method, P + path, body, stranger, auth={})
            assert reply.status in {400, 404}, (method, path, reply.body)
            if method == "PUT" and reply.status == 404:
                assert reply.error == "policies:policy.notfound"
    for path, code in [
        ("", "policies:policy.notmodifiable"),
        ("/entries", "policies:policy.notmodifiable"),
        (OWNER, "policies:entry.notmodifiable"),
        (f"{OWNER}/subjects", "policies:subjects.notmodifiable"),
        (f"{OWNER}/subjects/nginx:ada", "policies:subject.notmodifiable"),
        (f"{OWNER}/resources", "policies:resources.notmodifiable"),
        (f"{OWNER}/resources/thing:/", "policies:resource.notmodifiable"),
        (f"{OWNER}/importable", "policies:entry.notmodifiable"),
    ]:
        assert (await policy("GET", P + path, None, OTHER, auth={})).status == 200
        body = (await policy("GET", P + path)).json
        reply = await policy("PUT", P + path, body, OTHER, auth={})
        assert (reply.status, reply.error) == (403, code)


@pytest.mark.parametrize("scope", ["", OWNER])
@pytest.mark.parametrize("action", ["activateTokenIntegration", "deactivateTokenIntegration"])
async def test_an_action_without_a_token_is_400(policy: Client, scope: str, action: str) -> None:
    reply = await policy("POST", f"{P}{scope}/actions/{action}", data=b"")
    assert (reply.status, reply.error) == (400, "policies:action.failed")


async def test_who_writes_may_name_himself_by_a_placeholder(policy: Client) -> None:
    path = f"{P}/entries/reader/subjects/%7B%7B%20request:subjectId%20%7D%7D"
    made = await policy("PUT", path, {"type": "me"})
    assert (made.status, made.json) == (201, {"type": "me"})
    assert (await policy("GET", f"{P}/entries/reader/subjects/nginx:ada")).json == {"type": "me"}
    owner = {**ENTRY, "subjects": {"{{ request:subjectId }}": {"type": "t"}}}
    thing = await policy("PUT", "/api/2/things/farm.one:own", {"_policy": {"entries": {"owner": owner}}})
    assert thing.status == 201
    assert (await policy("GET", "/api/2/policies/farm.one:own/entries/owner/subjects")).json == {
        "nginx:ada": {"type": "t"}
    }
    unknown = await policy("PUT", f"{P}/entries/reader/subjects/%7B%7Brequest:name%7D%7D", {"type": "t"})
    assert (unknown.status, unknown.error) == (400, "placeholder:placeholder.notresolvable")
