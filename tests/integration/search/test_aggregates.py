"""Sums, extremes and counts over hits, group by group."""

from __future__ import annotations

from decimal import Decimal

import pytest

from projections.search.aggregates import Summary
from projections.search.keys import number_text
from protocol.json import JsonObject
from tests.integration.search.searched import ALICE, OPEN, OPEN_POLICY, Searched, entry, policy

ROOMS: tuple[JsonObject, ...] = (
    {
        "thingId": "farm:a",
        "attributes": {"state": "on", "tags": ["x", "y", "x"], "n": [1, 2, 2, "z"]},
        "features": {"f": {"properties": {"v": 20.5}}, "g": {"properties": {"v": 20.5}}},
    },
    {"thingId": "farm:b", "attributes": {"state": "on", "n": 0.1}, "features": {"f": {"properties": {"v": -1}}}},
    {"thingId": "farm:c", "attributes": {"state": "off", "n": "a", "tags": ["y"]}},
    {"thingId": "field:d", "attributes": {"state": None, "n": True}},
    {"thingId": "field:e", "attributes": {"state": {}}},
)


async def given_rooms(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(*ROOMS)


async def test_groups_come_with_those_of_most_things_first(searched: Searched) -> None:
    await given_rooms(searched)
    groups, complete = await searched.aggregate(groups=["attributes/state"])
    assert [(group.values, group.things) for group in groups] == [((None,), 2), (("on",), 2), (("off",), 1)]
    assert complete
    groups, complete = await searched.aggregate(groups=["attributes/state"], size=2)
    assert ([group.values for group in groups], complete) == ([(None,), ("on",)], False)


async def test_a_thing_is_in_the_group_of_each_of_its_values_once(searched: Searched) -> None:
    await given_rooms(searched)
    groups, _ = await searched.aggregate(groups=["attributes/tags", "_namespace"])
    assert [(group.values, group.things) for group in groups] == [
        ((None, "field"), 2),
        (("y", "farm"), 2),
        ((None, "farm"), 1),
        (("x", "farm"), 1),
    ]
    groups, _ = await searched.aggregate(groups=["features/*/properties/v"])
    assert [(group.values, group.things) for group in groups] == [((None,), 3), ((-1,), 1), ((20.5,), 1)]


async def test_sums_are_over_numbers_and_extremes_over_numbers_before_strings(searched: Searched) -> None:
    await given_rooms(searched)
    fields = ["attributes/n", "features/*/properties/v", "thingId", "_revision"]
    (group,), _ = await searched.aggregate(fields=fields)
    assert (group.values, group.things) == ((), 5)
    assert group.summaries == (
        Summary(3, Decimal("3.1"), 0.1, 2),
        Summary(3, Decimal(40), -1, 20.5),
        Summary(0, None, "farm:a", "field:e"),
        Summary(5, Decimal(5), 1, 1),
    )
    (group,), _ = await searched.aggregate('eq(attributes/n,"a")', fields=["attributes/n"])
    assert group.summaries == (Summary(0, None, "a", "a"),)


async def test_nothing_found_is_no_group_or_one_of_no_things(searched: Searched) -> None:
    await given_rooms(searched)
    for by in ((ALICE,), ("nobody",)):
        assert await searched.aggregate("exists(attributes/none)", groups=["attributes/n"], by=by) == ([], True)
        (group,), complete = await searched.aggregate("exists(attributes/none)", fields=["attributes/n"], by=by)
        assert (group.things, group.summaries, complete) == (0, (Summary(0, None, None, None),), True)


async def test_what_is_hidden_is_absent_from_groups_and_sums(searched: Searched) -> None:
    shown = entry(ALICE, read=["/"], hide=["/attributes/n", "/features/g", "/policyId", "/attributes/tags/of"])
    await searched.policy(policy(OPEN, shown))
    await searched.things(*ROOMS)
    fields = ["attributes/n", "features/*/properties/v", "policyId"]
    (group,), _ = await searched.aggregate(fields=fields)
    absent = Summary(0, None, None, None)
    assert group.summaries == (absent, Summary(2, Decimal("19.5"), -1, 20.5), absent)
    for name in ("attributes/n", "policyId", "attributes/tags"):
        groups, _ = await searched.aggregate(groups=[name])
        assert [(group.values, group.things) for group in groups] == [((None,), 5)], name


async def test_sums_of_many_decimals_and_long_integers_are_exact(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    longs = [2**63 - 1, 2**62 + 1, -(2**63), 2**53 + 1, -(2**53) - 1]
    await searched.things(
        *({"thingId": f"farm:t{number}", "attributes": {"tenth": 0.1}} for number in range(10)),
        *({"thingId": f"farm:l{number}", "attributes": {"long": long}} for number, long in enumerate(longs)),
    )
    (group,), _ = await searched.aggregate(fields=["attributes/tenth", "attributes/long"])
    assert group.summaries == (
        Summary(10, Decimal("1.0"), 0.1, 0.1),
        Summary(5, Decimal(sum(longs)), -(2**63), 2**63 - 1),
    )


NUMBERS: tuple[float, ...] = (
    *(0, -0.0, 1, -1, 0.1, -0.1, 1.5, 123456.789, -2.5e-9, 1e22, 1e300, -1e300, 1.7976931348623157e308),
    *(5e-324, -5e-324, 2.2250738585072014e-308, 2.0**70),
    *(2**53, 2**53 + 1, -(2**53) - 1, 2**62 + 12345, 2**63 - 1, 2**63, -(2**63)),
)


@pytest.mark.parametrize("number", NUMBERS)
async def test_the_database_reads_numbers_out_of_keys(searched: Searched, number: float) -> None:
    read = await searched.pool.fetchval("SELECT search_number($1)", number_text(number))
    assert read == (Decimal(number) if isinstance(number, int) else Decimal(repr(number)))
