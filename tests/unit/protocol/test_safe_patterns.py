from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import MergeInvalid
from protocol.safe_patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("2024-.*", "2024-01"),
        (r"\d{4}-\d{2}", "2024-01"),
        ("[a-z_&-]+", "a_&-z"),
        ("(?<year>20)24", "2024"),
        ("(foo|bar)-.*", "bar-1"),
        ("a++b?", "aaa"),
        (r"[\]x]", "]"),
        ("[]a]+", "]a"),
        ("a.b", "a\nb"),
        (r"a\.b", "a.b"),
        ("(ab)+", "abab"),
        ("", ""),
    ],
)
def test_ordinary_expressions_match(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).matches([text, "no match at all"]) == [text]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|b)*",
        "((){9}){9}",
        "(a?){30}",
        "a**",
        "*",
        "(?=a)",
        r"(a)\1",
        "(?i)a",
        r"\p{L}",
        "[a&&b]",
        "[[a]",
        "a{,3}",
        "a{3,2}",
        "a{2000}",
        "(",
        "a)",
        "[z-a]",
        "[^]",
        "x" * 257,
    ],
)
def test_expressions_without_a_bound_or_a_meaning_are_refused(pattern: str) -> None:
    with pytest.raises(MergeInvalid):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", [".*.*.*.*x", "a?" * 40 + "x", "(a|aa)" * 30, "a{0,100}" * 4 + "x", "a{1,2}" * 30 + "x"]
)
def test_expressions_that_could_take_too_long_on_these_texts_are_refused(pattern: str) -> None:
    with pytest.raises(MergeInvalid, match="too long"):
        compile_pattern(pattern).matches(["a" * 256])


def test_the_same_expression_may_be_used_on_short_texts() -> None:
    assert compile_pattern(".*.*.*.*x").matches(["ax", "b"]) == ["ax"]


@given(st.text(alphabet="ab.*+?{2,3}()|[]^$\\\\d-&", max_size=14), st.lists(st.text("ab-", max_size=20), max_size=3))
def test_any_expression_is_used_at_once_or_refused(pattern: str, texts: list[str]) -> None:
    try:
        matched = compile_pattern(pattern).matches(texts)
    except MergeInvalid:
        return
    assert matched == [text for text in texts if re.fullmatch(pattern, text, re.DOTALL)]
