"""Search indexes and solutions through the whole house: a service with its projector, asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from services.application import running
from services.searching.solutions import Solution
from services.settings import Settings
from tests.integration.search.test_http import SEARCH, Client
from tests.waiting import eventually

INDEX = "/api/2/namespaces/farm/search-index"
PASSWORD = SecretStr("secret")


@pytest.fixture
async def client(database_url: str, home: Path) -> AsyncIterator[Client]:
    solution = Solution(subjects=("nginx:bo*",), namespaces=("farm", "yard"), default_namespace="yard")
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr("off"),
        http_port=0,
        search_seconds=60,
        basic_users=dict.fromkeys(("ada", "bob", "cy"), PASSWORD),
        devops_password=PASSWORD,
        solutions={"farms": solution, "both": Solution(subjects=("nginx:cy",), namespaces=("farm", "yard"))},
    )
    async with running(settings, frozenset({"http", "projector"})) as application, aiohttp.ClientSession() as session:
        assert application.http_url is not None
        yield Client(session, application.http_url)


async def index(client: Client, method: str = "GET", path: str = INDEX, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    status, body, _ = await client(method, path, "devops", **more)
    assert status == 200, body
    assert isinstance(body, dict)
    return body


async def complete(client: Client) -> dict[str, Any]:
    async def there() -> bool:
        return bool((await index(client))["state"] == "complete")

    await eventually(there)
    return await index(client)


async def test_an_operator_sets_an_index_and_takes_it_back(client: Client) -> None:
    assert await index(client) == {"namespace": "farm", "fields": "all", "state": "complete"}
    position = await client.put("farm:a", attributes={"n": 1}, features={"lamp": {"properties": {"on": True}}})
    await client.put("yard:a", attributes={"n": 1})
    fields = ["/attributes/n", "features/*/properties/on", "attributes/n/deep"]
    answer = await index(client, "PUT", json={"fields": fields})
    assert answer["fields"] == ["attributes/n", "features/*/properties/on", "thingId"]
    done = await complete(client)
    assert done == {
        "namespace": "farm",
        "fields": ["attributes/n", "features/*/properties/on", "thingId"],
        "state": "complete",
        "changedAt": done["changedAt"],
        "changedBy": "devops:devops",
    }
    assert await client.ids(position, filter="eq(features/lamp/properties/on,true)") == ["farm:a"]
    assert await client.ids(filter="") == ["farm:a", "yard:a"]
    status, refused = await client.search(filter="exists(attributes)", option="sort(-_modified)")
    assert (status, refused["error"]) == (400, "thing-search:search.field.notindexed")
    assert (refused["namespaces"], refused["fields"]) == (["farm"], ["_modified", "attributes"])
    assert (await client("GET", f"{SEARCH}/count?filter=exists(attributes)"))[0] == 400
    for asked in ("group=attributes/m&select=count", "group=attributes/n&select=avg(features/lamp/properties/watts)"):
        status, refused, _ = await client("GET", f"{SEARCH}/aggregate?{asked}")
        assert (status, refused["error"]) == (400, "thing-search:search.field.notindexed")
    assert (await client("GET", f"{SEARCH}/aggregate?group=attributes/n&select=count"))[0] == 200
    assert await client.ids(filter="exists(attributes)", namespaces="yard") == ["yard:a"]
    assert await client.ids(user="ada", filter="eq(attributes/n,1)") == ["farm:a", "yard:a"]
    await index(client, "DELETE")
    assert (await complete(client))["fields"] == "all"
    assert await client.ids(filter="exists(attributes)") == ["farm:a", "yard:a"]


async def test_the_default_set_is_had_by_name(client: Client) -> None:
    await client.put("farm:a", attributes={"n": 1}, features={"lamp": {}})
    answer = await index(client, "PUT", json={"fields": "default"})
    assert answer["fields"] == ["_created", "attributes", "definition", "policyId", "thingId"]
    await complete(client)
    rql = 'and(eq(attributes/n,1),exists(policyId),gt(_created,"2020"),like(thingId,"farm:*"),not(exists(definition)))'
    assert await client.ids(filter=rql) == ["farm:a"]
    for absent in ("exists(features)", "exists(_modified)", "eq(_revision,1)", 'eq(_namespace,"farm")'):
        assert (await client.search(filter=absent))[0] == 400, absent
    assert (await index(client, "PUT", json={"fields": "all"}))["fields"] == "all"


async def test_only_operators_may_look_and_set(client: Client) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status, _, headers = await client(method, INDEX, "ada", json={"fields": "default"})
        assert status == 401
        assert "DEVOPS" in headers["WWW-Authenticate"]
    assert (await client("PUT", "/api/2/%6eamespaces/farm/search-index", "ada", json={"fields": []}))[0] == 401
    assert (await client("POST", INDEX, "devops", json={}))[0] == 405
    assert (await index(client))["fields"] == "all"


REFUSED: tuple[tuple[object, str], ...] = (
    ({}, "json.field.missing"),
    ([], "thing-search:search.index.invalid"),
    ({"fields": "some"}, "thing-search:search.index.invalid"),
    ({"fields": None}, "thing-search:search.index.invalid"),
    ({"fields": [1]}, "thing-search:search.index.invalid"),
    ({"fields": ["colour"]}, "thing-search:search.index.invalid"),
    ({"fields": ["_policy"]}, "thing-search:search.index.invalid"),
    ({"fields": ["features/lamp/colour"]}, "thing-search:search.index.invalid"),
    ({"fields": ["attributes//x"]}, "thing-search:search.index.invalid"),
    ({"fields": ["/"]}, "thing-search:search.index.invalid"),
    ({"fields": ["attributes/" + "/".join(["x" * 250] * 4)]}, "thing-search:search.index.invalid"),
    ({"fields": [f"attributes/{number}" for number in range(101)]}, "thing-search:search.index.invalid"),
)


async def test_an_index_that_cannot_be_is_refused(client: Client) -> None:
    for body, error in REFUSED:
        status, found, _ = await client("PUT", INDEX, "devops", json=body)
        assert (status, found["error"]) == (400, error), body
    status, found, _ = await client("GET", "/api/2/namespaces/a%20b/search-index", "devops")
    assert (status, found["error"]) == (400, "thing-search:search.namespaces.invalid")


async def test_a_caller_without_namespaces_searches_those_of_the_solution(client: Client) -> None:
    readers = {f"nginx:{name}": {"type": "t"} for name in ("ada", "bob", "cy")}
    resources = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/")}
    policy = {"entries": {"all": {"subjects": readers, "resources": resources}}}
    position = "0"
    for namespace in ("barn", "farm", "yard"):
        position = await client.put(f"{namespace}:a", attributes={"n": 1}, _policy=policy)
    everywhere = ["barn:a", "farm:a", "yard:a"]
    assert await client.ids(position, user="ada") == everywhere
    assert await client.ids(user="bob", filter="eq(attributes/n,1)") == ["yard:a"]
    assert await client.ids(user="cy") == ["farm:a", "yard:a"]
    assert await client.ids(user="bob", namespaces="barn,farm") == ["barn:a", "farm:a"]
    assert (await client("GET", f"{SEARCH}/count", "bob"))[1] == 1
    await index(client, "PUT", json={"fields": "default"})
    await complete(client)
    assert await client.ids(user="bob", filter="not(exists(features))") == ["yard:a"]
    status, refused = await client.search(user="cy", filter="not(exists(features))")
    assert (status, refused["namespaces"]) == (400, ["farm"])
