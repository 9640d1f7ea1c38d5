from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import RqlExpressionInvalid
from protocol.rql.parsing import MAX_DEPTH, MAX_LENGTH, parse_filter, parse_query
from protocol.rql.printing import print_query, print_shape
from protocol.rql.tree import And, Comparison, Exists, In, Not, Property, Query, properties
from tests.unit.protocol.rql.queries import SPELLINGS

A = Property(("attributes", "a"))


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        *(("5", 5), ("-3", -3), ("+3", 3), ("0", 0), ("1.5", 1.5), ("-0.25", -0.25), ("+1.0", 1.0), ("0.0", 0.0)),
        *(("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63))),
        *(("true", True), ("false", False), ("null", None), ('"a b"', "a b"), ("'a'", "a"), ('""', "")),
        *((r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'), (r'"\u00e4\ud83d\ude00"', "ä😀"), (r"'it\'s \"'", "it's \"")),
        *(('"a,b)"', "a,b)"), ("'\"'", '"'), ('"true"', "true"), ('"a\nb"', "a\nb"), ('"😀"', "😀")),
    ],
)
def test_values(spelled: str, value: object) -> None:
    query = parse_query(f"eq(attributes/a,{spelled})")
    assert isinstance(query, Comparison)
    assert (type(query.value), query.value) == (type(value), value)


@pytest.mark.parametrize(
    ("spelled", "path"),
    [
        *(("thingId", ("thingId",)), ("/policyId", ("policyId",)), ("namespace", ("_namespace",))),
        *(("_namespace", ("_namespace",)), ("/_revision", ("_revision",)), ("_modified", ("_modified",))),
        *(("_created", ("_created",)), ("definition", ("definition",))),
        *(("_metadata/attributes/a", ("_metadata", "attributes", "a")), ("attributes/a~0b", ("attributes", "a~b"))),
        *(("attributes/a~1b", ("attributes", "a~1b")), ("attributes/a b", ("attributes", "a b"))),
        *(("attributes/f(x", ("attributes", "f(x")), (r"attributes/f(x\)", ("attributes", "f(x)"))),
        *(
            (r"attributes/\"\\\u002c", ("attributes", '"\\,')),
            ("features/f/definition", ("features", "f", "definition")),
        ),
        *(("features/f/properties/p/q", ("features", "f", "properties", "p", "q")),),
        *(("features/*/desiredProperties/p", ("features", "*", "desiredProperties", "p")),),
    ],
)
def test_properties(spelled: str, path: tuple[str, ...]) -> None:
    assert parse_query(f"eq({spelled},1)") == Comparison("eq", Property(path), 1)


@pytest.mark.parametrize("name", ["attributes", "features", "features/f", "features/*", "features/f/properties"])
def test_objects_may_exist_and_be_empty_but_are_not_compared(name: str) -> None:
    assert parse_query(f"exists({name})") == Exists(Property(tuple(name.split("/"))))
    parse_query(f"empty({name})")
    with pytest.raises(RqlExpressionInvalid, match=r"position 4: found '.', expected a property that is compared"):
        parse_query(f"eq({name},1)")


@pytest.mark.parametrize("name", ["eq", "ne", "gt", "ge", "lt", "le", "like", "ilike"])
def test_relations(name: str) -> None:
    query = parse_query(f'{name}(attributes/a,"x")')
    assert isinstance(query, Comparison)
    assert (query.relation, query.property, query.value) == (name, A, "x")


def test_blanks_may_stand_around_queries() -> None:
    assert parse_query(" \t and( eq(attributes/a,1) , not( in(attributes/a,1,2) ) )\n ") == And(
        (Comparison("eq", A, 1), Not((In(A, (1, 2)),)))
    )


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ("", 1, "the end", "one of and, or, not, eq, ne, gt, ge, lt, le, like, ilike, in, exists, empty"),
        ("EQ(attributes/a,1)", 1, "'E'", "one of and"),
        ("eq", 3, "the end", r"'\('"),
        ("eq (attributes/a,1)", 3, "' '", r"'\('"),
        ("eq()", 4, r"'\)'", "a property"),
        ("eq( attributes/a,1)", 4, "' '", "a property that things have"),
        ("eq(attributes/a)", 16, r"'\)'", "','"),
        ("eq(attributes/a,)", 17, r"'\)'", "a number"),
        ("eq(attributes/a, 1)", 17, "' '", "a number"),
        ("eq(attributes/a,x)", 17, "'x'", "a number"),
        ("eq(attributes/a,truex)", 17, "'t'", "a number"),
        ("eq(attributes/a,TRUE)", 17, "'T'", "a number"),
        ("eq(attributes/a,.5)", 17, "'.'", "a number"),
        ("eq(attributes/a,1e3)", 18, "'e'", r"'\)'"),
        ("eq(attributes/a,1.)", 18, "'.'", r"'\)'"),
        ("eq(attributes/a,01)", 18, "'1'", r"'\)'"),
        ("eq(attributes/a,-0)", 17, "'-'", "0 without a sign"),
        ("eq(attributes/a,١)", 17, "'١'", "a number"),  # noqa: RUF001 - a digit of another script
        ("eq(attributes/a,9223372036854775808)", 17, "'9'", "a whole number of 64 bits"),
        (f"eq(attributes/a,{'9' * 9_000})", 17, "'9'", "a whole number of 64 bits"),
        (f"eq(attributes/a,{'9' * 400}.0)", 17, "'9'", "a number that 64 bits can hold"),
        ('eq(attributes/a,"x)', 20, "the end", '" at the end of the string'),
        ('eq(attributes/a,"x\\q")', 19, "'\\\\\\\\'", "one of the escapes"),
        ('eq(attributes/a,"\\ud800")', 18, "'\\\\\\\\'", "whole characters"),
        ('eq(attributes/a,"x"y)', 20, "'y'", r"'\)'"),
        ("eq(attributes/a,1) x", 20, "'x'", "the end of the expression"),
        ("eq(attributes/a,1))", 19, r"'\)'", "the end of the expression"),
        ("eq(attributes/a,1,2)", 18, "','", r"'\)'"),
        ("and()", 5, r"'\)'", "one of and"),
        ("and(eq(attributes/a,1),)", 24, r"'\)'", "one of and"),
        ("exists(attributes/a,1)", 20, "','", r"'\)'"),
        ("like(attributes/a,5)", 19, "'5'", "a string as the pattern of like"),
        ("ilike(attributes/a,null)", 20, "'n'", "a string as the pattern of ilike"),
        ("like(attributes/a,time:now)", 19, "'t'", "a string as the pattern of like"),
        ("eq(time:now,1)", 4, "'t'", "a property that things have"),
        ("eq(attributes/a,time:now-7)", 17, "'t'", "a number"),
        ("eq(attributes/a,time:now[q])", 17, "'t'", "a number"),
        ("eq(attributes/a,time:later)", 17, "'t'", "a number"),
        ("eq(attributes/a,time:now-999999999999y)", 25, "'-'", "at most 365000 days"),
        ("eq(attributes//a,1)", 4, "'a'", "a property that is a JSON pointer"),
        ("eq(a,1)", 4, "'a'", "a property that things have, instead of 'a'"),
        ("eq(_policy,1)", 4, "'_'", "a property that things have"),
        ("eq(features/f/x,1)", 4, "'f'", "a property that things have"),
        ("eq(thingId/x,1)", 4, "'t'", "a property that things have"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_what_was_expected(
    text: str, place: int, found: str, expected: str
) -> None:
    found = found.replace("\\\\\\\\", "\\\\")
    with pytest.raises(RqlExpressionInvalid, match=rf"position {place}: found {found}, expected {expected}") as caught:
        parse_query(text)
    assert (caught.value.status, caught.value.code) == (400, "rql.expression.invalid")


def test_depth_and_length_are_bounded() -> None:
    inner = "eq(attributes/a,1)"
    parse_query("not(" * MAX_DEPTH + inner + ")" * MAX_DEPTH)
    with pytest.raises(RqlExpressionInvalid, match="at most 32 levels"):
        parse_query("not(" * (MAX_DEPTH + 1) + inner + ")" * (MAX_DEPTH + 1))
    with pytest.raises(RqlExpressionInvalid, match="at most 32 levels"):
        parse_query("not(" * (MAX_LENGTH // 4))
    parse_query(f'eq(attributes/a,"{"x" * (MAX_LENGTH - 19)}")')
    with pytest.raises(RqlExpressionInvalid, match="16385 characters"):
        parse_query("x" * (MAX_LENGTH + 1))


def test_the_properties_of_a_query_are_those_of_all_its_parts() -> None:
    query = parse_query("and(eq(attributes/a,1),or(exists(thingId),not(empty(attributes/a),in(policyId,1))))")
    assert properties(query) == {A, Property(("thingId",)), Property(("policyId",))}


@given(SPELLINGS)
def test_what_is_printed_is_read_back_as_the_same(query: Query) -> None:
    assert repr(parse_query(print_query(query))) == repr(query)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('and(eq(attributes/a,"secret"),not(gt(attributes/n,5)))', "and(eq(attributes/a,?),not(gt(attributes/n,?)))"),
        ('or(in(thingId,"a:b","c:d"),like(definition,"*x*"))', "or(in(thingId,?,?),like(definition,?))"),
        ("or(exists(features/*/properties/p),empty(policyId))", "or(exists(features/*/properties/p),empty(policyId))"),
        ("lt(_modified,time:now-1h)", "lt(_modified,?)"),
    ],
)
def test_the_shape_of_a_query_is_the_query_without_its_values(text: str, shape: str) -> None:
    assert print_shape(parse_query(text)) == shape


@given(st.text(st.sampled_from("andeqornt(),/\"'\\ 01.-:[]time:now*"), max_size=40) | st.text(max_size=20))
def test_any_text_is_a_query_or_a_mistake(text: str) -> None:
    try:
        query = parse_query(text)
    except RqlExpressionInvalid:
        return
    assert repr(parse_query(print_query(query))) == repr(query)


@pytest.mark.parametrize(
    "name", ["topic:action", "topic:action-subject", "resource:path", "entity:id", "feature:id", "header:x-Custom"]
)
def test_only_filters_ask_about_the_message(name: str) -> None:
    text = f'in({name},"modified","merged")'
    query = parse_filter(text)
    placeholder = name.lower() if name.startswith("header:") else name
    assert query == In(Property((placeholder,)), ("modified", "merged"))
    assert parse_filter(print_query(query)) == query
    for refuses in (parse_query, lambda unknown: parse_filter(unknown.replace(":", ":no/"))):
        with pytest.raises(RqlExpressionInvalid, match="a property that things have"):
            refuses(text)


def test_filters_ask_about_things_too() -> None:
    text = 'and(exists(attributes/a),like(resource:path,"/features/motor*"))'
    assert parse_filter(text) == And((Exists(A), Comparison("like", Property(("resource:path",)), "/features/motor*")))
