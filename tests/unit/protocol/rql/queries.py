"""Strategies of queries and of the small things that they are asked about, so that many of them match."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hypothesis import strategies as st

from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, TimePlaceholder
from tests.unit.protocol.values import key_characters

SCALARS: Final = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 2, -1, 0.5, "", "a", "b", "ab", "aab", "A", "é", "1", "true"]
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=8,
)
FEATURES: Final = st.fixed_dictionaries(
    {},
    optional={
        "definition": st.just(["n:a:1", "n:b:1"]),
        "properties": st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2),
    },
)
THINGS: Final = st.fixed_dictionaries(
    {"thingId": st.just("n:t"), "_namespace": st.just("n"), "_revision": st.integers(1, 3)},
    optional={
        "attributes": st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2),
        "features": st.dictionaries(st.sampled_from(["f", "g"]), FEATURES, max_size=2),
    },
)

COMPARED: Final = st.sampled_from(
    [
        Property(tuple(text.split("/")))
        for text in (
            *("thingId", "policyId", "_revision", "_namespace", "attributes/a", "attributes/b", "attributes/a/a"),
            *("attributes/a/b", "features/f/definition", "features/f/properties/a", "features/*/properties/a"),
            *("features/*/properties/a/b", "features/*/definition"),
        )
    ]
)
ASKED: Final = COMPARED | st.sampled_from(
    [
        Property(tuple(text.split("/")))
        for text in ("attributes", "features/f", "features/*", "features/*/properties", "features/f/properties")
    ]
)
PATTERNS: Final = st.text(st.sampled_from("abA*?é"), max_size=5)


def combined(compared: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    """These queries and their combinations."""
    return st.recursive(
        compared,
        lambda inner: st.builds(
            lambda kind, queries: kind(tuple(queries)),
            st.sampled_from([And, Or, Not]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )


QUERIES: Final = combined(
    st.one_of(
        st.builds(Comparison, st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), COMPARED, SCALARS),
        st.builds(Comparison, st.sampled_from(["like", "ilike"]), COMPARED, PATTERNS),
        st.builds(In, COMPARED, st.lists(SCALARS, min_size=1, max_size=3).map(tuple)),
        st.builds(Exists, ASKED),
        st.builds(Empty, ASKED),
    )
)

UNITS: Final = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1), "d": timedelta(days=1)}
PLACEHOLDERS: Final = st.builds(
    lambda name, sign, amount, unit, cut: TimePlaceholder(
        name, f"{sign}{amount}{unit}", amount * UNITS[unit] * (-1 if sign == "-" else 1), cut
    ),
    st.sampled_from(["now", "now_epoch_millis", "now_epoch_seconds"]),
    st.sampled_from("+-"),
    st.integers(0, 9_999),
    st.sampled_from(list(UNITS)),
    st.sampled_from(["", "ms", "s", "m", "h", "d", "w", "mo", "y"]),
)
ANY_VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    PLACEHOLDERS,
)
ANY_KEYS: Final = st.text(key_characters, min_size=1, max_size=6) | st.sampled_from([',)("\\', "~0", "~1", "*", " "])
ANY_COMPARED: Final = st.one_of(
    st.sampled_from([Property((name,)) for name in ("thingId", "policyId", "definition", "_created", "_namespace")]),
    st.builds(
        lambda root, keys: Property((root, *keys)),
        st.sampled_from(["attributes", "_metadata"]),
        st.lists(ANY_KEYS, min_size=1, max_size=3),
    ),
    st.builds(lambda key, last: Property(("features", key, "properties", last)), ANY_KEYS, ANY_KEYS),
)
SPELLINGS: Final = combined(
    st.one_of(
        st.builds(Comparison, st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), ANY_COMPARED, ANY_VALUES),
        st.builds(Comparison, st.sampled_from(["like", "ilike"]), ANY_COMPARED, st.text(max_size=5)),
        st.builds(In, ANY_COMPARED, st.lists(ANY_VALUES, min_size=1, max_size=3).map(tuple)),
        st.builds(Exists, ANY_COMPARED),
        st.builds(Empty, ANY_COMPARED),
    )
)
