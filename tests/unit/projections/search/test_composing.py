"""A statement is as long as its filter, is written once for its shape, and has a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
import pytest

from projections.search.binding import Given, Statement
from projections.search.grants import GrantClass, read_class
from projections.search.paging import Pages, complete
from projections.search.reader import compose
from projections.search.readers import Readers
from projections.search.shapes import PATTERN, shaped
from protocol.errors import RqlExpressionInvalid
from protocol.rql.parsing import MAX_DEPTH, parse_query

NOW = datetime(2025, 6, 1, tzinfo=UTC)
PAGE = Pages(complete(()))


def grant_class(name: str, *rules: tuple[str, str], namespaces: tuple[str, ...] = ()) -> GrantClass:
    return read_class(name, orjson.dumps({"namespaces": namespaces, "rules": rules}))


ALL = Readers([grant_class("a", ("/", "grant"))])
SOME = Readers(
    [
        grant_class("a", ("/", "grant"), ("/attributes/secret", "revoke"), ("/features/f/properties/p", "revoke")),
        grant_class("b", ("/attributes", "grant"), namespaces=("m.*",)),
        grant_class("c", ("/attributes/secret/less", "grant"), ("/features/g", "revoke")),
    ]
)


def statement(rql: str, readers: Readers = ALL) -> Statement:
    return compose(readers, PAGE, shaped(parse_query(rql), NOW)[0], scopes=None, alone=True, partly=False)


def several(logic: str, count: int, one: Callable[[int], str]) -> str:
    return f"{logic}({','.join(map(one, range(count)))})"


FILTERS: tuple[Callable[[int], str], ...] = (
    lambda n: several("or", n, lambda at: f"eq(attributes/a{at},1)"),
    lambda n: several("and", n, lambda at: f"ne(attributes/a{at},1)"),
    lambda n: several("and", n, lambda at: f"gt(attributes/n,{at})"),
    lambda n: several("or", n, lambda at: f"not(or(empty(features/*/properties/p),eq(attributes/a{at},1)))"),
)


@pytest.mark.parametrize("readers", [ALL, SOME], ids=["all", "some"])
@pytest.mark.parametrize("one", FILTERS)
def test_a_statement_grows_with_its_filter_and_no_faster(one: Callable[[int], str], readers: Readers) -> None:
    small, large = len(statement(one(3), readers).text), len(statement(one(12), readers).text)
    assert large < 5 * small


def test_nesting_does_not_multiply() -> None:
    flat, deep = "eq(attributes/secret/less,1)", "eq(attributes/secret/less,1)"
    for logic in ("not", "or", "and") * (MAX_DEPTH // 3):
        deep = f"{logic}({deep})"
    assert len(statement(deep, SOME).text) < 2 * len(statement(flat, SOME).text)


def test_classes_and_namespaces_do_not_multiply() -> None:
    def length(count: int) -> int:
        classes = [
            grant_class(f"{n:03}", ("/", "grant"), (f"/attributes/a{n}", "revoke"), namespaces=(f"n{n}",))
            for n in range(count)
        ]
        return len(statement("exists(attributes/b)", Readers(classes)).text)

    assert length(40) < 12 * length(4)


@pytest.mark.parametrize("readers", [ALL, SOME], ids=["all", "some"])
@pytest.mark.parametrize("one", FILTERS)
def test_the_longest_filters_are_composed_quickly_or_refused_quickly(
    one: Callable[[int], str], readers: Readers
) -> None:
    begun = time.process_time()
    refused = 0
    for count in (60, 300):
        try:
            assert len(statement(one(count), readers).text) < 200_000
        except RqlExpressionInvalid:
            refused += 1
    assert refused >= 1
    assert time.process_time() - begun < 2


def test_a_very_long_pattern_is_refused() -> None:
    for relation in ("like", "ilike"):
        statement(f'{relation}(attributes/a,"{"a" * PATTERN}")')
        with pytest.raises(RqlExpressionInvalid):
            statement(f'{relation}(attributes/a,"{"?" * (PATTERN + 1)}")')


def test_filters_of_one_shape_share_a_statement() -> None:
    def shape(rql: str) -> object:
        return shaped(parse_query(rql), NOW)[0]

    one, other = 'and(eq(attributes/a,"x"),in(attributes/b,1,2))', 'and(eq(attributes/a,""),in(attributes/b,7))'
    assert shape(one) == shape(other)
    assert shape("eq(attributes/a,1)") != shape("eq(attributes/b,1)")
    assert shape("gt(attributes/a,1)") != shape('gt(attributes/a,"1")')
    first, second = (Given(subjects=("s",), slots=(number,)) for number in (5, 6))
    shared = statement("gt(attributes/n,5)")
    assert shared.arguments(first) != shared.arguments(second)
