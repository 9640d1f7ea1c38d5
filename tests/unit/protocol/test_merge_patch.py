from __future__ import annotations

import copy

import pytest
from hypothesis import given

from protocol import json, merge_patch
from protocol.errors import MergeInvalid
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from tests.unit.protocol.values import json_values, small_objects

RFC_7396_APPENDIX_A: list[tuple[JsonValue, JsonValue, JsonValue]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def naive_merge(target: JsonValue, patch: JsonValue) -> JsonValue:
    """The pseudo-code of RFC 7396 section 2, changing the target in place."""
    if isinstance(patch, dict):
        if not isinstance(target, dict):
            target = {}
        for name, value in patch.items():
            if value is None:
                if name in target:
                    del target[name]
            else:
                target[name] = naive_merge(target.get(name), value)
        return target
    return patch


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_the_examples_of_the_rfc_hold(target: JsonValue, patch: JsonValue, result: JsonValue) -> None:
    assert merge_patch.apply(target, patch) == result


@given(small_objects | json_values, small_objects | json_values)
def test_applying_does_what_the_rfc_says_and_changes_nothing_in_place(target: JsonValue, patch: JsonValue) -> None:
    before = copy.deepcopy((target, patch))
    result = merge_patch.apply(target, patch)
    assert (target, patch) == before
    assert json.same(result, naive_merge(copy.deepcopy(target), copy.deepcopy(patch)))


@given(small_objects, small_objects)
def test_the_minimal_patch_does_the_same_and_is_nothing_when_nothing_changes(
    target: JsonObject, patch: JsonObject
) -> None:
    minimal = merge_patch.minimize(target, patch)
    changed = merge_patch.apply(target, patch)
    if minimal is MISSING:
        assert json.same(changed, target)
    else:
        assert not json.same(changed, target)
        assert json.same(merge_patch.apply(target, minimal), changed)


@pytest.mark.parametrize(
    ("target", "patch", "minimal"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": 1}, {"a": 1.0}, {"a": 1.0}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": None, "d": None}}, {"a": {"c": None}}),
        ({"a": {}}, {"a": {}}, MISSING),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": 5}, {"a": {}}, {"a": {}}),
        ({"x1": 1}, {"{{ ~y.*~ }}": None}, MISSING),
        ({"x1": 1}, {"{{ ~x.*~ }}": None}, {"{{ ~x.*~ }}": None}),
        ({"x1": 1, "x2": 2}, {"{{ ~x.*~ }}": None, "x1": 1}, {"{{ ~x.*~ }}": None, "x1": 1}),
        (1, 1, MISSING),
        (MISSING, 1, 1),
    ],
)
def test_the_minimal_patch_keeps_only_what_changes(
    target: JsonValue | Missing, patch: JsonValue, minimal: JsonValue | Missing
) -> None:
    found = merge_patch.minimize(target, patch)
    assert json.same(found, minimal)


YEARS: JsonObject = {"2023-12": {"v": 1}, "2024-01": {"v": 2, "w": 3}, "2024-02": {"v": 4}}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"{{ ~2024-.*~ }}": None, "2025-01": {"v": 1}}, {"2023-12": {"v": 1}, "2025-01": {"v": 1}}),
        ({"{{ /2024-.*/ }}": None}, {"2023-12": {"v": 1}}),
        ({"{{~2024-.*~}}": None}, {"2023-12": {"v": 1}}),
        ({"{{ ~2024~ }}": None}, YEARS),
        ({"{{ ~2024-.*~ }}": None, "2024-01": {"v": 5}}, {"2023-12": {"v": 1}, "2024-01": {"v": 5}}),
        ({"{{ ~2024-.*~ }}": None, "2024-01": {"v": 5, "w": None}}, {"2023-12": {"v": 1}, "2024-01": {"v": 5}}),
        ({"{{ ~2023-.*~ }}": None, "{{ ~2024-.*~ }}": None}, {}),
    ],
)
def test_an_expression_deletes_the_members_whose_whole_name_matches(patch: JsonObject, result: JsonObject) -> None:
    assert merge_patch.apply(YEARS, patch) == result


def test_an_expression_with_a_value_is_an_ordinary_name() -> None:
    assert merge_patch.apply({"a": 1}, {"{{ ~a~ }}": 2}) == {"a": 1, "{{ ~a~ }}": 2}


def test_an_expression_is_never_stored() -> None:
    assert merge_patch.apply({}, {"new": {"{{ ~a~ }}": None}}) == {"new": {}}
    assert merge_patch.without_nulls({"{{ ~a~ }}": None}) == {}


@pytest.mark.parametrize("expression", ["(", "[z-a]", "(a+)+", "(?=x)", "a" * 257])
def test_an_expression_that_cannot_be_used_makes_the_merge_invalid(expression: str) -> None:
    with pytest.raises(MergeInvalid):
        merge_patch.apply({"a": 1}, {"{{ ~" + expression + "~ }}": None})


@given(small_objects, small_objects)
def test_an_expanded_patch_does_the_same_without_expressions(target: JsonObject, patch: JsonObject) -> None:
    patch = {**patch, "{{ ~a.*~ }}": None}
    expanded = merge_patch.expand(target, patch)
    assert isinstance(expanded, dict)
    assert "{{ ~a.*~ }}" not in expanded
    assert json.same(naive_merge(copy.deepcopy(target), expanded), merge_patch.apply(target, patch))


def test_a_patch_can_be_placed_at_a_pointer() -> None:
    assert merge_patch.at(("a", "b"), 1) == {"a": {"b": 1}}
    assert merge_patch.at((), {"c": None}) == {"c": None}


def test_nulls_in_arrays_stay() -> None:
    assert merge_patch.apply(MISSING, {"a": [None, {"b": None}], "c": {"d": None}}) == {
        "a": [None, {"b": None}],
        "c": {},
    }


def test_the_leaves_are_all_places_that_need_permission() -> None:
    patch: JsonObject = {"a": {"b": 1, "c": None, "d": {}}, "e": [1], "f": {"{{ ~x~ }}": None, "g": 1}, "{{ /y/ }}": 2}
    assert list(merge_patch.leaves(patch)) == [
        ("a", "b"),
        ("a", "c"),
        ("a", "d"),
        ("e",),
        ("f",),
        ("f", "g"),
        ("{{ /y/ }}",),
    ]
    assert list(merge_patch.leaves(5)) == [()]
    assert list(merge_patch.leaves({})) == [()]
    assert list(merge_patch.leaves({"{{ ~x~ }}": None})) == [()]


def test_an_object_that_replaces_something_else_is_one_leaf() -> None:
    patch: JsonObject = {"a": {"b": {"c": 1}}}
    assert list(merge_patch.leaves(patch, {"a": 5})) == [("a",)]
    assert list(merge_patch.leaves(patch, {"a": {"b": [1]}})) == [("a", "b")]
    assert list(merge_patch.leaves(patch, {"a": None})) == list(merge_patch.leaves(patch, {})) == [("a", "b", "c")]
