from __future__ import annotations

from decimal import Decimal

import pytest

from projections.search.aggregates import Group, Summary
from protocol.errors import DittoError, SearchAggregateInvalid, SearchOptionInvalid
from protocol.json import dump
from services.searching.aggregates import read_plan


def test_an_aggregate_says_what_to_group_by_and_what_to_compute() -> None:
    plan = read_plan(
        group="attributes/state,_namespace",
        select="count,avg(attributes/n),max(attributes/n),sum(_revision)",
        option="",
    )
    assert [found.path for found in plan.asked.groups] == [("attributes", "state"), ("_namespace",)]
    assert [found.path for found in plan.asked.fields] == [("attributes", "n"), ("_revision",)]
    assert [item.name for item in plan.items] == ["count", "avg(attributes/n)", "max(attributes/n)", "sum(_revision)"]
    assert plan.size == 100


def test_without_anything_said_the_hits_are_counted() -> None:
    plan = read_plan(group="", select="", option="size(7)")
    assert plan.answer([Group((), 3, ())], complete=True) == {
        "items": [{"group": {}, "values": {"count": 3}}],
        "complete": True,
    }
    assert plan.size == 7


def test_numbers_are_told_to_the_last_digit() -> None:
    plan = read_plan(group="attributes/s", select="sum(attributes/n),avg(attributes/n),min(attributes/n)", option="")
    for total, printed in (
        (Decimal("0.3"), b"0.3"),
        (Decimal("3.0"), b"3"),
        (Decimal(2**70), b"1180591620717411303424"),
        (Decimal("12345678901234567.25"), b"12345678901234567.25"),
    ):
        body = dump(plan.answer([Group(("on",), 2, (Summary(2, total, 1, 2),))], complete=False))
        average = dump(float(total / 2))
        assert body == (
            b'{"items":[{"group":{"attributes/s":"on"},"values":{"sum(attributes/n)":' + printed
            + b',"avg(attributes/n)":' + average + b',"min(attributes/n)":1}}],"complete":false}'
        )  # fmt: skip


def test_of_no_numbers_there_is_no_sum() -> None:
    plan = read_plan(group="", select="sum(attributes/n),avg(attributes/n),max(attributes/n)", option="")
    values = {"sum(attributes/n)": None, "avg(attributes/n)": None, "max(attributes/n)": None}
    answer = plan.answer([plan.asked.nothing()], complete=True)
    assert answer == {"items": [{"group": {}, "values": values}], "complete": True}


@pytest.mark.parametrize(
    ("group", "select", "place"),
    [
        ("attributes", "", 1),
        ("attributes/a,nothing", "", 14),
        ("attributes/a,", "", 14),
        (",", "", 1),
        ("_revision,thingId,policyId,definition", "", 28),
        ("attributes/a)", "", 13),
        ("", "total", 1),
        ("", "count,", 7),
        ("", "count,avg", 7),
        ("", "counts", 1),
        ("", "avg(attributes/a", 17),
        ("", "avg(attributes/a),count avg", 19),
        ("", "avg()", 5),
        ("", "avg(features)", 5),
        ("", ",".join(["count"] * 11), 61),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(group: str, select: str, place: int) -> None:
    with pytest.raises(SearchAggregateInvalid) as caught:
        read_plan(group=group, select=select, option="")
    assert f"at position {place}:" in caught.value.message


@pytest.mark.parametrize("option", ["sort(+thingId)", "cursor(x)", "limit(0,5)", "size(0)", "size(201)"])
def test_an_aggregate_has_no_option_but_a_size(option: str) -> None:
    with pytest.raises(SearchOptionInvalid):
        read_plan(group="", select="", option=option)


def test_every_refusal_is_a_client_error() -> None:
    with pytest.raises(DittoError) as caught:
        read_plan(group="x", select="", option="")
    assert (caught.value.status, caught.value.code) == (400, "thing-search:search.aggregate.invalid")
