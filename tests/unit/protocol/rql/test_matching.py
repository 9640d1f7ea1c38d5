from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.json import JsonObject
from protocol.rql.matching import TooCostly, matches
from protocol.rql.parsing import parse_filter, parse_query
from protocol.rql.patterns import is_like
from protocol.rql.tree import Query
from tests.unit.protocol.rql.queries import PATTERNS, QUERIES, THINGS
from tests.unit.protocol.rql.witness import fulfils, holds

NOON = datetime(2026, 1, 7, 12, 34, 56, 789_000, tzinfo=UTC)
THING: JsonObject = {
    "thingId": "farm.one:pump",
    "policyId": "farm.one:policy",
    "definition": "farm:pump:1.0.0",
    "_namespace": "farm.one",
    "_revision": 7,
    "_created": "2026-01-01T00:00:00Z",
    "_modified": "2026-01-07T12:00:00Z",
    "_metadata": {"attributes": {"maker": {"source": "label"}}},
    "attributes": {
        "maker": "ACME",
        "row": 3,
        "exact": 3.0,
        "on": True,
        "nothing": None,
        "none": [],
        "blank": "",
        "hollow": {},
        "tags": ["red", 5, [None, "deep"], {"room": "k1"}],
        "seen": 1_767_789_296,
        "a,b)": 1,
    },
    "features": {
        "motor": {"definition": ["farm:motor:1", "farm:engine:1"], "properties": {"rpm": 900}},
        "lamp": {"properties": {"on": True}, "desiredProperties": {"on": False}},
    },
}

TRUE = [
    *('eq(thingId,"farm.one:pump")', "eq(policyId,'farm.one:policy')", 'eq(definition,"farm:pump:1.0.0")'),
    *('eq(namespace,"farm.one")', 'eq(_namespace,"farm.one")', "eq(_revision,7)", "ge(_revision,7.0)"),
    *('gt(_modified,"2026-01-07")', 'lt(_created,"2026-01-07")', 'eq(_metadata/attributes/maker/source,"label")'),
    *(
        'eq(attributes/maker,"ACME")',
        'eq(/attributes/maker,"ACME")',
        "eq(attributes/row,3.0)",
        "eq(attributes/exact,3)",
    ),
    *("eq(attributes/on,true)", "gt(attributes/on,false)", "eq(attributes/nothing,null)", "ne(attributes/row,null)"),
    *("ne(attributes/row,4)", 'ne(attributes/row,"3")', "ne(attributes/none,1)", "ne(attributes/hollow,1)"),
    *('eq(attributes/tags,"red")', "eq(attributes/tags,5)", 'eq(attributes/tags,"deep")', "eq(attributes/tags,null)"),
    *('eq(attributes/tags/room,"k1")', "gt(attributes/tags,4)", 'like(attributes/tags,"de*")'),
    *('in(attributes/row,"3",3)', "in(attributes/tags,1,null)", 'like(attributes/maker,"A*E")'),
    *('like(attributes/maker,"ACM?")', 'ilike(attributes/maker,"acme")', 'like(attributes/blank,"*")'),
    *("exists(attributes)", "exists(attributes/nothing)", "exists(attributes/none)", "exists(attributes/hollow)"),
    *("exists(features/motor)", "exists(features/*/desiredProperties/on)", "exists(features/*)", "exists(features)"),
    *("empty(attributes/nothing)", "empty(attributes/none)", "empty(attributes/blank)", "empty(attributes/hollow)"),
    *("empty(attributes/absent)", "empty(features/absent/properties)", "empty(features/motor/desiredProperties)"),
    *('eq(features/motor/definition,"farm:engine:1")', "eq(features/*/properties/rpm,900)"),
    *("eq(features/lamp/desiredProperties/on,false)", "and(eq(_revision,7),exists(attributes))"),
    *("or(eq(_revision,1),eq(_revision,7))", "not(eq(_revision,1))", "not(eq(attributes/absent,1))"),
    *(
        "not(eq(_revision,1),eq(_revision,2))",
        "eq(attributes/a\\,b\\),1)",
        "le(attributes/seen,time:now_epoch_seconds)",
    ),
    *("eq(attributes/seen,time:now_epoch_seconds)", 'like(thingId,"farm.one:*")', "ne(attributes/tags,6)"),
    *("lt(_modified,time:now)", "gt(_modified,time:now-1h)", "ne(attributes/absent,1)", "ne(attributes/absent,null)"),
]
FALSE = [
    *('eq(thingId,"pump")', 'eq(attributes/row,"3")', 'eq(attributes/on,"true")', "eq(attributes/on,1)"),
    *("eq(attributes/absent,null)", "eq(attributes/row,null)", "ne(attributes/nothing,null)", "ne(attributes/tags,5)"),
    *('gt(attributes/row,"1")', "gt(attributes/maker,1)", "ge(attributes/nothing,null)", "lt(attributes/absent,1)"),
    *("eq(attributes/hollow,null)", "eq(attributes/none,null)", 'like(attributes/row,"*")', 'like(attributes/on,"t*")'),
    *('like(attributes/maker,"acme")', 'like(attributes/maker,"ACM")', 'like(attributes/maker,"ACME?")'),
    *(
        'like(attributes/maker,"A.*")',
        "in(attributes/row,1,2)",
        "exists(attributes/absent)",
        "exists(attributes/tags/x)",
    ),
    *("exists(features/fan)", "empty(attributes/row)", "empty(attributes/tags)", "empty(features/motor)"),
    *(
        "eq(features/*/properties/rpm,901)",
        "ne(features/*/properties/on,true)",
        "eq(features/motor/properties/on,true)",
    ),
    *("and(eq(_revision,7),eq(_revision,8))", "or(eq(_revision,1),eq(_revision,8))", "not(eq(_revision,7))"),
    *("not(eq(_revision,1),eq(_revision,7))", "gt(_modified,time:now)", "gt(_modified,time:now[h])"),
]


@pytest.mark.parametrize("text", TRUE)
def test_it_holds(text: str) -> None:
    assert matches(parse_query(text), THING, now=NOON)


@pytest.mark.parametrize("text", FALSE)
def test_it_does_not_hold(text: str) -> None:
    assert not matches(parse_query(text), THING, now=NOON)


def test_only_ne_on_what_is_absent_differs_between_memory_and_index() -> None:
    for text in TRUE:
        in_index = matches(parse_query(text), THING, now=NOON, ne_absent=False)
        assert in_index is not text.startswith("ne(attributes/absent")


@pytest.mark.parametrize(
    ("placeholder", "value"),
    [
        ("time:now", "2026-01-07T12:34:56.789Z"),
        ("time:now-7d", "2025-12-31T12:34:56.789Z"),
        ("time:now+1h", "2026-01-07T13:34:56.789Z"),
        ("time:now+500ms", "2026-01-07T12:34:57.289Z"),
        ("time:now-1mo", "2025-12-08T12:34:56.789Z"),
        ("time:now-1y", "2025-01-07T12:34:56.789Z"),
        ("time:now[ms]", "2026-01-07T12:34:56.789Z"),
        ("time:now[s]", "2026-01-07T12:34:56Z"),
        ("time:now[m]", "2026-01-07T12:34:00Z"),
        ("time:now[h]", "2026-01-07T12:00:00Z"),
        ("time:now[d]", "2026-01-07T00:00:00Z"),
        ("time:now[w]", "2026-01-05T00:00:00Z"),
        ("time:now[mo]", "2026-01-01T00:00:00Z"),
        ("time:now[y]", "2026-01-01T00:00:00Z"),
        ("time:now-1d[d]", "2026-01-06T00:00:00Z"),
        ("time:now-365000d", "1026-09-07T12:34:56.789Z"),
        ("time:now_epoch_millis", 1_767_789_296_789),
        ("time:now_epoch_millis-1s", 1_767_789_295_789),
        ("time:now_epoch_seconds", 1_767_789_296),
        ("time:now_epoch_seconds[d]", 1_767_744_000),
    ],
)
def test_placeholders_of_time_are_filled_in_when_the_query_runs(placeholder: str, value: str | int) -> None:
    query = parse_query(f"eq(attributes/t,{placeholder})")
    assert matches(query, {"attributes": {"t": value}}, now=NOON)


@given(query=QUERIES, thing=THINGS, ne_absent=st.booleans())
def test_rows_and_documents_give_the_same_answer(query: Query, thing: JsonObject, ne_absent: bool) -> None:
    assert matches(query, thing, now=NOON, ne_absent=ne_absent) is holds(query, thing, ne_absent=ne_absent)


@given(pattern=PATTERNS, text=st.text(st.sampled_from("abAé"), max_size=7), ignore_case=st.booleans())
def test_patterns_are_those_of_a_regular_expression(pattern: str, text: str, ignore_case: bool) -> None:
    assert is_like(pattern, text, ignore_case=ignore_case) is fulfils(text, "ilike" if ignore_case else "like", pattern)


@pytest.mark.parametrize("pattern", ["*a" * 2_000 + "b", "a?" * 2_000 + "b", "*?a" * 1_300 + "b", "a" * 4_000 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    assert not is_like(f"*{pattern}*", "a" * 100_000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("term", "value"), [("eq(attributes/a,{})", [0] * 50_000), ('like(attributes/a,"?{}")', "a" * 90_000)]
)
def test_a_query_that_would_look_at_too_much_is_given_up(term: str, value: object) -> None:
    query = parse_query(f"or({','.join(term.format(number) for number in range(1, 200))})")
    started = time.process_time()
    with pytest.raises(TooCostly):
        matches(query, {"attributes": {"a": value}}, now=NOON)  # type: ignore[dict-item] # JSON, whatever it is
    assert time.process_time() - started < 5


def test_a_filter_looks_at_the_message_beside_the_thing() -> None:
    message: JsonObject = {"topic:action": "merged", "resource:path": "/features/motor/properties", "header:x": "1"}
    query = parse_filter('and(in(topic:action,"modified","merged"),like(resource:path,"/features/motor*"))')
    assert matches(query, {**THING, **message}, now=NOON)
    assert not matches(query, {**THING, **message, "topic:action": "deleted"}, now=NOON)
    assert matches(parse_filter('and(eq(header:X,"1"),not(exists(header:y)))'), {**THING, **message}, now=NOON)
