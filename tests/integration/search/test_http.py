"""Search through the whole house: a service with its projector, asked over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from pydantic import SecretStr

from services.application import running
from services.settings import Settings
from tests.integration.search.test_slow import standing_still

SEARCH = "/api/2/search/things"


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(
        self,
        method: str,
        path: str,
        user: str = "ada",
        **more: Any,  # noqa: ANN401 - passed on as it is
    ) -> tuple[int, Any, dict[str, str]]:
        headers = {"Authorization": aiohttp.encode_basic_auth(user, "secret"), **more.pop("headers", {})}
        async with self._session.request(method, self._url + path, headers=headers, **more) as reply:
            body = await reply.json() if reply.content_type == "application/json" else await reply.text()
            return reply.status, body, dict(reply.headers)

    async def put(self, thing: str, **content: object) -> str:
        """Create or replace a thing; the position of the change."""
        status, _, headers = await self("PUT", f"/api/2/things/{thing}", json=content)
        assert status in {201, 204}
        return headers["twinlog-position"]

    async def search(self, after: str = "0", *, user: str = "ada", **parameters: str) -> tuple[int, Any]:
        query = urlencode(parameters, quote_via=quote)
        status, body, _ = await self("GET", f"{SEARCH}?{query}", user, headers={"twinlog-position": after})
        return status, body

    async def ids(self, after: str = "0", *, user: str = "ada", **parameters: str) -> list[str]:
        status, body = await self.search(after, user=user, **parameters)
        assert status == 200, body
        return [item["thingId"] for item in body["items"]]


@pytest.fixture
async def client(database_url: str, home: Path) -> AsyncIterator[Client]:
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr("off"),
        http_port=0,
        search_seconds=60,
        basic_users={"ada": SecretStr("secret"), "bob": SecretStr("secret")},
    )
    async with running(settings, frozenset({"http", "projector"})) as application, aiohttp.ClientSession() as session:
        assert application.http_url is not None
        yield Client(session, application.http_url)


async def test_a_search_that_names_the_position_of_a_change_sees_it(client: Client) -> None:
    for number in range(5):
        position = await client.put("farm:a", attributes={"n": number})
        assert await client.ids(position, filter=f"eq(attributes/n,{number})") == ["farm:a"]


async def test_a_change_can_be_answered_when_search_shows_it(client: Client) -> None:
    status, body, _ = await client(
        "PUT", "/api/2/things/farm:a?requested-acks=search-persisted&timeout=60s", json={"attributes": {"n": 1}}
    )
    assert (status, body) == (204, "")
    assert await client.ids(filter="eq(attributes/n,1)") == ["farm:a"]
    status, body, _ = await client(
        "PUT",
        "/api/2/things/farm:a/attributes/n?requested-acks=search-persisted,twin-persisted&timeout=60s",
        json=2,
    )
    assert status == 200
    assert {label: ack["status"] for label, ack in body.items()} == {"search-persisted": 204, "twin-persisted": 204}


async def test_pages_follow_each_other_by_cursor_to_the_end(client: Client) -> None:
    position = "0"
    for number in range(7):
        position = await client.put(f"farm:t{number}", attributes={"n": number % 3} if number else {})
    seen: list[str] = []
    parameters = {"option": "sort(-attributes/n),size(2)"}
    while parameters:
        status, body = await client.search(position, **parameters)
        assert status == 200
        seen += [item["thingId"][-1] for item in body["items"]]
        parameters = {"option": f"size(3),cursor({body['cursor']})"} if "cursor" in body else {}
    assert "".join(seen) == "2514360"


async def test_limit_pages_by_offset(client: Client) -> None:
    position = "0"
    for number in range(4):
        position = await client.put(f"farm:t{number}")
    assert (await client.search(position, option="limit(1,2)"))[1] == {
        "items": [{"thingId": f"farm:t{number}", "policyId": f"farm:t{number}"} for number in (1, 2)],
        "nextPageOffset": 3,
    }
    assert "nextPageOffset" not in (await client.search(option="limit(3,2)"))[1]


async def test_filters_by_form_and_repeated_are_one_and(client: Client) -> None:
    await client.put("farm:a", attributes={"n": 1, "m": 1})
    position = await client.put("farm:b", attributes={"n": 1})
    form = aiohttp.FormData(
        [("filter", "eq(attributes/n,1)"), ("filter", "exists(attributes/m)"), ("fields", "thingId")]
    )
    status, body, _ = await client("POST", SEARCH, data=form, headers={"twinlog-position": position})
    assert (status, body) == (200, {"items": [{"thingId": "farm:a"}]})
    status, body, _ = await client("POST", f"{SEARCH}/count", data={"filter": "eq(attributes/n,1)"})
    assert (status, body) == (200, 2)
    assert (await client("GET", f"{SEARCH}/count?namespaces=other"))[1] == 0


async def test_what_is_somebody_elses_is_neither_found_nor_counted(client: Client) -> None:
    position = await client.put("farm:a", attributes={"n": 1})
    assert await client.ids(position, user="bob") == []
    assert (await client("GET", f"{SEARCH}/count", "bob"))[1] == 0
    entry = {
        "subjects": {"nginx:bob": {"type": "friend"}},
        "resources": {"thing:/attributes/n": {"grant": ["READ"], "revoke": []}},
    }
    policy = {
        "entries": {
            "owner": {
                "subjects": {"nginx:ada": {"type": "owner"}},
                "resources": {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/")},
            },
            "friend": entry,
        }
    }
    position = await client.put("farm:b", attributes={"n": 1, "secret": 2}, _policy=policy)
    assert (await client.search(position, user="bob", filter="eq(attributes/n,1)"))[1]["items"] == [
        {"thingId": "farm:b", "attributes": {"n": 1}}
    ]
    assert await client.ids(user="bob", filter="exists(attributes/secret)") == []
    assert await client.ids(user="bob", filter="not(exists(attributes/secret))") == ["farm:b"]
    assert await client.ids(user="ada", filter="exists(attributes/secret)") == ["farm:b"]


async def test_hits_are_counted_and_summed_up_by_group(client: Client) -> None:
    position = "0"
    for number, state in enumerate(("on", "off", "on")):
        position = await client.put(f"farm:t{number}", attributes={"state": state, "n": number})
    asked = {"group": "attributes/state", "select": "count,sum(attributes/n)", "filter": "ge(attributes/n,0)"}
    expected = {
        "items": [
            {"group": {"attributes/state": "on"}, "values": {"count": 2, "sum(attributes/n)": 2}},
            {"group": {"attributes/state": "off"}, "values": {"count": 1, "sum(attributes/n)": 1}},
        ],
        "complete": True,
    }
    headers = {"twinlog-position": position}
    for status, body, _ in (
        await client("GET", f"{SEARCH}/aggregate?{urlencode(asked)}", headers=headers),
        await client("POST", f"{SEARCH}/aggregate", data=asked),
    ):
        assert (status, body) == (200, expected)
    _, body, _ = await client("GET", f"{SEARCH}/aggregate?group=attributes/n&option=size(2)&namespaces=farm")
    assert ([item["group"]["attributes/n"] for item in body["items"]], body["complete"]) == ([0, 1], False)
    status, body, _ = await client("GET", f"{SEARCH}/aggregate", "bob")
    assert (status, body) == (200, {"items": [{"group": {}, "values": {"count": 0}}], "complete": True})
    for bad, error in (
        ("select=avg(x)", "thing-search:search.aggregate.invalid"),
        ("filter=eq(x,1)", "rql.expression.invalid"),
        ("option=sort(%2BthingId)", "thing-search:search.option.invalid"),
        ("namespaces=a%20b", "thing-search:search.namespaces.invalid"),
        ("timeout=x", "timeout.invalid"),
    ):
        status, body, _ = await client("GET", f"{SEARCH}/aggregate?{bad}")
        assert (status, body["error"]) == (400, error), bad


REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"filter": "eq(attributes/n, 1)"}, "rql.expression.invalid"),
    ({"filter": "eq(nothing,1)"}, "rql.expression.invalid"),
    ({"filter": "like(attributes/n,1)"}, "rql.expression.invalid"),
    ({"option": "size(0)"}, "thing-search:search.option.invalid"),
    ({"option": "size(201)"}, "thing-search:search.option.invalid"),
    ({"option": "size(-1)"}, "thing-search:search.option.invalid"),
    ({"option": "size(1),size(2)"}, "thing-search:search.option.invalid"),
    ({"option": "size(1),limit(0,5)"}, "thing-search:search.option.invalid"),
    ({"option": "limit(0,201)"}, "thing-search:search.option.invalid"),
    ({"option": "sort(thingId)"}, "thing-search:search.option.invalid"),
    ({"option": "sort(+features/*/properties/x)"}, "thing-search:search.option.invalid"),
    ({"option": "sort(+nothing)"}, "thing-search:search.option.invalid"),
    ({"option": "color(red)"}, "thing-search:search.option.invalid"),
    ({"option": "cursor(AAAA)"}, "thing-search:search.option.invalid"),
    ({"option": "cursor()"}, "thing-search:search.option.invalid"),
    ({"namespaces": "a b"}, "thing-search:search.namespaces.invalid"),
    ({"fields": "a("}, "json.fieldselector.invalid"),
)


async def test_searches_that_cannot_be_understood_are_refused(client: Client) -> None:
    for parameters, error in REFUSED:
        status, body = await client.search(**parameters)
        assert (status, body["error"]) == (400, error), parameters


async def test_a_cursor_belongs_to_its_query_and_cannot_be_changed(client: Client) -> None:
    position = "0"
    for number in range(3):
        position = await client.put(f"farm:t{number}", attributes={"n": 1})
    _, body = await client.search(position, filter="eq(attributes/n,1)", option="size(1)")
    cursor = body["cursor"]
    assert await client.ids(filter="eq(attributes/n,1)", option=f"cursor({cursor})") == ["farm:t1", "farm:t2"]
    for parameters in (
        {"filter": "eq(attributes/n,2)", "option": f"cursor({cursor})"},
        {"option": f"sort(-thingId),cursor({cursor})"},
        {"namespaces": "farm", "option": f"cursor({cursor})"},
        {"option": f"limit(1,1),cursor({cursor})"},
        {"option": f"cursor({cursor[:-2]}{'xx' if cursor[-2:] != 'xx' else 'yy'})"},
        {"option": f"cursor({'x' if cursor[0] != 'x' else 'y'}{cursor[1:]})"},
    ):
        status, body = await client.search(**parameters)
        assert (status, body["error"]) == (400, "thing-search:search.option.invalid"), parameters


async def test_a_search_that_takes_too_long_is_408_and_measured(client: Client, database_url: str) -> None:
    position = await client.put("farm:a", attributes={"n": 1})
    assert await client.ids(position) == ["farm:a"]
    async with standing_still(database_url):
        for path in (SEARCH, f"{SEARCH}/count"):
            status, body, _ = await client("GET", f"{path}?timeout=300ms&filter=eq(attributes/n,1)")
            assert (status, body["error"]) == (408, "thing-search:query.time.exceeded")
    assert await client.ids() == ["farm:a"]
    _, metrics, _ = await client("GET", "/metrics")
    assert "twinlog_search_seconds_count 4.0" in metrics
    (told,) = re.findall(r"^twinlog_search_seconds_sum (\S+)$", metrics, re.MULTILINE)
    assert float(told) >= 2 * 0.3, "two took as long as they were given"
