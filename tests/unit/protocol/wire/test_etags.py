from __future__ import annotations

import pytest
from hypothesis import given

from protocol import json
from protocol.errors import HeaderInvalid
from protocol.json import JsonValue
from protocol.wire.etags import EntityTags, revision_tag, value_tag
from tests.unit.protocol.values import json_values


def test_an_entity_is_tagged_with_its_revision() -> None:
    assert revision_tag(4) == '"rev:4"'


@given(json_values, json_values)
def test_values_have_the_same_tag_exactly_if_they_are_the_same(one: JsonValue, other: JsonValue) -> None:
    assert (value_tag(one) == value_tag(other)) == json.same(one, other)


def test_the_tag_of_a_value_is_stable_for_ever() -> None:
    assert value_tag({"b": 1, "a": [True, None, "x"]}) == value_tag({"a": [True, None, "x"], "b": 1})
    assert value_tag(900) == '"hash:4dd454238d00bb27"'


@pytest.mark.parametrize(
    ("text", "current", "matches"),
    [
        ('"rev:4"', '"rev:4"', True),
        ('"rev:3"', '"rev:4"', False),
        ('"rev:3","rev:4"', '"rev:4"', True),
        (' "rev:3" , "rev:4" ', '"rev:4"', True),
        ('W/"rev:4"', '"rev:4"', False),
        ('W/"rev:4","rev:4"', '"rev:4"', True),
        ('"a,b"', '"a,b"', True),
        ('""', '""', True),
        ("*", '"rev:4"', True),
        ("*", None, False),
        ('"rev:4"', None, False),
    ],
)
def test_tags_are_compared_strongly(text: str, current: str | None, *, matches: bool) -> None:
    assert EntityTags.parse(text).matches(current) is matches


@pytest.mark.parametrize("text", ["", "rev:4", '"rev:4', '"a" "b"', '"a",', '*,"a"', 'w/"a"', "'a'"])
def test_what_is_no_list_of_tags_is_refused_by_name(text: str) -> None:
    with pytest.raises(HeaderInvalid) as caught:
        EntityTags.parse(text, "if-none-match")
    assert caught.value.to_json()["invalidHeaderKey"] == "if-none-match"
