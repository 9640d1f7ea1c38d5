"""Strategies of JSON values and of the names Ditto allows, for property tests."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from protocol.json import JsonObject, JsonValue

ids: Final = st.from_regex(r"\A[a-z]\w{0,5}(\.[a-z]\w{0,3}){0,2}\Z")

key_characters: Final = st.characters(
    exclude_categories=["Cs"], exclude_characters=[chr(code) for code in (*range(0x20), 0x2F, *range(0x7F, 0x100))]
)
keys: Final = st.text(key_characters, min_size=1, max_size=8)

scalars: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**53), max_value=2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
json_values: Final[st.SearchStrategy[JsonValue]] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
few_keys: Final = st.sampled_from(["a", "b", "aa", "ab", "~", "c"])
small_objects: Final[st.SearchStrategy[JsonObject]] = st.dictionaries(
    few_keys,
    st.recursive(
        st.none() | st.integers(0, 2) | st.booleans(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(few_keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
