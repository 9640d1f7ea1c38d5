"""Callers with bearer tokens: who they are, what their tokens may lend, and what they hear when their time is over."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.memory import InMemorySoleWriter
from projections.twins import InMemoryTwins
from protocol.context import Limits
from protocol.identifiers import PolicyId
from protocol.signals import Event
from protocol.stored import store_event
from services.auth.setup import api_authentication
from services.auth.tokens import LEEWAY_SECONDS
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from services.settings import Settings
from tests.api.conftest import SETTINGS, Client, _now, serving
from tests.api.gated import GatedStore
from tests.provider import ISSUER, claims, jwk, rsa_key, token

P = "/api/2/policies/farm.one:p"
THING = "/api/2/things/farm.one:t"
RIGHTS = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/")}
READING = {"thing:/": {"grant": ["READ"], "revoke": []}, "policy:/": {"grant": ["EXECUTE"], "revoke": []}}


def bearer(**given: object) -> dict[str, str]:
    """For a day: some are made when tests are collected, long before they run."""
    now = int(time.time())
    return {"Authorization": f"Bearer {token(claims(**{'iat': now, 'exp': now + 86_400, **given}))}"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk("one", rsa_key())]}))
    headers = {"user-email": "{{ jwt:email }}"}
    issuers = {"farm": {"issuer": ISSUER, "jwks_file": str(path), "audience": "twinlog", "headers": headers}}
    return Settings(
        basic_users=SETTINGS.basic_users,
        openid_issuers=issuers,  # type: ignore[arg-type]  # pydantic reads them as from the environment
    )


@pytest.fixture
async def commands(store: GatedStore) -> AsyncIterator[Commanding]:
    """In a process that is not alone on the log, as the announcer may be in another one."""
    lease = InMemorySoleWriter(held=False)
    async with Commanding(store=store, twins=InMemoryTwins(store), sole_writer=lease, clock=_now) as commands:
        yield commands


@pytest.fixture
async def client(commands: Commanding, settings: Settings) -> AsyncIterator[Client]:
    async with serving(commands, api=api_authentication(settings)) as client:
        yield client


@pytest.fixture
async def policy(client: Client) -> Client:
    """A policy of Ada's in which a token's subject may read things and lend that."""
    entries: dict[str, Any] = {
        "owner": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": RIGHTS},
        "reader": {"subjects": {"farm:app": {"type": "t"}}, "resources": READING},
        "guest": {"subjects": {"farm:guest": {"type": "t"}}, "resources": {}},
    }
    assert (await client("PUT", P, {"entries": entries})).status == 201
    assert (await client("PUT", THING, {"policyId": "farm.one:p", "attributes": {"a": 1}})).status == 201
    return client


async def test_a_long_token_passes_as_far_as_a_header_may_be_long(client: Client) -> None:
    def long(groups: int) -> dict[str, str]:
        return bearer(groups=[f"/farm/{number:05}" for number in range(groups)])

    assert len(long(600)["Authorization"]) > 8_192
    assert (await client("GET", "/api/2/whoami", auth=long(600))).status == 200
    assert len(long(1_200)["Authorization"]) > 16_384
    assert (await client("GET", "/api/2/whoami", auth=long(1_200))).status == 431


async def test_claims_go_with_the_event_of_a_command_and_nobody_can_write_them(
    client: Client, store: GatedStore
) -> None:
    forged = {"user-email": "eve@farm.one"}
    caller = bearer(sub="app", email="app@farm.one")
    assert (await client("PUT", THING, {"attributes": {"a": 1}}, forged, auth=caller)).status == 201
    assert (await client("PUT", f"{THING}/attributes/a", 2, forged, auth=bearer(sub="app"))).status == 204
    events = await store.read_stream(StreamName("thing:farm.one:t"))
    assert [json.loads(event.headers).get("user-email") for event in events] == ["app@farm.one", None]


async def test_a_token_speaks_for_its_subject(client: Client) -> None:
    reply = await client("GET", "/api/2/whoami", auth=bearer(sub="bea"))
    assert reply.json == {"defaultSubject": "farm:bea", "subjects": ["farm:bea"]}
    assert (await client("GET", "/api/2/whoami")).json["defaultSubject"] == "nginx:ada"


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({"Authorization": "Bearer"}, "gateway:authentication.failed"),
        ({"Authorization": "Bearer "}, "gateway:authentication.failed"),
        ({"Authorization": "Bearer x"}, "jwt:invalid"),
        ({"Authorization": "Bearer a.b.c"}, "jwt:invalid"),
        (bearer(iss="https://evil.example"), "gateway:jwt.issuer.notsupported"),
        (bearer(exp=int(time.time()) - LEEWAY_SECONDS - 1), "gateway:authentication.failed"),
        (bearer(nbf=int(time.time()) + 86_400), "gateway:authentication.failed"),
        (bearer(aud="other"), "gateway:authentication.failed"),
        (bearer(aud=[1]), "jwt:audience.invalid"),
        ({"Authorization": bearer()["Authorization"][:-8] + "AAAAAAAA"}, "gateway:authentication.failed"),
        ({"Authorization": f"Bearer {token(claims(), kid='other')}"}, "gateway:authentication.failed"),
        ({"Authorization": "Bearer " + "x" * 10_000}, "jwt:invalid"),
    ],
)
async def test_a_bad_token_is_401_with_a_challenge(client: Client, auth: dict[str, str], code: str) -> None:
    reply = await client("GET", "/api/2/whoami", auth=auth)
    assert (reply.status, reply.error) == (401, code)
    refused = ', error="invalid_token"' if auth["Authorization"].strip().startswith("Bearer ") else ""
    assert reply.headers["WWW-Authenticate"].endswith(f', Bearer realm="twinlog"{refused}')


async def test_whoever_sends_no_token_hears_nothing_of_one(client: Client) -> None:
    for auth in ({}, {"Authorization": "Basic x"}):
        challenge = (await client("GET", "/api/2/whoami", auth=auth)).headers["WWW-Authenticate"]
        assert challenge.endswith(', Bearer realm="twinlog"')


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (bearer(exp=1), "expired"),
        (bearer(nbf=int(time.time()) + 86_400), "'nbf'"),
        (bearer(aud="other"), "'aud'"),
        ({"Authorization": bearer()["Authorization"][:-8] + "AAAAAAAA"}, "signature"),
        ({"Authorization": f"Bearer {token(claims(iat=None), kid='other')}"}, "no key"),
        ({"Authorization": f"Bearer {token(claims(iat=None), header={'alg': 'HS256'})}"}, "algorithm"),
    ],
)
async def test_of_a_refused_token_it_is_said_what_is_wrong_with_it(
    client: Client, auth: dict[str, str], reason: str
) -> None:
    assert reason in (await client("GET", "/api/2/whoami", auth=auth)).json["description"]


async def test_a_key_server_out_of_reach_is_503(commands: Commanding) -> None:
    issuers: Any = {"farm": {"issuer": "http://127.0.0.1:1"}}
    async with serving(commands, api=api_authentication(Settings(openid_issuers=issuers))) as client:
        reply = await client("GET", "/api/2/whoami", auth=bearer(iss="http://127.0.0.1:1"))
    assert (reply.status, reply.error) == (503, "gateway:publickey.provider.unavailable")
    assert reply.headers["Retry-After"] == "1"


@pytest.mark.parametrize("scope", ["/entries/reader", ""])
async def test_a_token_lends_what_it_may_and_takes_it_back(policy: Client, scope: str) -> None:
    app = bearer(sub="app")
    activate, deactivate = (f"{P}{scope}/actions/{name}TokenIntegration" for name in ("activate", "deactivate"))
    subject = f"{P}/entries/reader/subjects/integration:reader:twinlog"
    activated = await policy("POST", activate, data=b"", auth=app)
    assert (activated.status, activated.body) == (204, b"")
    assert "ETag" not in activated.headers
    lent = await policy("GET", subject)
    assert (lent.status, lent.json["expiry"][-7:]) == (200, ":00:00Z")
    announced = await policy("POST", activate, {"announcement": {"whenDeleted": True}}, auth=app)
    assert announced.status == 204
    assert (await policy("GET", subject)).json["announcement"] == {"whenDeleted": True}
    assert (await policy("POST", deactivate, data=b"", auth=app)).status == 204
    assert (await policy("GET", subject)).status == 404
    assert (await policy("POST", deactivate, data=b"", auth=app)).status == 204


@pytest.mark.parametrize("action", ["activateTokenIntegration", "deactivateTokenIntegration"])
async def test_who_may_not_lend_is_told_why(policy: Client, action: str) -> None:
    stranger, app, guest = bearer(sub="stranger"), bearer(sub="app"), bearer(sub="guest")
    for auth, path, status, code in (
        (None, f"{P}/entries/reader", 400, "policies:action.failed"),
        (stranger, f"{P}/entries/reader", 404, "policies:policy.notfound"),
        (stranger, P, 404, "policies:policy.notfound"),
        (stranger, "/api/2/policies/farm.one:none", 404, "policies:policy.notfound"),
        (guest, f"{P}/entries/reader", 403, "policies:action.failed"),
        (guest, P, 403, "policies:action.failed"),
        (app, f"{P}/entries/owner", 404, "policies:action.failed"),
        (app, f"{P}/entries/none", 404, "policies:action.failed"),
        (app, "/api/2/policies/farm.one:none", 404, "policies:policy.notfound"),
    ):
        reply = await policy("POST", f"{path}/actions/{action}", data=b"", **({} if auth is None else {"auth": auth}))
        assert (reply.status, reply.error) == (status, code), path


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "json.invalid"),
        (b"[]", "application/json", 400, "json.format.invalid"),
        (b"{}", "text/plain", 415, "mediatype.unsupported"),
        (b'{"announcement":1}', "application/json", 400, "policies:subjectannouncement.invalid"),
    ],
)
async def test_a_wrong_body_of_an_action(policy: Client, data: bytes, kind: str, status: int, code: str) -> None:
    path = f"{P}/actions/activateTokenIntegration"
    reply = await policy("POST", path, None, {"Content-Type": kind}, data=data, auth=bearer(sub="app"))
    assert (reply.status, reply.error) == (status, code)


@pytest.mark.parametrize("scope", ["/entries/reader", ""])
async def test_a_token_acts_only_on_what_it_has_seen(policy: Client, scope: str) -> None:
    app, path = bearer(sub="app"), f"{P}{scope}/actions/activateTokenIntegration"
    seen = (await policy("GET", f"{P}{scope}")).headers["ETag"]
    for header, tag in (("If-Match", '"rev:99"'), ("If-None-Match", seen), ("If-None-Match", "*")):
        refused = await policy("POST", path, None, {header: tag}, data=b"", auth=app)
        assert (refused.status, refused.error) == (412, "policies:precondition.failed")
    assert (await policy("POST", path, None, {"If-Match": seen}, data=b"", auth=app)).status == 204
    assert (await policy("POST", path, None, {"If-Match": seen}, data=b"", auth=app)).status == 412


async def test_a_repeated_activation_is_answered_as_the_first(policy: Client) -> None:
    for _ in range(2):
        path = f"{P}/entries/reader/actions/activateTokenIntegration"
        reply = await policy("POST", path, None, {"Idempotency-Key": "k"}, data=b"", auth=bearer(sub="app"))
        assert reply.status == 204


async def test_a_lent_subject_may_be_made_of_headers_that_the_operator_names(
    store: GatedStore, settings: Settings
) -> None:
    template = "webhook:{{header:X-Hook | fn:lower()}}:{{policy-entry:label}}"
    rules = CommandingLimits(rules=Limits(integration_subject=template))
    lease = InMemorySoleWriter(held=True)
    action, hook = f"{P}/entries/app/actions/activateTokenIntegration", {"X-Hook": "Garden", "X-Other": "o"}
    async with (
        Commanding(store=store, twins=InMemoryTwins(store), sole_writer=lease, clock=_now, limits=rules) as commands,
        serving(commands, api=api_authentication(settings), action_headers=frozenset({"x-hook"})) as client,
    ):
        entries = {
            "owner": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": RIGHTS},
            "app": {"subjects": {"farm:app": {"type": "t"}}, "resources": READING},
        }
        await client("PUT", P, {"entries": entries})
        for headers in ({}, {"X-Hook": " "}):
            refused = await client("POST", action, None, headers, data=b"", auth=bearer(sub="app"))
            assert refused.status == 400
        assert (await client("POST", action, None, hook, data=b"", auth=bearer(sub="app"))).status == 204
        assert "webhook:garden:app" in (await client("GET", f"{P}/entries/app/subjects")).json


async def test_whose_time_is_over_gets_401_and_whoever_was_never_there_404(policy: Client, store: GatedStore) -> None:
    app, stranger = bearer(sub="app"), bearer(sub="stranger")
    assert (await policy("GET", THING, auth=app)).status == 200
    await expire(store, "farm.one:p", "reader", "farm:app", revision=1)
    for path in (THING, f"{THING}/attributes", P, f"{P}/entries"):
        for method in ("GET", "PUT"):
            expired = await policy(method, path, {}, auth=app)
            assert (expired.status, expired.error) == (401, "gateway:authentication.failed"), path
            hidden = await policy(method, path, {}, auth=stranger)
            assert hidden.status == 404
    action = f"{P}/actions/activateTokenIntegration"
    assert (await policy("POST", action, data=b"", auth=app)).status == 401
    assert (await policy("GET", "/api/2/whoami", auth=app)).status == 200
    assert (await policy("GET", "/api/2/things?ids=farm.one:t", auth=app)).json == []
    assert (await policy("PUT", f"{P}/entries/reader/subjects/farm:app", {"type": "t"})).status == 201
    assert (await policy("GET", THING, auth=app)).status == 200


async def expire(store: GatedStore, policy_id: str, label: str, subject: str, *, revision: int) -> None:
    """What the service appends when a subject's time is over."""
    path = ("entries", label, "subjects", subject)
    event = Event(entity_id=PolicyId(policy_id), action="deleted", path=path, cause="expiry")
    kind, where, value, headers = store_event(event, {"ditto-originator": "twinlog:announcer"})
    new = NewEvent(type=kind, path=where, value=value, headers=headers)
    stream = StreamName(f"policy:{policy_id}")
    await store.append(
        (Commit(appends=(StreamAppend(stream=stream, expected_revision=revision, events=(new,)),)),), recorded_at=_now()
    )
