"""What is written for an event, how the model is rebuilt, in which order hits come, and by which indexes."""

from __future__ import annotations

import random

import pytest

from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from projections.rebuild import Rebuild, RebuildOptions
from projections.runner import ProjectionRunner
from projections.search.aggregates import Aggregates
from projections.search.binding import Given
from projections.search.granting import SLICE
from projections.search.keys import changed_keys, number_text
from projections.search.projection import SearchProjection
from projections.statements import Connection
from protocol.json import JsonObject
from tests.integration.projections.fleet import Fleet, reached, running
from tests.integration.projections.sql import WRITES
from tests.integration.search.searched import ALICE, OPEN, OPEN_POLICY, Searched, entry, policy, prop, question


async def written(searched: Searched, *changes: tuple[str, str, str, object]) -> dict[str, int]:
    """Rows of each table that one batch writes."""
    async with searched.pool.acquire() as connection, connection.transaction():
        before = await _written(connection, searched)
        await searched.projection.apply(connection, searched.recorded(*changes))
        after = await _written(connection, searched)
    return {table: count - before[table] for table, count in after.items() if count > before[table]}


async def _written(connection: Connection, searched: Searched) -> dict[str, int]:
    """What the session has counted, earlier transactions included that it has not reported yet."""
    return {table: await connection.fetchval(WRITES, table) or 0 for table in searched.projection.tables}


async def test_a_policy_of_many_things_changes_without_a_row_of_theirs(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(*({"thingId": f"farm:t{number}", "attributes": {"n": number}} for number in range(500)))
    assert await searched.count("lt(attributes/n,100)") == 100
    resources = {"thing:/attributes/n": {"grant": [], "revoke": ["READ"]}, "thing:/": {"grant": ["READ"], "revoke": []}}
    rows = await written(searched, (f"policy:{OPEN}", "modified", "/entries/e0/resources", resources))
    assert rows == {"search_policies": 1, "search_grants": 2}
    assert await searched.count("lt(attributes/n,100)") == 0
    assert await searched.count() == 500


async def test_an_imported_policy_reaches_those_who_import_it(searched: Searched) -> None:
    await searched.policy(policy("p:base", entry(ALICE, read=["/attributes/n"])))
    await searched.policy(policy("p:one", imports={"p:base": {}}))
    await searched.things({"thingId": "farm:a", "policyId": "p:one", "attributes": {"n": 1}})
    assert await searched.find("eq(attributes/n,1)") == ["farm:a"]
    await searched.apply(("policy:p:base", "deleted", "/", ...))
    assert await searched.find() == []
    await searched.apply(("policy:p:base", "created", "/", policy("p:base", entry(ALICE, read=["/"]))))
    assert await searched.find("eq(attributes/n,1)") == ["farm:a"]


async def test_a_template_of_many_policies_writes_only_what_its_change_adds(searched: Searched) -> None:
    fleet = [f"p:{number}" for number in range(2 * SLICE + 1)]
    own = entry("nginx:owner", read=["/"])
    await searched.policy(policy("p:base", entry("nginx:op", read=["/attributes/n"])))
    await searched.policy(*(policy(name, own, imports={"p:base": {}}) for name in fleet))
    await searched.things({"thingId": "farm:last", "policyId": fleet[-1], "attributes": {"n": 1}})
    rows = await written(searched, ("policy:p:base", "modified", f"/entries/e0/subjects/{ALICE}", {"type": "test"}))
    assert rows == {"search_policies": 1, "search_grants": 1 + len(fleet)}
    assert await searched.find("eq(attributes/n,1)") == ["farm:last"]
    subjects: JsonObject = {"nginx:op": {"type": "other"}}
    rows = await written(searched, ("policy:p:base", "modified", "/entries/e0/subjects", subjects))
    assert rows == {"search_policies": 1, "search_grants": 1 + len(fleet)}
    assert await searched.find("eq(attributes/n,1)") == []
    assert await searched.find("eq(attributes/n,1)", by=("nginx:op",)) == ["farm:last"]


async def test_a_changed_value_writes_its_own_keys_alone(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things({"thingId": "farm:a", "attributes": {f"a{number}": number for number in range(50)}})
    rows = await written(
        searched,
        ("thing:farm:a", "modified", "/attributes/a1", "one"),
        ("thing:farm:a", "modified", "/attributes/a1", "two"),
    )
    assert rows == {"search_things": 1, "search_keys": 2}


async def test_a_deleted_thing_is_gone_and_may_come_again(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things({"thingId": "farm:a", "attributes": {"n": 1}})
    await searched.apply(("thing:farm:a", "deleted", "/", ...))
    assert await searched.find() == []
    assert await searched.pool.fetch("TABLE search_keys") == []
    await searched.apply(("thing:farm:a", "created", "/", {"thingId": "farm:a", "policyId": OPEN}))
    assert await searched.find("eq(_revision,3)") == ["farm:a"]


async def test_a_rebuild_gives_the_same_rows(pool: Pool, database_url: str) -> None:
    async with PostgresEventStore(pool) as store:
        fleet = Fleet(store)
        changes = [(f"policy:{OPEN}", "created", "/", OPEN_POLICY)]
        names = [f"farm:t{number}" for number in range(40)]
        changes += [
            (f"thing:{name}", "created", "/", {"thingId": name, "policyId": OPEN, "attributes": {"a": 1}})
            for name in names
        ]
        await fleet.change(*changes)
        chance = random.Random(7)  # noqa: S311 - a fixed sequence is the point
        async with running(ProjectionRunner(pool, store, SearchProjection).run()):
            for number in range(30):
                name = chance.choice(names)
                await fleet.change((f"thing:{name}", "modified", f"/attributes/{'ab'[number % 2]}", number))
            event = (await fleet.change(*((f"thing:{name}", "deleted", "/", ...) for name in names[:5])))[-1]
            await reached(pool, "search", event.position)
            report = await Rebuild(pool, store, SearchProjection(), options=RebuildOptions(compare=True)).run()
        assert report.differences == ()


async def test_hits_come_in_order_with_what_has_no_value_below_all(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    values: list[object] = [3, "b", 1.5, ..., True, [2, 9], None, "B", 3]
    await searched.things(
        *(
            {"thingId": f"farm:{number}", "attributes": {} if value is ... else {"v": value}}
            for number, value in enumerate(values)
        )
    )
    upwards = ["3", "6", "2", "5", "0", "8", "7", "1", "4"]
    for sort, expected in (
        ("+attributes/v", upwards),
        ("-attributes/v", ["4", "1", "7", "5", "0", "8", "2", "3", "6"]),
    ):
        seen: list[str] = []
        place = None
        while True:
            page = await searched.page(sort=sort, size=2, after=place)
            seen += [thing_id[-1] for thing_id in page.thing_ids]
            place = page.next
            if place is None:
                break
        assert seen == expected, sort
        both = [thing_id[-1] for thing_id in await searched.find(sort=f"{sort},+_revision")]
        assert both == expected, sort


async def test_order_gives_nothing_away_of_what_is_hidden(searched: Searched) -> None:
    await searched.policy(policy(OPEN, entry(ALICE, read=["/"], hide=["/attributes/v"])))
    await searched.things(*({"thingId": f"farm:{n}", "attributes": {"v": -n}} for n in range(5)))
    for sort in ("+attributes/v", "-attributes/v", "+attributes/v,-_revision"):
        assert await searched.find(sort=sort) == [f"farm:{n}" for n in range(5)]


async def test_an_array_that_is_hidden_as_a_whole_gives_no_order(searched: Searched) -> None:
    shown = entry(ALICE, read=["/"], hide=["/attributes/list/secret"])
    await searched.policy(policy(OPEN, shown))
    await searched.things(
        {"thingId": "farm:a", "attributes": {"list": {"v": 5}}},
        {"thingId": "farm:b", "attributes": {"list": [{"v": 1}]}},
        {"thingId": "farm:c", "attributes": {"list": {"v": 3}}},
    )
    assert await searched.find("exists(attributes/list/v)") == ["farm:a", "farm:c"]
    assert await searched.find(sort="+attributes/list/v") == ["farm:b", "farm:c", "farm:a"]
    assert await searched.find(sort="-attributes/list/v,+_revision") == ["farm:a", "farm:c", "farm:b"]


async def test_an_empty_object_is_seen_although_something_below_it_would_be_hidden(searched: Searched) -> None:
    shown = entry(ALICE, read=["/"], hide=["/attributes/o/secret", "/features/f/properties/secret"])
    await searched.policy(policy(OPEN, shown))
    empties: tuple[object, ...] = ({}, [], None, "", {"secret": 1})
    await searched.things(
        *({"thingId": f"farm:{n}", "attributes": {"o": value}} for n, value in enumerate(empties)),
        {"thingId": "farm:f", "features": {"f": {"properties": {}}}},
    )
    assert await searched.find("exists(attributes/o)") == ["farm:0"]
    assert await searched.find("not(empty(attributes/o))") == []
    for rql in ("exists(features/f/properties)", "exists(features/*/properties)"):
        assert await searched.find(rql) == ["farm:f"]


async def test_what_a_caller_may_read_is_looked_up_again_only_when_it_has_changed(searched: Searched) -> None:
    await searched.policy(policy(OPEN, entry(ALICE, read=["/attributes/a"])))
    await searched.things({"thingId": "farm:a", "attributes": {"a": 1, "b": 1}})
    assert await searched.find("exists(attributes/b)") == []
    for paths in (["/attributes/b"], ["/attributes/a"], ["/"], ["/attributes/a"]):
        resources = {f"thing:{path}": {"grant": ["READ"], "revoke": []} for path in paths}
        await searched.apply((f"policy:{OPEN}", "modified", "/entries/e0/resources", resources))
        found = await searched.find("exists(attributes/b)")
        assert found == (["farm:a"] if paths[0] in {"/", "/attributes/b"} else []), paths


async def test_metadata_is_as_hidden_as_what_it_is_about(searched: Searched) -> None:
    await searched.policy(policy(OPEN, entry(ALICE, read=["/"], hide=["/attributes/v"])))
    about = {"attributes": {"v": {"unit": "K"}, "w": {"unit": "K"}}}
    await searched.things({"thingId": "farm:a", "attributes": {"v": 1, "w": 1}, "_metadata": about})
    assert await searched.find('eq(_metadata/attributes/w/unit,"K")') == ["farm:a"]
    for hidden in ('eq(_metadata/attributes/v/unit,"K")', "exists(_metadata/attributes/v)"):
        assert await searched.find(hidden) == []
    assert await searched.find("exists(_metadata/attributes)") == ["farm:a"]


HOT = (
    ('eq(attributes/serial,"s77")', ""),
    ("and(gt(attributes/n,10),lt(attributes/n,12))", ""),
    ('in(attributes/serial,"s1","s2")', ""),
    ('like(attributes/serial,"s77*")', ""),
    ("exists(attributes/rare)", ""),
    ('eq(features/*/properties/unit,"u77")', ""),
    ('eq(thingId,"farm:t77")', ""),
    (None, "-attributes/n"),
    (None, "+attributes/n"),
    (None, "-_modified"),
    (None, ""),
)


@pytest.mark.parametrize("shared", [True, False])
async def test_hot_queries_follow_indexes(searched: Searched, shared: bool) -> None:
    names = [f"farm:t{number}" for number in range(3_000)]
    if shared:
        await searched.policy(OPEN_POLICY)
    else:
        await searched.policy(*(policy(name, entry(ALICE, read=["/"])) for name in names))
    await searched.things(*(_thing(number, name, shared) for number, name in enumerate(names)))
    await searched.pool.execute("VACUUM ANALYZE")
    for rql, sort in HOT:
        plan = await searched.plan(rql, sort)
        scans = [line for line in plan if "Seq Scan on search_things" in line or "Seq Scan on search_keys" in line]
        assert not scans, (rql, sort, plan)


async def test_aggregates_of_few_hits_follow_indexes(searched: Searched) -> None:
    await searched.policy(OPEN_POLICY)
    await searched.things(*(_thing(number, f"farm:t{number}", shared=True) for number in range(3_000)))
    await searched.pool.execute("VACUUM ANALYZE")
    asked = Aggregates((prop("attributes/serial"),), (prop("features/*/properties/unit"), prop("attributes/n")))
    for rql in ('eq(attributes/serial,"s77")', "and(gt(attributes/n,10),lt(attributes/n,12))"):
        plan = await searched.reader.plan(question(rql), asked, Given(subjects=(ALICE,), most=101))
        scans = [line for line in plan if "Seq Scan on search_things" in line or "Seq Scan on search_keys" in line]
        assert not scans, (rql, plan)


def _thing(number: int, name: str, shared: bool) -> JsonObject:
    attributes: JsonObject = {"serial": f"s{number}", "n": number}
    if number == 5:
        attributes["rare"] = 1
    return {
        "thingId": name,
        "policyId": OPEN if shared else name,
        "attributes": attributes,
        "features": {"f": {"properties": {"unit": f"u{number}"}}},
    }


def test_numbers_sort_as_texts_exactly_as_they_do_as_numbers() -> None:
    numbers = [-1e300, -(2**63), -(2**53) - 1, -(2**53), -2.5, -1, -0.1, 0, 5e-324, 0.1, 1, 1.5, 2**53, 2**53 + 1]
    numbers += [2**53 + 2, 2**63 - 1, 2**64, 1e300]
    assert [number_text(number) for number in numbers] == sorted(number_text(number) for number in numbers)
    assert number_text(1) == number_text(1.0)
    assert number_text(-0.0) == number_text(0)


def test_a_long_string_is_cut_and_a_long_path_left_out() -> None:
    deep: JsonObject = {"l" * 256: {"m" * 256: {"n" * 256: 1}}}
    come = changed_keys({}, {"attributes": {"s": "é" * 800, "k" * 256: deep}}).come
    assert [len(key.encode()) for key, _ in come] == [950]
