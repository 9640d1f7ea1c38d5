"""``GET /things``: by ids and page by page."""

from __future__ import annotations

import re

import pytest

from tests.api.conftest import Client, Reply

THINGS = "/api/2/things"


@pytest.fixture
async def fleet(client: Client) -> Client:
    for name in ("a:1", "a:2", "a:3", "b:1", "b.c:1"):
        assert (await client("PUT", f"{THINGS}/{name}", {"attributes": {"name": name}})).status == 201
    return client


def ids(reply: Reply) -> list[str]:
    return [thing["thingId"] for thing in reply.json]


def link(reply: Reply, relation: str) -> str | None:
    match = re.search(rf'<([^>]*)>; rel="{relation}"', reply.headers["Link"])
    return match and match[1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ids=b:1,a:1", ["b:1", "a:1"]),
        ("ids=b:1&ids=a:1,a:2", ["b:1", "a:1", "a:2"]),
        ("ids=a:1,x:unknown,a:2", ["a:1", "a:2"]),
        ("ids=x:unknown", []),
    ],
)
async def test_things_come_in_the_order_of_their_ids_and_unknown_ones_are_left_out(
    fleet: Client, query: str, expected: list[str]
) -> None:
    assert ids(await fleet("GET", f"{THINGS}?{query}")) == expected
    assert ids(await fleet("GET", f"{THINGS}/?{query}&fields=thingId")) == expected


@pytest.mark.parametrize("query", ["ids=", "ids=a:1,", "ids=a:1,nonsense", "ids=,"])
async def test_a_bad_id_refuses_the_whole(fleet: Client, query: str) -> None:
    reply = await fleet("GET", f"{THINGS}?{query}")
    assert (reply.status, reply.error) == (400, "things:id.invalid")


async def test_without_ids_everything_comes_page_by_page(fleet: Client) -> None:
    seen, path = [], f"{THINGS}?option=size(2)"
    while True:
        reply = await fleet("GET", path)
        assert reply.status == 200
        assert len(reply.json) <= 2
        seen += ids(reply)
        following = link(reply, "next")
        if following is None:
            break
        path = following.removeprefix(fleet.origin)
    assert seen == ["a:1", "a:2", "a:3", "b.c:1", "b:1"]


async def test_namespaces_and_fields_are_kept_from_page_to_page(fleet: Client) -> None:
    first = await fleet("GET", f"{THINGS}?namespaces=a&option=size(2)&fields=attributes/name")
    assert first.json == [{"attributes": {"name": "a:1"}}, {"attributes": {"name": "a:2"}}]
    following = link(first, "next")
    assert following is not None
    second = await fleet("GET", following.removeprefix(fleet.origin))
    assert second.json == [{"attributes": {"name": "a:3"}}]
    assert link(second, "next") is None
    assert link(second, "canonical") is not None


async def test_a_cursor_is_good_for_its_namespaces_only(fleet: Client) -> None:
    following = link(await fleet("GET", f"{THINGS}?namespaces=a&option=size(2)"), "next")
    assert following is not None
    reply = await fleet("GET", following.removeprefix(fleet.origin).replace("namespaces=a", "namespaces=b"))
    assert (reply.status, reply.error) == (400, "thing-search:search.option.invalid")


@pytest.mark.parametrize(
    "option", ["size(0)", "size(201)", "size(x)", "size(-1)", "nonsense", "cursor(abc)", "cursor()", "sort(-thingId)"]
)
async def test_a_bad_option_is_400(fleet: Client, option: str) -> None:
    reply = await fleet("GET", f"{THINGS}?option={option}")
    assert (reply.status, reply.error) == (400, "thing-search:search.option.invalid")


async def test_the_only_order_may_be_named(fleet: Client) -> None:
    assert (await fleet("GET", f"{THINGS}?option=size(200),sort(%2BthingId)")).status == 200
