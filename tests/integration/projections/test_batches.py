"""However the log is cut into batches, and wherever a projection starts anew, the tables are the same."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.events import RecordedEvent
from eventstore.memory import InMemoryEventStore
from eventstore.pool import Pool
from projections.projection import Projection
from projections.revisions import RevisionsProjection
from projections.statements import Connection
from projections.twins import TwinsProjection
from tests.integration.projections import sql
from tests.integration.projections.fleet import Change, Fleet, created, deleted, modified

NAMES = ("farm.one:a", "farm.one:b", "farm.two:a")


def policy_created(name: str) -> Change:
    return f"policy:{name}", "created", "/", {"policyId": name, "entries": {}}


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes that could have happened: only what exists is modified, merged or deleted."""
    alive: set[str] = set()
    history: list[Change] = []
    for number in range(draw(st.integers(1, 25))):
        name = draw(st.sampled_from(NAMES))
        if name not in alive:
            alive.add(name)
            history += [created(name, n=number), policy_created(name)][: draw(st.integers(1, 2))]
            continue
        kind = draw(st.sampled_from(("modified", "merged", "deleted", "gone", "other")))
        if kind == "modified":
            history.append(modified(name, "n", draw(st.sampled_from([1, "x", None, {"deep": [1]}]))))
        elif kind == "merged":
            history.append((f"thing:{name}", "merged", "/", {"attributes": {"n": None, "m": number}}))
        elif kind == "deleted":
            history.append((f"thing:{name}", "deleted", "/attributes/n", ...))
        elif kind == "gone":
            alive.discard(name)
            history.append(deleted(name))
        else:
            history.append((f"delivery:{name}", "announced", "/", number))
    return _policies_once(history)


def _policies_once(history: list[Change]) -> list[Change]:
    seen: set[str] = set()
    once = []
    for change in history:
        if not (change[0].startswith("policy:") and change[0] in seen):
            once.append(change)
        seen.add(change[0])
    return once


def cut(events: Sequence[RecordedEvent], sizes: Sequence[int]) -> list[Sequence[RecordedEvent]]:
    batches, start, turn = [], 0, 0
    while start < len(events):
        size = sizes[turn % len(sizes)]
        batches.append(events[start : start + size])
        start, turn = start + size, turn + 1
    return batches


async def outcome(
    connection: Connection, projection: Projection, batches: Sequence[Sequence[RecordedEvent]], *, forgetful: bool
) -> dict[str, list[str]]:
    transaction = connection.transaction()
    await transaction.start()
    for batch in batches:
        await projection.apply(connection, batch)
        if forgetful:
            projection.forget()
    rows = {table: [row[0] for row in await connection.fetch(sql.rows_of(table))] for table in projection.tables}
    await transaction.rollback()
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), forgetful=st.booleans())
async def test_batches_of_any_size_give_the_same_tables(
    pool: Pool, history: list[Change], sizes: list[int], forgetful: bool
) -> None:
    store = InMemoryEventStore()
    fleet = Fleet(store)
    for change in history:
        await fleet.change(change)
    events = [event async for page in store.read() for event in page]
    async with pool.acquire() as connection:
        for make in (TwinsProjection, RevisionsProjection):
            whole = await outcome(connection, make(), [events], forgetful=False)
            pieces = await outcome(connection, make(), cut(events, sizes), forgetful=forgetful)
            assert pieces == whole


async def test_counters_per_entity_and_namespace(pool: Pool) -> None:
    store = InMemoryEventStore()
    fleet = Fleet(store)
    for change in (
        created("farm.one:a"),
        policy_created("farm.one:a"),
        modified("farm.one:a", "n", 1),
        created("farm.one:b"),
        created("farm.two:a"),
        deleted("farm.one:b"),
        created("farm.one:b"),
        deleted("farm.one:a"),
    ):
        await fleet.change(change)
    events = [event async for page in store.read() for event in page]
    async with pool.acquire() as connection, connection.transaction():
        for batch in cut(events, [3, 2]):
            await RevisionsProjection().apply(connection, batch)
        namespaces = await connection.fetch(
            "SELECT namespace, category, entities, events, position, created_at, modified_at"
            " FROM namespace_revisions ORDER BY 1, 2"
        )
        entity = await connection.fetchrow("SELECT * FROM entity_revisions WHERE stream = 'thing:farm.one:b'")
    times = [event.recorded_at for event in events]
    assert [tuple(row) for row in namespaces] == [
        ("farm.one", "policy", 1, 1, 2, times[1], times[1]),
        ("farm.one", "thing", 1, 6, 8, times[0], times[7]),
        ("farm.two", "thing", 1, 1, 5, times[4], times[4]),
    ]
    assert tuple(entity or ()) == ("thing:farm.one:b", "farm.one", 3, 3, times[6], times[6], False)
