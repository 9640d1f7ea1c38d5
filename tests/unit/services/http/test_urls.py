from __future__ import annotations

import pytest

from services.http.refusals import PlainRefusal
from services.http.urls import percent_decode, read_query, split_target


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("%C3%A4", "ä"),
        ("%2525", "%25"),
        ("\udcc3\udca4", "ä"),
        ("%00", "\x00"),
    ],
)
def test_escapes_are_decoded_once_and_a_plus_stays(encoded: str, decoded: str) -> None:
    assert percent_decode(encoded) == decoded


@pytest.mark.parametrize("encoded", ["%", "%2", "%zz", "%C3", "%FF", "\udcff", "%ED%A0%80"])
def test_a_bad_escape_or_bad_utf8_is_a_bad_request(encoded: str) -> None:
    with pytest.raises(PlainRefusal) as refused:
        percent_decode(encoded)
    assert refused.value.status == 400


def test_parameters_keep_all_their_values_and_a_plus_is_a_space() -> None:
    assert read_query("ids=a,b&ids=c&fields=x+y&flag&empty=") == {
        "ids": ("a,b", "c"),
        "fields": ("x y",),
        "flag": ("",),
        "empty": ("",),
    }


def test_a_malformed_query_is_a_bad_request() -> None:
    with pytest.raises(PlainRefusal):
        read_query("a=%")
    with pytest.raises(PlainRefusal):
        read_query("&".join("a=1" for _ in range(300)))


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/a/b?c=d#e", ("/a/b", "c=d")),
        ("/a", ("/a", "")),
        ("http://host/a?b", ("/a", "b")),
        ("http://host", ("/", "")),
        ("*", ("*", "")),
    ],
)
def test_a_request_target_is_split_at_its_query(target: str, parts: tuple[str, str]) -> None:
    assert split_target(target) == parts
