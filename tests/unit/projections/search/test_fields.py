from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.search.fields import EVERYTHING, Fields, of_paths, read_fields, restore_fields
from projections.search.keys import keys_of
from protocol.errors import SearchIndexInvalid
from protocol.json import JsonObject, dump
from protocol.pointers import Pointer

THING: JsonObject = {
    "thingId": "farm:a",
    "definition": "a:b:1",
    "attributes": {"room": "k1", "tags": [{"of": 1}, {"at": 2}, 3, [{"of": 4}]], "none": {}},
    "features": {
        "lamp": {"definition": ["a:b:1"], "properties": {"on": True, "watts": 3}},
        "fan": {"properties": {"on": False}},
        "bare": {},
    },
}

names = st.sampled_from(["x", "y"])
pointers = st.one_of(
    st.lists(names, max_size=2).map(lambda path: ("attributes", *path)),
    st.builds(
        lambda feature, path: ("features", feature, "properties", *path),
        st.sampled_from(["f", "g", "*"]),
        st.lists(names, max_size=2),
    ),
    st.sampled_from([("features",), ("features", "*"), ("features", "f"), ("thingId",), ("_modified",)]),
)
fields = st.lists(pointers, max_size=4).map(of_paths)


@pytest.mark.parametrize(
    ("listed", "kept"),
    [
        (["attributes/room"], {"attributes": {"room": "k1"}}),
        (["attributes/tags/of"], {"attributes": {"tags": [{"of": 1}, [{"of": 4}]]}}),
        (["attributes/none"], {"attributes": {"none": {}}}),
        (["attributes/room/floor", "attributes/absent"], {}),
        (
            ["features/*/properties/on"],
            {"features": {"lamp": {"properties": {"on": True}}, "fan": {"properties": {"on": False}}}},
        ),
        (
            ["features/*/properties/on", "features/lamp/definition"],
            {
                "features": {
                    "lamp": {"definition": ["a:b:1"], "properties": {"on": True}},
                    "fan": {"properties": {"on": False}},
                }
            },
        ),
        (["features/bare", "_revision", "definition"], {"definition": "a:b:1", "features": {"bare": {}}}),
    ],
)
def test_a_thing_is_cut_down_to_the_listed_fields(listed: list[str], kept: JsonObject) -> None:
    cut = read_fields([*listed]).cut(THING)
    assert {name: value for name, value in cut.items() if name != "thingId"} == kept


def test_what_is_kept_is_the_same_object() -> None:
    lamp: JsonObject = {"properties": {"on": True}}
    thing: JsonObject = {"features": {"lamp": lamp, "fan": {}}}
    features = read_fields(["features/lamp"]).cut(thing)["features"]
    assert isinstance(features, dict)
    assert features["lamp"] is lamp
    assert EVERYTHING.cut(thing) is thing


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("thingId", True),
        ("attributes", False),
        ("attributes/a", True),
        ("attributes/a/b", True),
        ("attributes/ab", False),
        ("features/*/properties/on", True),
        ("features/lamp/properties/on/x", True),
        ("features/lamp/properties", False),
        ("features/*/definition", False),
        ("features/fan/definition", True),
        ("features/fan/properties/on", True),
        ("_modified", True),
        ("_created", False),
    ],
)
def test_a_property_is_covered_at_and_below_a_field(path: str, covered: bool) -> None:
    index = read_fields(["/attributes/a", "features/*/properties/on", "features/fan/definition", "_modified"])
    assert index.covers(tuple(path.split("/"))) is covered


def test_needless_fields_are_dropped() -> None:
    index = read_fields(["features/fan/properties/on", "attributes/a/b", "features/*/properties", "attributes/a"])
    assert index.to_json() == ["attributes/a", "features/*/properties", "thingId"]
    assert read_fields(index.to_json()) == index
    assert read_fields([]).to_json() == ["thingId"]


def test_a_stored_index_is_read_as_it_was_written() -> None:
    for index in (read_fields("default"), read_fields("all"), read_fields(["attributes/a~0b", "namespace"])):
        assert restore_fields(dump(index.to_json())) == index


@pytest.mark.parametrize("bad", [None, 1, {}, "none", [None], ["x"], ["thingId/x"], ["features/f/g"], ["a/" * 80]])
def test_other_things_are_no_index(bad: object) -> None:
    with pytest.raises(SearchIndexInvalid):
        read_fields(bad)  # type: ignore[arg-type]  # whatever a body may hold


@given(one=fields, other=fields, path=pointers)
def test_two_indexes_meet_in_what_both_have(one: Fields, other: Fields, path: Pointer) -> None:
    both = one.meet(other)
    assert both == other.meet(one)
    assert both.covers(path) == (one.covers(path) and other.covers(path))


@given(index=fields)
def test_the_keys_of_a_cut_thing_are_keys_of_the_thing(index: Fields) -> None:
    values: JsonObject = {"x": 1, "y": [{"x": None}, []]}
    thing: JsonObject = {
        "attributes": values,
        "features": {"f": {"properties": values}, "g": {"properties": {"y": {}}}},
    }
    assert keys_of(index.cut(thing)) <= keys_of(thing)
