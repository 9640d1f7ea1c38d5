"""SQL and memory agree: random things, policies, callers and queries, against a slow reference.

The reference cuts every thing down to what the caller may read. Then it asks ``protocol.rql.matching``, with ``ne``
false where the property is absent, sorts, and counts and sums up in Python. What differs by design is left out of what
is generated:

* strings longer than the 950 bytes that are indexed, and ``ilike`` on letters whose cases are not one to one;
* ``_metadata``, which has rules of its own in views.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.enforcement.rules import rules_for
from protocol.enforcement.tree import PermissionTree
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from protocol.policies.resolve import resolve_policy
from protocol.rql.matching import matches
from protocol.rql.printing import print_query
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Query, Relation
from tests.integration.search import reference
from tests.integration.search.searched import NOW, Searched, entry, policy, prop

SUBJECTS = ("s:a", "s:b")
NAMES = ("x", "y")
scalars = st.sampled_from(
    [None, True, False, 0, 1, 1.5, -2, 2**53, 2**53 + 1, "", "a", "ab", "B", "a\x00", "%_", "1", "é"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=5,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=2)
features = st.fixed_dictionaries({}, optional={"properties": objects, "definition": st.just(["a:b:1", "c:d:2"])})
things = st.fixed_dictionaries(
    {},
    optional={
        "attributes": objects,
        "features": st.dictionaries(st.sampled_from(("f", "g")), features, max_size=2),
        "definition": st.just("a:b:1"),
    },
)
deep = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
paths = st.one_of(
    deep.map("attributes/{}".format),
    st.builds("features/{}/properties/{}".format, st.sampled_from(("f", "g", "*")), deep),
    st.sampled_from(
        ["attributes", "features", "features/f", "features/*", "features/g/properties", "features/*/definition"]
    ),
    st.sampled_from(["definition", "thingId", "policyId", "_namespace", "_revision"]),
)
properties = paths.map(prop)
single = st.one_of(
    deep.map("attributes/{}".format),
    st.builds("features/{}/properties/{}".format, st.sampled_from(("f", "g")), deep),
    st.sampled_from(["definition", "thingId", "policyId", "_namespace", "_revision", "features/g/definition"]),
)
several = single | deep.map("features/*/properties/{}".format)
sorts = st.lists(st.builds("{}{}".format, st.sampled_from("+-"), single), min_size=1, max_size=2).map(",".join)
aggregates = st.tuples(st.lists(several, max_size=2), st.lists(several, max_size=2))
asked = scalars | st.sampled_from(["n:t0", "m:t1", "p:0", "n", "a:b:1", "c:d:2"])
patterns = st.text(alphabet="aAbB1%_*?", max_size=4)
relations: st.SearchStrategy[Relation] = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
likes: st.SearchStrategy[Relation] = st.sampled_from(["like", "ilike"])
queries: st.SearchStrategy[Query] = st.recursive(
    st.one_of(
        st.builds(Comparison, relations, properties, asked),
        st.builds(Comparison, likes, properties, patterns),
        st.builds(In, properties, st.lists(asked, min_size=1, max_size=3).map(tuple)),
        st.builds(Exists, properties),
        st.builds(Empty, properties),
    ),
    lambda inner: st.one_of(*(st.lists(inner, min_size=1, max_size=3).map(tuple).map(make) for make in (And, Or, Not))),
    max_leaves=4,
)
rule_paths = st.lists(
    st.one_of(
        deep.map("/attributes/{}".format),
        st.builds("/features/{}/properties/{}".format, st.sampled_from(("f", "g")), deep),
        st.sampled_from(["/", "/attributes", "/features", "/features/f", "/definition", "/policyId"]),
    ),
    max_size=3,
)
entries = st.builds(
    lambda subjects, read, hide, namespaces: entry(*subjects, read=read, hide=hide, namespaces=namespaces),
    st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2),
    rule_paths,
    rule_paths,
    st.sampled_from([[], [], [], ["n"], ["m.*"]]),
)


@st.composite
def policies(draw: st.DrawFn) -> list[JsonObject]:
    """Two policies; the second imports the first."""
    first = policy("p:0", *draw(st.lists(entries, max_size=2)))
    full = [entry(SUBJECTS[0], read=["/"])] if draw(st.booleans()) else []
    second = policy("p:1", *full, *draw(st.lists(entries, max_size=2)), imports={"p:0": {}})
    return [first, second]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(things, min_size=1, max_size=4),
    policies=policies(),
    by=st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True).map(tuple),
    queries=st.lists(queries, min_size=3, max_size=6),
    sorted_by=st.lists(st.tuples(sorts, st.integers(1, 3)), min_size=2, max_size=2),
    aggregated=st.lists(aggregates, min_size=2, max_size=2),
)
async def test_search_finds_what_the_reference_finds(
    searched: Searched,
    documents: list[JsonObject],
    policies: list[JsonObject],
    by: tuple[str, ...],
    queries: list[Query],
    sorted_by: list[tuple[str, int]],
    aggregated: list[tuple[list[str], list[str]]],
) -> None:
    await searched.clear()
    await searched.policy(*policies)
    placed: list[JsonObject] = [
        {"thingId": f"{'nm'[number % 2]}:t{number}", "policyId": f"p:{number // 2}", **document}
        for number, document in enumerate(documents)
    ]
    await searched.things(*placed)
    shown = [seen for thing in placed if (seen := _shown(thing, policies, by)) is not None]
    assert await searched.find(by=by) == reference.ids(shown)
    for query in queries:
        found = [seen for seen in shown if matches(query, seen, now=NOW, ne_absent=False)]
        assert await searched.find(query, by=by) == reference.ids(found), print_query(query)
        assert await searched.count(query, by=by) == len(found), print_query(query)
        for sort, size in sorted_by[:1]:
            assert await _paged(searched, query, sort, size, by) == reference.in_order(found, sort), print_query(query)
    for (sort, size), (groups, fields) in zip(sorted_by, aggregated, strict=True):
        assert await _paged(searched, None, sort, size, by) == reference.in_order(shown, sort), sort
        answered, complete = await searched.aggregate(groups=groups, fields=fields, by=by)
        assert answered == reference.aggregated(shown, groups, fields), (groups, fields)
        assert complete


async def _paged(searched: Searched, query: Query | None, sort: str, size: int, by: tuple[str, ...]) -> list[str]:
    """The hits of all pages, from cursor to cursor."""
    seen: list[str] = []
    page = await searched.page(query, by=by, sort=sort, size=size)
    seen += page.thing_ids
    while page.next is not None:
        page = await searched.page(query, by=by, sort=sort, size=size, after=page.next)
        seen += page.thing_ids
    return seen


def _shown(thing: JsonObject, policies: list[JsonObject], by: tuple[str, ...]) -> JsonObject | None:
    """The thing as the caller may read it, with what everybody knows of a thing; nothing if that is nothing."""
    known: dict[PolicyId, JsonObject | None] = {PolicyId(str(found["policyId"])): found for found in policies}
    document = known[PolicyId(str(thing["policyId"]))]
    assert document is not None
    namespace, _, _ = str(thing["thingId"]).partition(":")
    rules = rules_for(
        resolve_policy(document, known), subjects=frozenset(by), namespace=namespace, resource_type="thing"
    )
    tree = PermissionTree(rules, "READ")
    visible = tree.visible((), thing)
    if not isinstance(visible, dict):
        return None
    more: JsonObject = {"_revision": 1} if tree.allowed(("_revision",)) else {}
    return {**visible, "thingId": thing["thingId"], "_namespace": namespace, **more}
