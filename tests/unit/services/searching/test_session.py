"""The search protocol: subscribe, request, cancel; created, next, complete, failed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog
from typing_extensions import override

from protocol.enforcement.auth import AuthContext
from protocol.errors import GatewayServiceUnavailable, SearchQueryTimeExceeded
from protocol.json import JsonObject
from protocol.signals import CancelSearch, SubscribeToSearch
from services.searching.keepers import InMemoryKeeper
from services.searching.searching import Search
from services.searching.session import Undelivered
from services.searching.subscription import Act, Route, Subscription
from tests.unit.services.searching.staging import ALICE, BOB, NOON, ROUTE, Fleet, Stage, stage


async def test_nothing_but_created_is_said_before_pages_are_requested() -> None:
    async with stage() as it:
        await it.subscribes(filter="bad")
        await it.hears(CancelSearch(subscription_id="0" * 32))  # known to nobody: its answer shows that time has passed
        await it.says("failed")
        assert it.error() == (404, "thing-search:subscription.not.found")
        assert it.fleet.asked == []


async def test_as_many_pages_come_as_were_requested() -> None:
    async with stage() as it:
        name = await it.subscribes(option="size(2)")
        await it.requests(name, 1)
        await it.says("next")
        await it.requests(name, 2)
        await it.says("next", "next", "next")
        assert it.pages() == [["t0", "t1"], ["t2", "t3"], ["t4", "t5"]]
        await it.requests(name, 1)
        await it.says("next", "next", "next", "next", "complete")
        assert it.pages()[3:] == [["t6"]]


async def test_demand_adds_up_and_the_end_needs_none() -> None:
    fleet = Fleet(gate=asyncio.Event())
    async with stage(fleet) as it:
        name = await it.subscribes(option="size(4)")
        await it.requests(name, 1)
        await it.requests(name, 5)
        assert fleet.gate is not None
        fleet.gate.set()
        await it.says("next", "next", "complete")
        assert len(fleet.asked) == 2


async def test_a_search_without_hits_is_complete_without_a_page() -> None:
    async with stage(Fleet(things=0)) as it:
        await it.requests(await it.subscribes(), 1)
        await it.says("complete")


async def test_filter_options_namespaces_and_fields_are_those_of_the_subscription() -> None:
    async with stage() as it:
        name = await it.subscribes(
            filter="exists(attributes)", option="size(3),sort(-_modified)", namespaces=("farm",), fields="thingId"
        )
        await it.requests(name, 2)
        await it.says("next", "next")
        first, second = it.fleet.asked
        assert (first.filters, first.namespaces, first.fields) == (("exists(attributes)",), ("farm",), "thingId")
        assert (first.option, second.option) == ("size(3),sort(-_modified)", "size(3),cursor(3)")
        assert first.auth.subjects == ALICE.subjects


async def test_created_has_the_headers_of_subscribe_and_pages_those_of_the_latest_request() -> None:
    async with stage() as it:
        name = await it.subscribes(option="size(3)", headers={"correlation-id": "s"})
        await it.requests(name, 1, headers={"correlation-id": "r1"}, route=Route(address="answers", tag="1"))
        await it.says("next")
        await it.requests(name, 9, headers={"correlation-id": "r2"}, route=Route(address="answers", tag="2"))
        await it.says("next", "next", "next", "complete")
        assert [headers["correlation-id"] for *_, headers, _ in it.said] == ["s", "r1", "r2", "r2", "r2"]
        assert [route.tag for *_, route in it.said] == [None, "1", "2", "2", "2"]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"filter": "bad"}, "rql.expression.invalid"),
        ({"option": "size(201)"}, "thing-search:search.option.invalid"),
        ({"option": "cursor(0)"}, "thing-search:search.option.invalid"),
        ({"option": "limit(0,5)"}, "thing-search:search.option.invalid"),
        ({"namespaces": ("a b",)}, "thing-search:search.namespaces.invalid"),
    ],
)
async def test_a_search_that_cannot_be_understood_fails_at_the_first_request(
    wanted: dict[str, Any], error: str
) -> None:
    async with stage() as it:
        name = await it.subscribes(**wanted)
        await it.requests(name, 1)
        await it.says("failed")
        assert it.error() == (400, error)


@pytest.mark.parametrize("demand", [0, -1])
async def test_a_demand_that_is_not_positive_ends_the_search(demand: int) -> None:
    async with stage() as it:
        name = await it.subscribes()
        await it.requests(name, demand)
        await it.says("failed")
        assert it.error() == (400, "thing-search:subscription.protocol.error")


async def test_nothing_follows_the_end_that_a_bad_demand_brings() -> None:
    fleet = Fleet(gate=asyncio.Event())
    async with stage(fleet) as it:
        name = await it.subscribes(option="size(1)")
        await it.requests(name, 3)
        await it.requests(name, 0)
        assert fleet.gate is not None
        fleet.gate.set()
        await it.says("next", "failed")


@pytest.mark.parametrize("how", ["complete", "cancel"])
async def test_a_request_after_the_end_is_an_error_for_a_while_and_then_unknown(how: str) -> None:
    async with stage(Fleet(things=1)) as it:
        name = await it.subscribes()
        if how == "complete":
            await it.requests(name, 1)
            await it.until(lambda: "complete" in it.actions)
        else:
            await it.hears(CancelSearch(subscription_id=name))
            await it.hears(CancelSearch(subscription_id=name))
        it.said.clear()
        await it.requests(name, 1)
        await it.until(lambda: bool(it.said))
        assert it.error() == (400, "thing-search:subscription.protocol.error")
        it.said.clear()
        it.clock[0] += timedelta(seconds=11)
        await it.requests(name, 1)
        await it.until(lambda: bool(it.said))
        assert it.error() == (404, "thing-search:subscription.not.found")


async def test_an_idle_search_fails_once_and_is_over() -> None:
    async with stage() as it:
        name = await it.subscribes(option="size(1)", headers={"correlation-id": "s"})
        await it.requests(name, 1, headers={"correlation-id": "r"})
        await it.says("next")
        it.clock[0] += timedelta(seconds=59)
        await it.requests(name, 1, headers={"correlation-id": "r"})
        await it.says("next", "next")
        it.clock[0] += timedelta(seconds=61)
        await it.says("next", "next", "failed")
        assert it.error() == (408, "thing-search:subscription.timeout")
        assert it.said[-1][2] == {"correlation-id": "r"}
        await it.requests(name, 1)
        await it.says("next", "next", "failed", "failed")
        assert it.said[-1][1]["error"] != it.said[-2][1]["error"]


async def test_a_search_that_nobody_ever_asked_a_page_of_fails_too() -> None:
    async with stage() as it:
        await it.subscribes()
        it.clock[0] += timedelta(seconds=61)
        await it.says("failed")
        assert it.error() == (408, "thing-search:subscription.timeout")


@pytest.mark.parametrize(
    ("auth", "route"), [(BOB, ROUTE), (ALICE, Route(address="elsewhere"))], ids=["caller", "address"]
)
async def test_a_search_is_unknown_to_anybody_else(auth: AuthContext, route: Route) -> None:
    async with stage() as it:
        name = await it.subscribes()
        await it.requests(name, 1, auth=auth, route=route)
        await it.says("failed")
        assert it.error() == (404, "thing-search:subscription.not.found")
        assert it.said[-1][3] == route
        await it.hears(CancelSearch(subscription_id=name), auth, route)
        await it.requests(name, 1)
        await it.says("failed", "failed", "next", "complete")


@pytest.mark.parametrize("name", ["", "0", "../../etc", "\x00", "0" * 31 + "g"])
async def test_what_cannot_be_an_id_is_unknown(name: str) -> None:
    async with stage() as it:
        await it.requests(name, 1)
        await it.until(lambda: bool(it.said))
        assert it.error() == (404, "thing-search:subscription.not.found")


async def test_a_client_that_is_gone_ends_its_search() -> None:
    async with stage() as it:
        name = await it.subscribes(option="size(1)")
        it.emits += [True, False]
        await it.requests(name, 1_000)
        await it.until(lambda: len(it.fleet.asked) == 2 and not it.emits)
        await it.requests(name, 1)
        await it.says("next", "failed")
        assert it.error() == (404, "thing-search:subscription.not.found")
        assert len(it.fleet.asked) == 2


async def test_a_client_that_never_hears_of_its_search_has_none() -> None:
    keeper = InMemoryKeeper()
    async with stage(keeper=keeper) as it:
        it.emits.append(False)
        await it.hears(SubscribeToSearch())
        await it.until(lambda: not it.emits)
        assert await keeper.due(NOON + timedelta(days=1)) == []


@pytest.mark.parametrize("where", ["sending", "searching"])
async def test_a_page_that_cannot_be_sent_now_is_sent_later(where: str) -> None:
    async with stage() as it:
        name = await it.subscribes(option="size(4)")
        if where == "sending":
            it.emits += [True, Undelivered("no broker")]
        else:
            it.fleet.trouble = GatewayServiceUnavailable("no database")
        await it.requests(name, 2)
        await it.until(lambda: not it.emits and it.fleet.trouble is None)
        it.clock[0] += timedelta(seconds=2)
        await it.says("next", "next", "complete")
        assert it.pages() == [["t0", "t1", "t2", "t3"], ["t4", "t5", "t6"]]


async def until_given_back(it: Stage, keeper: InMemoryKeeper, name: str) -> Subscription | None:
    """The subscription when nobody works on it any more."""
    seen: list[Subscription | None] = []

    def look(found: Subscription | None) -> tuple[Subscription | None, Act]:
        seen.append(found)
        return found, Act.NOTHING

    while not seen or ((found := seen[-1]) is not None and found.worker is not None):
        await keeper.change(name, look)
        await asyncio.sleep(0)
    return seen[-1]


async def test_while_nothing_can_be_sent_it_is_tried_ever_more_rarely_and_given_up_in_the_end() -> None:
    keeper = InMemoryKeeper()
    async with stage(keeper=keeper) as it:
        name = await it.subscribes(option="size(4)")
        it.emits += [Undelivered("no broker")] * 1_000
        await it.requests(name, 1)
        pauses: list[float] = []
        with structlog.testing.capture_logs() as lines:
            while (found := await until_given_back(it, keeper, name)) is not None:
                pauses.append((found.due - it.clock[0]).total_seconds())
                it.clock[0] = found.due
                tries = len(it.emits)
                await it.until(lambda: len(it.emits) < tries)  # noqa: B023 - awaited at once
        assert pauses[:6] == [1, 2, 4, 8, 16, 16]
        assert pauses[-1] == 0  # when patience is at its end the failure is tried to be told, once
        assert timedelta(minutes=5) <= it.clock[0] - NOON < timedelta(minutes=5, seconds=17)
        assert [line["subscription"] for line in lines if line["event"] == "search_given_up"] == [name]
        it.emits.clear()
        await it.requests(name, 1)
        await it.says("failed")
        assert it.error() == (404, "thing-search:subscription.not.found")


async def test_what_stays_away_for_too_long_ends_the_search_with_an_error_that_can_be_told() -> None:
    keeper = InMemoryKeeper()
    async with stage(keeper=keeper) as it:
        name = await it.subscribes(option="size(4)")
        while "failed" not in it.actions:
            it.fleet.trouble = GatewayServiceUnavailable("no database")
            if it.fleet.asked:
                found = await until_given_back(it, keeper, name)
                assert found is not None
                it.clock[0] = found.due
                asked, said = len(it.fleet.asked), len(it.said)
                await it.until(lambda: (len(it.fleet.asked), len(it.said)) != (asked, said))  # noqa: B023 - as above
            else:
                await it.requests(name, 1)
                await it.until(lambda: bool(it.fleet.asked))
        assert it.error() == (500, "thing-search:subscription.aborted")


async def test_a_page_ends_the_trouble_before_it() -> None:
    keeper = InMemoryKeeper()
    async with stage(keeper=keeper) as it:
        name = await it.subscribes(option="size(2)")
        it.emits += [Undelivered("no broker"), Undelivered("no broker"), True]
        await it.requests(name, 1)
        for _ in range(2):
            found = await until_given_back(it, keeper, name)
            assert found is not None
            it.clock[0] = found.due
            left = len(it.emits)
            await it.until(lambda: len(it.emits) < left)  # noqa: B023 - as above
        await it.says("next")
        found = await until_given_back(it, keeper, name)
        assert found is not None
        assert (found.tries, found.troubled, found.demand) == (0, None, 0)


async def test_a_defect_aborts_one_search_and_no_other() -> None:
    async with stage() as it:
        first, second = await it.subscribes(), await it.subscribes()
        it.fleet.trouble = RuntimeError("a defect")
        await it.requests(first, 1)
        await it.until(lambda: "failed" in it.actions)
        assert it.error() == (500, "thing-search:subscription.aborted")
        await it.requests(second, 1)
        await it.until(lambda: "complete" in it.actions)


async def test_an_error_of_the_search_ends_it_with_that_error() -> None:
    async with stage() as it:
        name = await it.subscribes()
        it.fleet.trouble = SearchQueryTimeExceeded(10)
        await it.requests(name, 1)
        await it.says("failed")
        assert it.error() == (408, "thing-search:query.time.exceeded")


async def test_a_caller_has_so_many_searches_and_no_more() -> None:
    async with stage(per_caller=2) as it:
        first = await it.subscribes()
        await it.subscribes()
        refused = await it.subscribes()
        await it.until(lambda: it.actions[-1] == "failed")
        assert it.error() == (429, "too.many.requests")
        await it.subscribes(auth=BOB)
        await it.hears(CancelSearch(subscription_id=first))
        it.said.clear()
        await it.subscribes()
        await it.requests(refused, 1)
        await it.until(lambda: "failed" in it.actions)
        assert it.error() == (404, "thing-search:subscription.not.found")


async def test_pages_are_empty_neither_in_between_nor_counted() -> None:
    class Vanishing(Fleet):
        @override
        async def page(self, search: Search) -> JsonObject:
            body = await super().page(search)
            return {**body, "items": []} if len(self.asked) in {1, 2} else body

    async with stage(Vanishing()) as it:
        name = await it.subscribes(option="size(2)")
        await it.requests(name, 1)
        await it.says("next")
        assert it.pages() == [["t4", "t5"]]
