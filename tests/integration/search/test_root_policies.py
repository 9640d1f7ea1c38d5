"""Search obeys what an operator adds to every policy of a namespace."""

from __future__ import annotations

from eventstore.pool import Pool
from projections.search.projection import SearchProjection
from protocol.identifiers import PolicyId
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
