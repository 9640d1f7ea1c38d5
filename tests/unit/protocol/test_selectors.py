from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import pointers
from protocol.errors import JsonFieldSelectorInvalid, JsonPointerInvalid
from protocol.json import JsonObject
from protocol.selectors import parse_fields
from tests.unit.protocol.values import small_objects

THING: JsonObject = {
    "thingId": "a:b",
    "attributes": {"maker": "ACME", "address": {"city": "X", "zip": 1}},
    "features": {
        "m1": {"properties": {"on": True, "rpm": 1}, "definition": ["a:b:1"]},
        "m2": {"properties": {"on": False}},
        "m3": {"definition": ["a:b:1"]},
        "*": {"properties": {"off": 1}},
    },
    "_revision": 3,
}


@pytest.mark.parametrize(
    ("fields", "selected"),
    [
        ("thingId", {"thingId": "a:b"}),
        ("/thingId,_revision", {"thingId": "a:b", "_revision": 3}),
        ("attributes(maker,address/city)", {"attributes": {"maker": "ACME", "address": {"city": "X"}}}),
        (" attributes ( maker , address ( zip ) ) ", {"attributes": {"maker": "ACME", "address": {"zip": 1}}}),
        ("attributes/address/city,attributes", {"attributes": THING["attributes"]}),
        ("attributes,attributes/maker", {"attributes": THING["attributes"]}),
        ("attributes/nothing", {}),
        ("nothing,policyId", {}),
        ("thingId/x", {}),
        (
            "features/*/properties/on",
            {"features": {"m1": {"properties": {"on": True}}, "m2": {"properties": {"on": False}}}},
        ),
        (
            "features(*/properties/on,m1/definition)",
            {
                "features": {
                    "m1": {"properties": {"on": True}, "definition": ["a:b:1"]},
                    "m2": {"properties": {"on": False}},
                }
            },
        ),
        ("attributes/*/city", {}),
    ],
)
def test_the_selected_part_is_kept(fields: str, selected: JsonObject) -> None:
    before = copy.deepcopy(THING)
    assert parse_fields(fields).select(THING) == selected
    assert before == THING


@pytest.mark.parametrize(
    "fields",
    ["", " ", ",", "a,", ",a", "a,,b", "a(", "a(b", "a)", "a(b))", "()", "(a)", "a()", "a(b)c", "a(b)(c)", "/", "a(/)"],
)
def test_selectors_that_are_empty_or_unbalanced_are_refused(fields: str) -> None:
    with pytest.raises(JsonFieldSelectorInvalid):
        parse_fields(fields)


@given(st.text(alphabet="ab/,()*", max_size=12))
def test_any_text_is_a_selector_or_a_bad_request(fields: str) -> None:
    try:
        selector = parse_fields(fields)
    except (JsonFieldSelectorInvalid, JsonPointerInvalid):
        return
    assert selector.pointers


@given(small_objects, st.lists(st.sampled_from(["a", "b/a", "aa", "b", "c/b/a"]), min_size=1, max_size=3))
def test_everything_selected_that_exists_is_found_in_the_selection(document: JsonObject, fields: list[str]) -> None:
    selector = parse_fields(",".join(fields))
    selected = selector.select(document)
    for pointer in selector.pointers:
        value = pointers.resolve(document, pointer)
        assert pointers.resolve(selected, pointer) == value
    assert all(member in document for member in selected)


def test_a_selector_knows_what_it_mentions() -> None:
    selector = parse_fields("thingId,_policy/entries")
    assert selector.mentions("_policy")
    assert not selector.mentions("_revision")
    assert parse_fields("_policy").pointers == (("_policy",),)
