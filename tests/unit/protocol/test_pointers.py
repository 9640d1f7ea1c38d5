from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import pointers
from protocol.errors import JsonKeyInvalid, JsonPointerInvalid
from protocol.json import MISSING, JsonObject, JsonValue
from protocol.pointers import Pointer
from tests.unit.protocol.values import few_keys, json_values, keys, small_objects

some_pointers = st.lists(few_keys, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("/", ()),
        ("", ()),
        ("/a", ("a",)),
        ("a/b", ("a", "b")),
        ("/a/b/", ("a", "b")),
        ("/a~0b", ("a~b",)),
        ("/a~1b", ("a~1b",)),
        ("/a~01", ("a~1",)),
        ("/%2F", ("%2F",)),
        ("/x\u0101", ("x\u0101",)),
    ],
)
def test_text_is_read_as_keys(text: str, pointer: Pointer) -> None:
    assert pointers.parse(text) == pointer


@pytest.mark.parametrize("text", ["//", "//a", "/a//b", "/a//", "a//b", "/a" * 65])
def test_empty_keys_and_too_many_of_them_are_refused(text: str) -> None:
    with pytest.raises(JsonPointerInvalid):
        pointers.parse(text)


@pytest.mark.parametrize("key", ["\n", "\x00", "\x7f", "ÿ", "a" * 257, "", "a/b"])
def test_keys_that_may_not_be_are_refused(key: str) -> None:
    with pytest.raises(JsonKeyInvalid):
        pointers.check_key(key)


def test_keys_in_a_pointer_are_checked() -> None:
    with pytest.raises(JsonKeyInvalid):
        pointers.parse("/attributes/a\tb")


@given(st.lists(keys, max_size=5).map(tuple))
def test_printing_and_reading_are_inverse(pointer: Pointer) -> None:
    assert pointers.parse(pointers.text(pointer)) == pointer


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("/entries/o/resources/thing:/features/a", ("entries", "o", "resources", "thing:/features/a")),
        ("/entries/o/resources/thing:/", ("entries", "o", "resources", "thing:/")),
        ("/entries/o/resources/thing:/a~0b", ("entries", "o", "resources", "thing:/a~0b")),
        ("/entries/o~0/subjects/x:a~0b", ("entries", "o~", "subjects", "x:a~b")),
        ("/entries/o/resources/thing:", ("entries", "o", "resources", "thing:/")),
        ("/entries/o/resources/thing:/features/a/", ("entries", "o", "resources", "thing:/features/a")),
        ("/entries/o/resources/thing:/attributes/a:", ("entries", "o", "resources", "thing:/attributes/a:")),
        ("/entries/o/subjects/issuer:", ("entries", "o", "subjects", "issuer:")),
        ("/entries/o/subjects/https://issuer/x:me", ("entries", "o", "subjects", "https://issuer/x:me")),
        ("/entries/o/subjects", ("entries", "o", "subjects")),
        ("/entries/o/subjects/", ("entries", "o", "subjects")),
        ("/imports/a:b/entries", ("imports", "a:b", "entries")),
        ("/", ()),
    ],
)
def test_subjects_and_resources_of_a_policy_are_one_key(text: str, pointer: Pointer) -> None:
    assert pointers.parse_policy_path(text) == pointer
    assert pointers.parse_policy_path(pointers.policy_text(pointer)) == pointer
    assert pointers.parse_recorded_policy_path(pointers.text(pointer)) == pointer


@pytest.mark.parametrize(("text", "key"), [("a~b", "a~0b"), ("a~0b", "a~0b"), ("a~1b", "a~01b"), ("a~01b", "a~01b")])
def test_however_the_tilde_in_the_key_of_a_resource_is_written_it_is_kept_escaped(text: str, key: str) -> None:
    path = pointers.parse_policy_path(f"/entries/o/resources/thing:/{text}")
    assert path == ("entries", "o", "resources", f"thing:/{key}")
    assert pointers.policy_text(path) == f"/entries/o/resources/thing:/{key}"


@given(small_objects, some_pointers, json_values)
def test_what_was_assigned_is_found_there(document: JsonObject, pointer: Pointer, value: JsonValue) -> None:
    before = copy.deepcopy(document)
    assert pointers.resolve(pointers.assign(document, pointer, value), pointer) == value
    assert document == before


@given(small_objects, some_pointers)
def test_what_was_removed_is_gone_and_the_rest_is_left(document: JsonObject, pointer: Pointer) -> None:
    before = copy.deepcopy(document)
    after = pointers.remove(document, pointer)
    assert document == before
    assert pointers.resolve(after, pointer) is MISSING
    if pointer and (old := pointers.resolve(document, pointer)) is not MISSING:
        assert after is not MISSING
        assert pointers.assign(after, pointer, old) == document


def test_assigning_makes_parents_and_replaces_those_that_are_no_objects() -> None:
    assert pointers.assign({"a": 1}, ("a", "b", "c"), 2) == {"a": {"b": {"c": 2}}}
    assert pointers.assign(MISSING, ("a",), 2) == {"a": 2}


def test_untouched_parts_are_shared_and_not_copied() -> None:
    document: JsonObject = {"a": {"x": 1}, "b": {"y": 2}}
    after = pointers.assign(document, ("a", "x"), 3)
    assert isinstance(after, dict)
    assert after["b"] is document["b"]


def test_pointers_do_not_lead_into_arrays() -> None:
    assert pointers.resolve({"a": [1]}, ("a", "0")) is MISSING


def test_removing_nothing_returns_the_same_document() -> None:
    document: JsonObject = {"a": 1}
    assert pointers.remove(document, ("b", "c")) is document
