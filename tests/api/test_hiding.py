"""Whoever may not know that an entity exists hears of it what he hears of one that does not, whatever he asks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client, Reply

EVE = {"x-ditto-pre-authenticated": "nginx:eve"}
ALL = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/")}
JSON, MERGE, PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"


@pytest.fixture
async def hidden(client: Client) -> Client:
    policy = {"entries": {"owner": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": ALL}}}
    assert (await client("PUT", "/api/2/policies/farm.one:hidden1", policy)).status == 201
    thing = {"policyId": "farm.one:hidden1", "attributes": {"a": 1}, "features": {"f": {"properties": {"p": 1}}}}
    assert (await client("PUT", "/api/2/things/farm.one:hidden1", thing)).status == 201
    return client


async def heard(client: Client, method: str, path: str, body: object, headers: dict[str, str]) -> list[Any]:
    """Status and body about an entity that is hidden and about one that is not there, its name taken out."""

    async def ask(name: str) -> Reply:
        return await client(method, path.format(name), body, {**headers, **EVE}, auth={})

    replies = [(await ask(name), name.encode()) for name in ("hidden1", "absent1")]
    return [(reply.status, reply.body.replace(name, b"...")) for reply, name in replies]


OF_THINGS: tuple[object, ...] = ([], "x", {"": 1}, {"a/b": 1}, {"properties": 5}, None)
OF_POLICIES: tuple[object, ...] = ([], {"x": 1}, "x", {})

QUESTIONS: list[tuple[str, str, object, dict[str, str]]] = [
    *(
        (method, f"/api/2/things/farm.one:{{}}{path}", body, {"Content-Type": kind})
        for path in (
            "/attributes",
            "/attributes/a",
            "/features",
            "/features/f",
            "/features/f/properties",
            "/definition",
        )
        for method, kind in (("PUT", JSON), ("PATCH", MERGE))
        for body in OF_THINGS
    ),
    *(
        (method, f"/api/2/things/farm.one:{{}}{path}", 1, {name: value})
        for path in ("/attributes/a", "/features/f/properties/p")
        for method in ("GET", "PUT", "DELETE")
        for name, value in (
            ("condition", "bad("),
            ("condition", "eq(attributes/a,1)"),
            ("live-channel-condition", "eq(attributes/a,1)"),
            ("If-Match", '"rev:1"'),
            ("If-None-Match", "*"),
            ("put-metadata", "[]"),
            ("get-metadata", "x"),
            ("at-historical-revision", "1"),
            ("at-historical-revision", "99"),
        )
    ),
    *(
        (method, "/api/2/things/farm.one:{}" + query, None, {"condition": "bad("})
        for method, query in (("GET", ""), ("DELETE", ""), ("GET", "?fields=%28"), ("GET", "?fields=_policy"))
    ),
    ("PATCH", "/api/2/things/farm.one:{}/attributes", [{"op": "fly"}], {"Content-Type": PATCH}),
    ("PATCH", "/api/2/things/farm.one:{}/attributes", [{"op": "remove", "path": "/a"}], {"Content-Type": PATCH}),
    ("GET", "/api/2/policies/farm.one:{}?policy-view=strange", None, {}),
    ("GET", "/api/2/policies/farm.one:{}?policy-view=resolved", None, {}),
    *(
        ("PUT", f"/api/2/policies/farm.one:{{}}{path}", body, {})
        for path in (
            *("/entries", "/entries/owner", "/entries/owner/subjects", "/entries/owner/subjects/a:b"),
            *("/entries/owner/resources", "/entries/owner/resources/thing:/", "/entries/owner/importable"),
            *("/entries/owner/references", "/imports", "/imports/farm.one:other", "/imports/farm.one:other/entries"),
        )
        for body in OF_POLICIES
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "headers"), QUESTIONS, ids=range(len(QUESTIONS)))
async def test_what_is_hidden_is_as_what_is_not_there(
    hidden: Client, method: str, path: str, body: object, headers: dict[str, str]
) -> None:
    of_hidden, of_missing = await heard(hidden, method, path, body, headers)
    assert of_hidden == of_missing
    assert of_missing[0] in {400, 404, 405, 412}
