"""What is found: the rules of RQL in the search index, one by one."""

from __future__ import annotations

import pytest

from protocol.json import JsonObject
from tests.integration.search.searched import OPEN_POLICY, Searched

ROOMS: tuple[JsonObject, ...] = (
    {
        "thingId": "farm:a",
        "attributes": {"room": "kitchen", "floor": 1, "tags": ["x", 2, [True, {"deep": "y"}]], "nil": None, "s": ""},
        "features": {"t": {"properties": {"value": 20.5}}, "h": {"definition": ["a:b:1", "c:d:2"]}},
    },
    {"thingId": "farm:b", "attributes": {"room": "living-room", "floor": 1.0, "tags": [], "o": {}, "big": 2**53 + 1}},
    {
        "thingId": "farm:c",
        "attributes": {"room": "Living Room 100%_\\", "floor": "1", "on": True},
        "definition": "x:y:1",
    },
    {"thingId": "field:d", "attributes": {"floor": -3.25, "nested": [[]], "big": 2**53}, "features": {"t": {}}},
)


@pytest.mark.parametrize(
    ("rql", "names"),
    [
        ('eq(attributes/room,"kitchen")', "a"),
        ("eq(attributes/floor,1)", "ab"),
        ("eq(attributes/floor,1.0)", "ab"),
        ('eq(attributes/floor,"1")', "c"),
        ("eq(attributes/on,true)", "c"),
        ('eq(attributes/on,"true")', ""),
        ("eq(attributes/nil,null)", "a"),
        ("ne(attributes/nil,null)", ""),
        ("ne(attributes/floor,1)", "cd"),
        ('ne(attributes/room,"kitchen")', "bc"),
        ('not(eq(attributes/room,"kitchen"))', "bcd"),
        ('not(eq(attributes/room,"kitchen"),eq(attributes/on,true))', "bd"),
        ("gt(attributes/floor,-4)", "abd"),
        ("lt(attributes/floor,0)", "d"),
        ("ge(attributes/floor,1)", "ab"),
        ("le(attributes/floor,1)", "abd"),
        ('gt(attributes/room,"k")', "ab"),
        ("eq(attributes/big,9007199254740993)", "b"),
        ("gt(attributes/big,9007199254740992)", "b"),
        ('in(attributes/floor,-3.25,"1")', "cd"),
        ('like(attributes/room,"*iv?ng*")', "bc"),
        ('like(attributes/room,"living*")', "b"),
        ('like(attributes/room,"*100%_\\\\")', "c"),
        ('like(attributes/room,"%")', ""),
        ('like(attributes/floor,"*")', "c"),
        ('ilike(attributes/room,"LIVING?ROOM*")', "bc"),
        ('not(ilike(attributes/room,"LIVING?ROOM*"))', "ad"),
        ('not(ilike(thingId,"FARM:*"))', "d"),
        ('eq(attributes/tags,"x")', "a"),
        ("eq(attributes/tags,true)", "a"),
        ('eq(attributes/tags/deep,"y")', "a"),
        ("exists(attributes/tags)", "ab"),
        ("exists(attributes/nested)", "d"),
        ("empty(attributes/nested)", "abc"),
        ("empty(attributes/tags)", "bcd"),
        ("empty(attributes/s)", "abcd"),
        ("empty(attributes/o)", "abcd"),
        ("exists(attributes/o)", "b"),
        ("exists(features/t)", "ad"),
        ("exists(features/t/properties)", "a"),
        ("exists(features)", "ad"),
        ("exists(attributes)", "abcd"),
        ("gt(features/*/properties/value,20)", "a"),
        ('eq(features/*/definition,"c:d:2")', "a"),
        ("exists(features/*/properties)", "a"),
        ("exists(features/*)", "ad"),
        ('eq(definition,"x:y:1")', "c"),
        ('eq(thingId,"farm:b")', "b"),
        ('like(thingId,"farm:*")', "abc"),
        ('in(thingId,"farm:a","farm:z")', "a"),
        ('eq(_namespace,"field")', "d"),
        ('ilike(namespace,"F??m")', "abc"),
        ('eq(policyId,"open:policy")', "abcd"),
        ("eq(_revision,1)", "abcd"),
        ("gt(_revision,0.5)", "abcd"),
        ("eq(_revision,1.5)", ""),
        ('gt(_modified,"2025-01-01T00:00:00Z")', "abcd"),
        ("gt(_created,time:now-1d)", "abcd"),
        ("lt(_created,5)", ""),
        ('or(eq(attributes/room,"kitchen"),eq(attributes/on,true),eq(thingId,"field:d"))', "acd"),
        ("and(exists(attributes/room),not(eq(attributes/floor,1)))", "c"),
    ],
)
async def test_rql_finds(searched: Searched, rql: str, names: str) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(*ROOMS)
    assert "".join(sorted(found[-1] for found in await searched.find(rql))) == names
    assert await searched.count(rql) == len(names)


async def test_several_bounds_hold_for_one_value_or_each_for_one_of_several(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    features: JsonObject = {name: {"properties": {"v": value}} for name, value in (("f", 4), ("g", 11))}
    await searched.things(
        {"thingId": "farm:one", "attributes": {"v": 7}},
        {"thingId": "farm:two", "attributes": {"v": [4, 11]}},
        {"thingId": "farm:none", "attributes": {"v": [4, 5]}},
        {"thingId": "farm:some", "features": features},
    )
    assert await searched.find("and(gt(attributes/v,6),lt(attributes/v,8))") == ["farm:one", "farm:two"]
    assert await searched.find("and(ge(attributes/v,7),le(attributes/v,7))") == ["farm:one", "farm:two"]
    assert await searched.find("and(gt(attributes/v,7),lt(attributes/v,8),lt(attributes/v,7.5))") == ["farm:two"]
    assert await searched.find("and(gt(features/*/properties/v,6),lt(features/*/properties/v,5))") == ["farm:some"]
    assert await searched.find("and(gt(features/f/properties/v,6),lt(features/f/properties/v,5))") == []
