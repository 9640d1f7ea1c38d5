"""``at-historical-revision`` and ``at-historical-timestamp``."""

from __future__ import annotations

import orjson
import pytest

from tests.api.conftest import Client

PUMP = "/api/2/things/farm.one:pump"


@pytest.fixture
async def pump(client: Client) -> Client:
    await client("PUT", PUMP, {"attributes": {"n": 1}})
    for n in (2, 3):
        await client("PUT", f"{PUMP}/attributes/n", n)
    return client


async def test_a_thing_is_shown_as_it_was(pump: Client) -> None:
    for revision in (1, 2, 3):
        reply = await pump("GET", f"{PUMP}/attributes/n?at-historical-revision={revision}")
        assert (reply.status, reply.json, reply.headers["entity-revision"]) == (200, revision, str(revision))
        assert "historical-headers" in reply.headers
    reply = await pump("GET", PUMP, headers={"at-historical-revision": "1"})
    assert reply.json["attributes"] == {"n": 1}


async def test_a_thing_is_shown_as_it_was_at_a_time(pump: Client) -> None:
    reply = await pump("GET", f"{PUMP}/attributes/n?at-historical-timestamp=2999-01-01T00:00:00Z")
    assert reply.json == 3


async def test_the_headers_of_a_change_elsewhere_do_not_tell_what_it_was(pump: Client) -> None:
    secret = {"Idempotency-Key": "one", "put-metadata": '[{"key":"kind","value":"hidden"}]', "correlation-id": "c-4"}
    assert (await pump("PUT", f"{PUMP}/attributes/pin", 1234, secret)).status == 201
    reader = {
        "subjects": {"nginx:bob": {"type": "t"}},
        "resources": {"thing:/attributes/n": {"grant": ["READ"], "revoke": []}},
    }
    assert (await pump("PUT", "/api/2/policies/farm.one:pump/entries/reader", reader)).status == 201
    bob = {"x-ditto-pre-authenticated": "nginx:bob"}
    reply = await pump("GET", f"{PUMP}/attributes/n?at-historical-revision=4", headers=bob, auth={})
    assert (reply.status, reply.json) == (200, 3)
    assert orjson.loads(reply.headers["historical-headers"]) == {
        "correlation-id": "c-4",
        "ditto-originator": "nginx:ada",
    }


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("at-historical-revision=4", 404, "things:thing.history.notfound"),
        ("at-historical-timestamp=2001-01-01T00:00:00Z", 404, "things:thing.history.notfound"),
        ("at-historical-revision=x", 400, "header.invalid"),
        ("at-historical-timestamp=x", 400, "header.invalid"),
    ],
)
async def test_what_never_was_is_not_found(pump: Client, query: str, status: int, error: str) -> None:
    reply = await pump("GET", f"{PUMP}?{query}")
    assert (reply.status, reply.error) == (status, error)
