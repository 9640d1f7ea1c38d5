from __future__ import annotations

import pytest
from hypothesis import given

from protocol import json
from protocol.errors import JsonInvalid
from protocol.json import MISSING, JsonValue
from tests.unit.protocol.values import json_values


@given(json_values)
def test_what_is_printed_can_be_read_back(value: JsonValue) -> None:
    assert json.same(json.parse(json.dump(value)), value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  ",
        b"{",
        b"{'a':1}",
        b"[1,]",
        b"01",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"nul",
        b"1 2",
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        '"\ud800"',
        b'"\n"',
    ],
)
def test_what_is_no_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(JsonInvalid):
        json.parse(text)


def test_of_duplicate_keys_the_last_counts() -> None:
    assert json.parse(b'{"a":1,"a":2}') == {"a": 2}


@pytest.mark.parametrize("number", ["9223372036854775807", "-9223372036854775808", "18446744073709551615"])
def test_whole_numbers_of_64_bits_stay_exact(number: str) -> None:
    assert json.dump(json.parse(number)) == number.encode()


def test_larger_numbers_become_floats_that_can_be_printed() -> None:
    assert json.parse(b"123456789012345678901234567890") == 1.2345678901234568e29
    assert json.parse(json.dump(json.parse(b"18446744073709551616"))) == 18446744073709551616.0


@pytest.mark.parametrize("nest", ["[{}]", '{{"a":{}}}'])
def test_nesting_is_allowed_up_to_the_bound_and_not_beyond(nest: str) -> None:
    text = "1"
    for _ in range(json.MAX_DEPTH):
        text = nest.format(text)
    assert json.parse(text)
    with pytest.raises(JsonInvalid, match="deep"):
        json.parse(nest.format(text))


def test_brackets_inside_of_strings_do_not_count_as_nesting() -> None:
    assert json.parse(json.dump("[{" * 100)) == "[{" * 100


def test_wide_values_are_not_deep() -> None:
    value: JsonValue = [[] for _ in range(1000)]
    assert json.parse(json.dump(value)) == value


def test_hostile_depth_is_an_error_of_the_client_and_not_of_ours() -> None:
    with pytest.raises(JsonInvalid):
        json.parse("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0), (None, MISSING), ([1], [True])])
def test_values_of_different_json_text_are_not_the_same(one: JsonValue, other: JsonValue) -> None:
    assert not json.same(one, other)


def test_the_order_of_members_makes_no_difference() -> None:
    assert json.same({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
