"""The rows of a new thing are those that lead from nothing to its document."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.search.keys import changed_keys, rows_of
from protocol.json import JsonObject, JsonValue

names = st.sampled_from(("a", "b", "properties", "\x01", "é\x02~", "long" * 260))
scalars: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.just("x" * 990),
)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(("attributes", "features", "definition", "_metadata", "thingId")), values)


@settings(max_examples=400)
@given(documents)
def test_rows_of_a_new_thing_are_all_its_keys_in_order(document: JsonObject) -> None:
    rows, paths = rows_of("farm:pump", document)
    changes = changed_keys({}, document)
    assert rows == sorted(("farm:pump", key, feature) for key, feature in changes.come)
    assert paths == changes.new_paths
