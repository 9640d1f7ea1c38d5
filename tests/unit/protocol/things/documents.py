"""Random things, events and commands for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from protocol.json import MISSING, JsonObject, JsonValue
from protocol.pointers import Pointer
from protocol.signals import Command
from tests.unit.protocol.things.scenario import PUMP, pump

keys = st.sampled_from(["a", "b", "c~", "\u65e5", "{{ x }}"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.text(max_size=3),
)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
objects: st.SearchStrategy[JsonObject] = st.dictionaries(keys, values, max_size=3)
definitions = st.sampled_from(["a:b:1", "a:b:2"])
containers = st.one_of(st.none(), objects)


@st.composite
def members(draw: st.DrawFn, choices: dict[str, st.SearchStrategy[JsonValue]]) -> JsonObject:
    """An object with some of these members."""
    return {name: draw(choices[name]) for name in sorted(draw(st.sets(st.sampled_from(sorted(choices)))))}


features: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    members(
        {
            "definition": st.lists(definitions, min_size=1, max_size=2),
            "properties": containers,
            "desiredProperties": containers,
        }
    ),
)
bodies: st.SearchStrategy[JsonObject] = members(
    {
        "definition": st.one_of(st.none(), definitions),
        "attributes": containers,
        "features": st.one_of(st.none(), st.dictionaries(st.sampled_from(["f", "g"]), features, max_size=2)),
    }
)
things: st.SearchStrategy[JsonObject] = bodies.map(lambda body: pump(**body))

_deep = st.lists(keys, min_size=1, max_size=3).map(tuple)
_feature = st.sampled_from(["f", "g", "h"])

targets: st.SearchStrategy[tuple[Pointer, JsonValue]] = st.one_of(
    st.tuples(st.just(()), bodies),
    st.tuples(st.just(("policyId",)), st.sampled_from(["a:b", "a:c"])),
    st.tuples(st.just(("definition",)), st.one_of(st.none(), definitions)),
    st.tuples(st.just(("attributes",)), containers),
    st.tuples(_deep.map(lambda rest: ("attributes", *rest)), values),
    st.tuples(st.just(("features",)), st.one_of(st.none(), st.dictionaries(_feature, features, max_size=2))),
    st.tuples(_feature.map(lambda name: ("features", name)), features),
    st.tuples(
        st.tuples(st.just("features"), _feature, st.sampled_from(["properties", "desiredProperties"])), containers
    ),
    st.tuples(
        st.tuples(st.just("features"), _feature, st.sampled_from(["properties", "desiredProperties"]), keys), values
    ),
)
"""A path of the table and a value that may stand there."""

commands: st.SearchStrategy[Command] = st.builds(
    lambda verb, target: Command(
        entity_id=PUMP,
        verb=verb,
        path=() if verb == "create" else target[0],
        value=MISSING if verb == "delete" else (target[1] if verb != "create" else {}),
    ),
    st.sampled_from(["modify", "modify", "merge", "merge", "delete", "create"]),
    targets,
)
