"""The SearchIndex of a namespace: what can be asked, what is told, what is written."""

from __future__ import annotations

import pytest

from projections.search.projection import SearchProjection
from protocol.errors import SearchFieldNotIndexed
from tests.integration.projections.fleet import contents
from tests.integration.search.searched import ALICE, OPEN, OPEN_POLICY, Searched, entry, policy

BOB = "nginx:bob"


def thing(name: str, number: int = 0, **more: object) -> dict[str, object]:
    return {
        "thingId": name,
        "attributes": {"n": number, "room": "kitchen", "tags": [{"of": "a"}, {"of": "b", "at": 1}]},
        "features": {"lamp": {"properties": {"on": True, "watts": number}}, "fan": {"properties": {"on": False}}},
        **more,
    }


async def keys(searched: Searched) -> list[str]:
    return [row["key"] for row in await searched.pool.fetch("SELECT key FROM search_keys ORDER BY key")]


async def refused(searched: Searched, rql: str | None, **more: object) -> SearchFieldNotIndexed:
    with pytest.raises(SearchFieldNotIndexed) as caught:
        await searched.page(rql, **more)  # type: ignore[arg-type]  # whatever page takes
    return caught.value


async def test_only_listed_fields_are_indexed_and_can_be_asked_for(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(thing("farm:a", 1), thing("yard:a", 1))
    before = len(await keys(searched))
    await searched.indexed("farm", ["attributes/room", "features/*/properties/on", "_modified"])
    assert len(await keys(searched)) == before // 2 + 5
    for rql in (
        'eq(attributes/room,"kitchen")',
        "eq(features/*/properties/on,true)",
        "eq(features/lamp/properties/on,true)",
        'like(thingId,"farm:*")',
        "gt(_modified,time:now-100d)",
        "not(exists(attributes/room/floor))",
        None,
    ):
        assert "farm:a" in await searched.find(rql), rql
    for rql in (
        "eq(attributes/n,1)",
        "exists(attributes)",
        "exists(features/lamp)",
        "eq(features/*/properties/watts,1)",
        "eq(_revision,1)",
        'or(eq(attributes/room,"x"),not(eq(attributes/n,1)))',
    ):
        assert (await refused(searched, rql)).extras["namespaces"] == ["farm"], rql
    assert (await refused(searched, None, sort="-attributes/n")).extras["fields"] == ["attributes/n"]
    assert (await searched.page("eq(attributes/n,1)", namespaces=("yard",))).thing_ids == ("yard:a",)


async def test_the_error_names_the_fields_and_every_namespace_that_lacks_one(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(*(thing(f"{space}:a") for space in ("farm", "yard", "barn")))
    await searched.indexed("farm", ["attributes"])
    await searched.indexed("yard", ["features"])
    error = await refused(searched, "and(eq(attributes/n,0),exists(features/lamp))")
    assert error.to_json() | {"description": ""} == {
        "status": 400,
        "error": "thing-search:search.field.notindexed",
        "message": "The search index of the namespaces 'farm', 'yard' does not hold (yet) all of "
        "'attributes/n', 'features/lamp'.",
        "description": "",
        "fields": ["attributes/n", "features/lamp"],
        "namespaces": ["farm", "yard"],
    }
    error = await refused(searched, "eq(attributes/n,0)", namespaces=("farm", "yard"))
    assert error.extras["namespaces"] == ["yard"]


async def test_a_namespace_that_shows_the_caller_nothing_neither_refuses_nor_is_named(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY, policy("bobs:p", entry(BOB, read=["/features/lamp"])))
    await searched.things(thing("farm:a"), thing("yard:a"), thing("barn:a", policyId="bobs:p"))
    await searched.indexed("farm", ["attributes"])
    await searched.indexed("barn", ["attributes"])
    await searched.indexed("void", ["attributes"])
    for namespaces in (None, ("farm", "barn", "void", "never")):
        assert (await refused(searched, "exists(features)", namespaces=namespaces)).extras["namespaces"] == ["farm"]
        error = await refused(searched, "exists(features)", namespaces=namespaces, by=(BOB,))
        assert error.extras["namespaces"] == ["barn"]
    for empty in ("barn", "void", "never"):
        assert (await searched.page("exists(features)", namespaces=(empty,))).thing_ids == ()
    assert await searched.find("exists(features)", by=("nginx:stranger",)) == []


async def test_what_a_caller_may_see_is_there_even_if_nothing_of_it_is_indexed(searched: Searched) -> None:
    hidden = {"lamp": {"properties": {"on": True}}, "f\"'n": {"properties": {"on": [1, {"x": "\x00"}]}}}
    await searched.policy(
        policy("p:lamp", entry(ALICE, read=["/features/lamp/properties"])),
        policy("p:fan", entry(ALICE, read=["/features"], hide=["/features/f\"'n", "/features/lamp/properties/on"])),
        policy("p:deep", entry(ALICE, read=["/features/f\"'n/properties/on/x"])),
        policy("p:none", entry(ALICE, read=["/attributes/absent"])),
    )
    names = ("lamp", "fan", "deep", "none")
    await searched.things(*(thing(f"farm:{name}", policyId=f"p:{name}", features=hidden) for name in names))
    seen = await searched.find()
    assert seen == ["farm:lamp"]
    await searched.apply(("thing:farm:fan", "modified", "/features/lamp/properties/volts", 3))
    everything = await searched.find()
    assert everything == ["farm:fan", "farm:lamp"]
    await searched.indexed("farm", ["_modified"])
    assert await keys(searched) == []
    assert await searched.find() == everything
    assert await searched.count() == 2
    assert await searched.count('not(eq(thingId,"farm:fan"))') == 1


async def test_writes_under_a_restricted_index_write_listed_fields_alone(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.indexed("farm", ["attributes/tags/at", "features/lamp"])
    await searched.things(thing("farm:a"))
    await searched.apply(
        ("thing:farm:a", "modified", "/attributes/n", 7),
        ("thing:farm:a", "modified", "/features/lamp/properties/watts", 7),
        ("thing:farm:a", "modified", "/attributes/tags", [{"at": 5}, {"of": 1}]),
    )
    assert await searched.find("eq(attributes/tags/at,5)") == ["farm:a"]
    assert await searched.find("eq(attributes/tags/at,1)") == []
    assert await searched.find("eq(features/lamp/properties/watts,7)") == ["farm:a"]
    written = await keys(searched)
    await searched.apply(("thing:farm:a", "modified", "/attributes/n", 8))
    assert await keys(searched) == written
    await searched.apply(("thing:farm:a", "deleted", "/", ...))
    assert await keys(searched) == []


async def test_a_field_is_usable_when_every_thing_has_it_and_not_before(searched: Searched) -> None:
    searched.projection = SearchProjection(slice_things=4)
    await searched.policy(OPEN_POLICY)
    await searched.indexed("farm", ["attributes/room", "attributes/n"])
    await searched.things(*(thing(f"farm:{number:02}", number) for number in range(10)))
    await searched.index("farm", ["attributes/n", "features"])
    for done in range(3):
        await refused(searched, "exists(features/lamp)")
        await refused(searched, "exists(attributes/room)")
        assert await searched.count("ge(attributes/n,0)") == 10
        assert await searched.slice() == (done < 2)
    assert await searched.count("exists(features/lamp)") == 10
    await refused(searched, "exists(attributes/room)")


async def test_things_that_change_in_between_come_to_the_same_keys(searched: Searched) -> None:
    searched.projection = SearchProjection(slice_things=2)
    await searched.policy(OPEN_POLICY)
    await searched.things(*(thing(f"farm:{number}", number) for number in range(8)))
    await searched.index("farm", ["attributes/room"])
    await searched.slice()
    await searched.index("farm", ["attributes/n", "features/*/properties/on"])
    await searched.slice()
    await searched.apply(
        ("thing:farm:0", "modified", "/attributes/n", 100),
        ("thing:farm:1", "deleted", "/", ...),
        ("thing:farm:6", "modified", "/features/lamp/properties/on", False),
        ("thing:farm:7", "deleted", "/", ...),
        ("thing:farm:00", "created", "/", {"policyId": OPEN, **thing("farm:00", 50)}),
        ("thing:farm:9", "created", "/", {"policyId": OPEN, **thing("farm:9", 9)}),
    )
    while await searched.slice():
        await searched.apply(("thing:farm:6", "modified", "/attributes/room", "cellar"))
    patched = await contents(searched.pool, searched.projection)
    await searched.indexed("farm", None)
    await searched.indexed("farm", ["attributes/n", "features/*/properties/on"])
    for table in ("search_keys", "search_paths"):
        assert patched[table] == (await contents(searched.pool, searched.projection))[table]
    await searched.indexed("farm", None)
    full = await contents(searched.pool, searched.projection)
    assert full["search_indexes"] == []
    assert await searched.find("eq(features/lamp/properties/on,false)") == ["farm:6"]
