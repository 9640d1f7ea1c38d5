"""Slow questions are told of: what was asked and how, and nothing of the values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from eventstore.pool import Pool
from projections.search.paging import Order, complete
from projections.search.reader import QueryTimeExceeded, SearchReader
from projections.search.slow import SlowQueries
from protocol.rql.tree import Property
from tests.integration.search.searched import Searched, entry, policy, question
from tests.waiting import DEADLINE

ADA = "issuer:SECRET-ada"
FILTER = (
    'and(eq(attributes/n,"SECRET-a"),or(in(attributes/m,"SECRET-b",777001,-777002.5),'
    'like(features/*/properties/x,"SECRET-c*"),gt(_modified,"2026-SECRET")),not(eq(thingId,"farm:SECRET-d")),'
    "exists(attributes/o))"
)
SECRETS = ("SECRET", "777001", "777002", "2026-", "farm", "issuer")


@pytest.fixture
async def fleet(searched: Searched) -> Searched:
    await searched.policy(policy("SECRET:policy", entry(ADA, read=["/"], hide=["/attributes/hidden"])))
    await searched.things(
        *(
            {"thingId": f"farm:SECRET-{n}", "policyId": "SECRET:policy", "attributes": {"n": "SECRET-a"}}
            for n in range(50)
        )
    )
    return searched


def told(entries: list[Any]) -> list[dict[str, Any]]:
    return [each for each in entries if each["event"] == "search_slow"]


async def test_a_slow_question_is_told_with_its_shape_and_plan_but_no_value(fleet: Searched, pool: Pool) -> None:
    reader = SearchReader(pool, slow=SlowQueries(seconds=0, pause=0, plan=DEADLINE))
    asking = question(FILTER, (ADA,), ("farm",))
    with capture_logs() as entries:
        await reader.page(asking, orders=complete([Order(Property(("attributes", "n")), descending=True)]))
        await reader.count(asking)
    page, count = told(entries)
    assert page["filter"] == (
        "and(eq(attributes/n,?),or(in(attributes/m,?,?,?),like(features/*/properties/x,?),gt(_modified,?)),"
        "not(eq(thingId,?)),exists(attributes/o))"
    )
    assert (page["asked"], page["sort"], count["asked"]) == ("Pages", "-attributes/n,+thingId", "Counted")
    assert page["log_level"] == "warning"
    assert any("search_keys" in line for line in page["plan"])
    assert any("Scan" in line and "rows=" in line and "cost=" in line for line in page["plan"])
    for secret in SECRETS:
        assert secret not in str(entries), secret


async def test_fast_questions_are_not_told(fleet: Searched, pool: Pool) -> None:
    with capture_logs() as entries:
        await SearchReader(pool, slow=SlowQueries(clock=lambda: 100.0)).page(question(FILTER, (ADA,)))
    assert told(entries) == []


async def test_of_many_slow_questions_few_are_told_and_the_others_counted(fleet: Searched, pool: Pool) -> None:
    now = [100.0]
    reader = SearchReader(pool, slow=SlowQueries(seconds=0, pause=5, clock=lambda: now[0]))
    with capture_logs() as entries:
        for _ in range(4):
            await reader.count(question(None, (ADA,)))
        now[0] += 6
        await reader.count(question(None, (ADA,)))
    assert [each["untold"] for each in told(entries)] == [0, 3]


@asynccontextmanager
async def standing_still(database_url: str) -> AsyncIterator[None]:
    """The search model is locked, so that no question of it is answered."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE search_things IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def test_a_question_that_takes_too_long_is_stopped_and_told(
    fleet: Searched, pool: Pool, database_url: str
) -> None:
    reader = SearchReader(pool)
    with capture_logs() as entries:
        async with standing_still(database_url), asyncio.timeout(DEADLINE):
            with pytest.raises(QueryTimeExceeded):
                await reader.page(question(FILTER, (ADA,)), timeout=0.2)
        assert len((await reader.page(question(None, (ADA,)), size=200)).thing_ids) == 50
    (stopped,) = told(entries)
    assert stopped["plan"] == ["not told: TimeoutError"]
    assert stopped["seconds"] >= 0.2
    assert not any(secret in str(entries) for secret in SECRETS)
