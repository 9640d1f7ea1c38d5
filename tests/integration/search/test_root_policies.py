"""Search obeys what an operator adds to every policy of a namespace."""

from __future__ import annotations

from pathlib import Path

import aiohttp
from pydantic import SecretStr

from eventstore.pool import Pool
from projections.search.projection import SearchProjection
from protocol.identifiers import PolicyId
from services.application import running
from services.settings import Settings
from tests.integration.search.searched import ALICE, Searched, entry, policy

BOB = "nginx:bob"
ROOT = "ops:root"


async def searched_with_root(pool: Pool, pattern: str) -> Searched:
    searched = Searched(pool)
    searched.projection = SearchProjection(root_policies=((pattern, PolicyId(ROOT)),))
    await searched.policy(policy("farm.one:p", entry(ALICE, read=["/"])), policy("farm:p", entry(ALICE, read=["/"])))
    await searched.things(
        {"thingId": "farm.one:a", "policyId": "farm.one:p", "attributes": {"n": 1, "secret": 2}},
        {"thingId": "farm:b", "policyId": "farm:p", "attributes": {"n": 1, "secret": 2}},
    )
    return searched


async def test_a_root_policy_lets_read_and_hides_in_its_namespaces_only(pool: Pool) -> None:
    searched = await searched_with_root(pool, "farm.*")
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == []
    await searched.policy(policy(ROOT, entry(BOB, read=["/"]), entry(ALICE, hide=["/attributes/secret"])))
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == ["farm.one:a"]
    assert await searched.find("eq(attributes/secret,2)", by=(ALICE,)) == ["farm:b"]
    assert await searched.find("eq(attributes/n,1)", by=(ALICE,)) == ["farm.one:a", "farm:b"]


async def test_its_change_and_its_end_are_followed(pool: Pool) -> None:
    searched = await searched_with_root(pool, "*")
    await searched.policy(policy(ROOT, entry(BOB, read=["/"]), entry(ALICE, read=["/"], importable="never")))
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == ["farm.one:a", "farm:b"]
    await searched.apply((f"policy:{ROOT}", "modified", "/entries/e0/subjects", {}))
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == []
    await searched.apply((f"policy:{ROOT}", "modified", "/entries/e0/subjects", {BOB: {"type": "test"}}))
    await searched.policy(policy("farm:new", entry(ALICE, read=["/"])))
    await searched.things({"thingId": "farm:c", "policyId": "farm:new", "attributes": {"n": 1}})
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == ["farm.one:a", "farm:b", "farm:c"]
    await searched.apply((f"policy:{ROOT}", "deleted", "/", ...))
    assert await searched.find("eq(attributes/n,1)", by=(BOB,)) == []


async def test_the_setting_counts_for_requests_and_for_search(database_url: str, home: Path) -> None:
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr("off"),
        http_port=0,
        search_seconds=60,
        basic_users={"alice": SecretStr("secret"), "bob": SecretStr("secret")},
        namespace_policies={"farm": (ROOT,)},
    )
    async with running(settings, frozenset({"http", "projector"})) as application, aiohttp.ClientSession() as session:

        async def ask(
            user: str, method: str, path: str, value: object = None, position: str = "0"
        ) -> aiohttp.ClientResponse:
            headers = {"Authorization": aiohttp.encode_basic_auth(user, "secret"), "twinlog-position": position}
            url = f"{application.http_url}/api/2/{path}"
            async with session.request(method, url, headers=headers, json=value) as reply:
                await reply.read()
                return reply

        for thing in ("farm:a", "forest:b"):
            assert (await ask("alice", "PUT", f"things/{thing}", {"attributes": {"n": 1}})).status == 201
            assert (await ask("bob", "GET", f"things/{thing}")).status == 404
        entries = {
            "owner": {
                "subjects": {ALICE: {"type": "t"}},
                "resources": {"policy:/": {"grant": ["READ", "WRITE"], "revoke": []}},
            },
            "guest": {"subjects": {BOB: {"type": "t"}}, "resources": {"thing:/": {"grant": ["READ"], "revoke": []}}},
        }
        made = await ask("alice", "PUT", f"policies/{ROOT}", {"entries": entries})
        assert made.status == 201
        assert [(await ask("bob", "GET", f"things/{thing}")).status for thing in ("farm:a", "forest:b")] == [200, 404]
        position = made.headers["twinlog-position"]
        found = await ask("bob", "GET", "search/things?filter=eq(attributes/n,1)", position=position)
        assert [item["thingId"] for item in (await found.json())["items"]] == ["farm:a"]
