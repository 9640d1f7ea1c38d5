"""Searches by pages that several processes share."""

import asyncio
from datetime import timedelta

from eventstore.pool import Pool
from protocol.signals import CancelSearch, SubscribeToSearch
from services.searching.keepers import SharedKeeper
from services.searching.subscription import Route
from tests.unit.services.searching.staging import BOB, Fleet, stage
from tests.waiting import eventually


async def nobody_is_at_work(pool: Pool) -> None:
    """A page is sent before it is noted; until then a request of another process only adds to what is owed."""

    async def all_is_noted() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM search_subscriptions WHERE state ->> 'worker' IS NOT NULL")

    await eventually(all_is_noted)


async def test_a_request_is_served_by_whichever_process_hears_it(pool: Pool) -> None:
    async with stage(keeper=SharedKeeper(pool)) as one, stage(keeper=SharedKeeper(pool)) as other:
        name = await one.subscribes(filter="exists(attributes)", namespaces=("farm",), option="size(2)")
        await other.requests(name, 1, headers={"correlation-id": "r"}, route=Route(address="answers", tag="t"))
        await other.until(lambda: other.actions == ["next"])
        await nobody_is_at_work(pool)
        await one.requests(name, 2)
        await one.says("next", "next")
        await nobody_is_at_work(pool)
        await other.requests(name, 9)
        await other.until(lambda: other.actions == ["next", "next", "complete"])
        assert other.pages() + one.pages() == [["t0", "t1"], ["t6"], ["t2", "t3"], ["t4", "t5"]]
        assert other.said[0][2:] == ({"correlation-id": "r"}, Route(address="answers", tag="t"))
        for search in (*one.fleet.asked, *other.fleet.asked):
            assert (search.filters, search.namespaces) == (("exists(attributes)",), ("farm",))


async def test_while_one_process_sends_pages_another_only_adds_to_what_is_owed(pool: Pool) -> None:
    gated = Fleet(gate=asyncio.Event())
    async with stage(gated, keeper=SharedKeeper(pool)) as one, stage(keeper=SharedKeeper(pool)) as other:
        name = await one.subscribes(option="size(3)")
        await one.requests(name, 1)
        await one.until(lambda: bool(gated.asked))
        await other.requests(name, 5)
        assert gated.gate is not None
        gated.gate.set()
        await one.says("next", "next", "next", "complete")
        assert other.said == []


async def test_what_another_process_cancels_or_breaks_ends(pool: Pool) -> None:
    for end in ("cancel", "demand"):
        gated = Fleet(gate=asyncio.Event())
        async with stage(gated, keeper=SharedKeeper(pool)) as one, stage(keeper=SharedKeeper(pool)) as other:
            name = await one.subscribes(option="size(1)")
            await one.requests(name, 7)
            await one.until(lambda gated=gated: bool(gated.asked))  # type: ignore[misc]  # mypy cannot infer a default
            if end == "cancel":
                await other.hears(CancelSearch(subscription_id=name))
            else:
                await other.requests(name, -1)
            assert gated.gate is not None
            gated.gate.set()
            await one.until(lambda one=one: "next" in one.actions)  # type: ignore[misc]  # as above
            if end == "demand":
                await one.says("next", "failed")
            await other.requests(name, 1)
            await other.until(lambda other=other: bool(other.said))  # type: ignore[misc]  # as above
            assert other.error() == (400, "thing-search:subscription.protocol.error")
            assert one.pages() == [["t0"]]


async def test_pages_that_a_stopped_process_owes_are_sent_by_another(pool: Pool) -> None:
    async with stage(keeper=SharedKeeper(pool)) as other:
        async with stage(Fleet(gate=asyncio.Event()), keeper=SharedKeeper(pool)) as one:
            name = await one.subscribes(option="size(4)")
            await one.requests(name, 3)
            await one.until(lambda: bool(one.fleet.asked))
        await other.until(lambda: other.actions == ["next", "next", "complete"])


async def test_pages_that_a_killed_process_owes_are_sent_when_its_claim_is_over(pool: Pool) -> None:
    async with (
        stage(Fleet(gate=asyncio.Event()), keeper=SharedKeeper(pool)) as killed,
        stage(keeper=SharedKeeper(pool)) as other,
    ):
        name = await killed.subscribes(option="size(4)")
        await killed.requests(name, 3)
        await killed.until(lambda: bool(killed.fleet.asked))
        other.clock[0] += timedelta(seconds=31)
        await other.until(lambda: other.actions == ["next", "next", "complete"])
        assert killed.fleet.gate is not None
        killed.fleet.gate.set()  # it was not dead but slow: what it says now is a repeat, and it says no more
        await killed.says("next")
        await killed.requests(name, 1)
        await killed.until(lambda: "failed" in killed.actions)


async def test_one_of_several_processes_tells_of_an_idle_search_and_all_forget_it(pool: Pool) -> None:
    async with stage(keeper=SharedKeeper(pool)) as one, stage(keeper=SharedKeeper(pool)) as other:
        await one.subscribes()
        one.said.clear()
        one.clock[0] += timedelta(seconds=61)
        other.clock[0] += timedelta(seconds=61)
        await one.until(lambda: one.actions + other.actions == ["failed"])
        other.clock[0] += timedelta(seconds=11)

        async def all_forgot() -> bool:
            return not await pool.fetchval("SELECT count(*) FROM search_subscriptions")

        await eventually(all_forgot)
        assert one.actions + other.actions == ["failed"]


async def test_a_caller_has_so_many_searches_over_all_processes(pool: Pool) -> None:
    async with (
        stage(keeper=SharedKeeper(pool), per_caller=2) as one,
        stage(keeper=SharedKeeper(pool), per_caller=2) as other,
    ):
        await one.subscribes()
        name = await other.subscribes()
        await one.subscribes(auth=BOB)
        await one.hears(SubscribeToSearch())
        await one.until(lambda: one.actions == ["created", "created", "created", "failed"])
        assert one.error() == (429, "too.many.requests")
        await other.hears(CancelSearch(subscription_id=name))
        await one.subscribes()
