"""Under any SearchIndexes a search finds what it finds without them, or is refused for what somebody may see."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.search.fields import EVERYTHING, read_fields
from protocol.errors import SearchFieldNotIndexed
from protocol.json import JsonObject
from protocol.rql.printing import print_query
from protocol.rql.tree import Query, properties
from tests.integration.search.searched import Searched
from tests.integration.search.test_oracle import SUBJECTS, paths, policies, queries, things

indexes = st.none() | st.lists(
    paths | st.sampled_from(["attributes", "features", "features/*/properties"]), max_size=6, unique=True
)
changes = st.lists(st.tuples(st.sampled_from("nm"), indexes, st.integers(0, 1)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(things, min_size=1, max_size=6),
    policies=policies(),
    by=st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True).map(tuple),
    queries=st.lists(queries, min_size=4, max_size=8),
    changes=changes,
)
async def test_an_index_changes_no_answer_that_it_can_give(
    searched: Searched,
    documents: list[JsonObject],
    policies: list[JsonObject],
    by: tuple[str, ...],
    queries: list[Query],
    changes: list[tuple[str, list[str] | None, int]],
) -> None:
    await searched.clear()
    await searched.policy(*policies)
    placed: list[JsonObject] = [
        {"thingId": f"{'nm'[number % 2]}:t{number}", "policyId": f"p:{number // 2 % 2}", **document}
        for number, document in enumerate(documents)
    ]
    half = len(placed) // 2
    await searched.things(*placed[:half])
    for namespace, fields, slices in changes:
        await searched.index(namespace, fields)
        for _ in range(slices):
            await searched.slice()
    await searched.things(*placed[half:])
    usable = dict.fromkeys("nm", EVERYTHING)
    usable |= {namespace: EVERYTHING if fields is None else read_fields([*fields]) for namespace, fields, _ in changes}
    while await searched.slice():
        pass
    found = await asked(searched, by, [None, *queries])
    for query, ids in zip([None, *queries], found, strict=True):
        lacking = {name for name, fields in usable.items() if query is not None and fields.lacking(properties(query))}
        told = {thing_id[0] for thing_id in found[0] or ()} & lacking
        assert (ids is None) == bool(told), query and print_query(query)
    for namespace in "nm":
        await searched.indexed(namespace, None)
    everything = await asked(searched, by, [None, *queries])
    for query, ids, known in zip([None, *queries], found, everything, strict=True):
        assert ids is None or ids == known, query and print_query(query)


async def asked(searched: Searched, by: tuple[str, ...], queries: list[Query | None]) -> list[list[str] | None]:
    """The hits of each query, none where it was refused."""
    answers: list[list[str] | None] = []
    for query in queries:
        try:
            answers.append(await searched.find(query, by=by))
        except SearchFieldNotIndexed:
            answers.append(None)
    return answers
