from __future__ import annotations

import pytest

from protocol.errors import (
    PlaceholderError,
    PlaceholderFunctionSignatureInvalid,
    PlaceholderFunctionTooComplex,
    PlaceholderFunctionUnknown,
    PlaceholderNotResolvable,
    PlaceholderTooManyTexts,
    PlaceholderUnresolved,
)
from protocol.json import JsonObject
from protocol.placeholders import TEXTS_MAX, check_template, claim_values, expand

CLAIMS: JsonObject = {
    "sub": "ada",
    "aud": ["x", "y"],
    "n": {"d": [{"k": 1}, {"k": 2}]},
    "none": None,
    "a/b": "c",
    "empty": [],
}


def texts(template: str) -> tuple[str, ...]:
    return expand(template, {"jwt": lambda path: claim_values(CLAIMS, path), "own": lambda name: (name.upper(),)})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", ("plain",)),
        ("{{ jwt:sub }}", ("ada",)),
        ("{{jwt:sub}}:{{  own:label  }}!", ("ada:LABEL!",)),
        ("{{ jwt:aud }}-{{ jwt:aud }}", ("x-x", "x-y", "y-x", "y-y")),
        ("{{ jwt:n/d/k }}", ("1", "2")),
        ("{{ jwt:a/b }}", ("c",)),
        ("{{ jwt:/n/d/k }}", ("1", "2")),
        ("{{ jwt:/sub }}", ("ada",)),
    ],
)
def test_a_template_stands_for_every_combination_of_values(template: str, expected: tuple[str, ...]) -> None:
    assert texts(template) == expected


@pytest.mark.parametrize(
    "template", ["{{ jwt:no }}", "{{ jwt:none }}", "{{ jwt:n }}", "{{ jwt:empty }}", "{{ jwt:sub/x }}"]
)
def test_a_placeholder_without_value_is_unresolved(template: str) -> None:
    with pytest.raises(PlaceholderUnresolved):
        texts(template)


@pytest.mark.parametrize(
    "template", ["{{}}", "{{ x }}", "{{ x:y }}", "{{ jwt: }}", "{{ jwt:", "{{ jwt:{{ jwt:sub }} }}"]
)
def test_a_placeholder_that_does_not_exist_is_refused(template: str) -> None:
    with pytest.raises(PlaceholderNotResolvable):
        texts(template)


def test_arrays_do_not_multiply_without_end() -> None:
    with pytest.raises(PlaceholderUnresolved):
        expand("{{ a:b }}" * 40, {"a": lambda _: tuple(map(str, range(TEXTS_MAX)))})


PERSON: JsonObject = {
    "sub": "Ada",
    "scope": "openid farm-read  farm-write",
    "groups": ["/farm/a", "/farm/b", "/x"],
    "n": 7,
}


def piped(template: str) -> tuple[str, ...]:
    return expand(template, {"jwt": lambda path: claim_values(PERSON, path)})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ jwt:scope | fn:split(' ') }}", ("openid", "farm-read", "farm-write")),
        ("{{jwt:scope|fn:split(' ')|fn:filter('like','farm-*')}}", ("farm-read", "farm-write")),
        ("{{ jwt:scope | fn:split(' ') | fn:filter('like','*read|openid') }}", ("openid", "farm-read")),
        ("{{ jwt:sub | fn:lower() }}@{{ jwt:groups | fn:substring-after('/farm/') }}", ("ada@a", "ada@b")),
        ("{{ jwt:sub | fn:upper( ) }}", ("ADA",)),
        ("{{ jwt:groups | fn:substring-before('/a') }}", ("/farm",)),
        ("{{ jwt:groups | fn:join('+') }}", ("/farm/a+/farm/b+/x",)),
        ('{{ jwt:groups | fn:replace("/", "\'") | fn:filter("eq", "\'x") }}', ("'x",)),
        ("{{ jwt:groups | fn:filter('ne','/x') }}", ("/farm/a", "/farm/b")),
        ("{{ jwt:none | fn:default('guest') }}", ("guest",)),
        ("{{ jwt:none | fn:default(jwt:sub) }}", ("Ada",)),
        ("{{ jwt:sub | fn:default('guest') }}", ("Ada",)),
        ("{{ fn:default('a, b|c') }}", ("a, b|c",)),
        ("{{ jwt:sub | fn:filter(jwt:n,'eq','7') }}", ("Ada",)),
        ("{{ jwt:sub | fn:filter(jwt:none,'exists','false') }}", ("Ada",)),
        ("{{ jwt:sub | fn:filter(jwt:n,'exists') }}", ("Ada",)),
        ("{{ jwt:sub | fn:filter('exists') }}", ("Ada",)),
        ("{{ jwt:scope | fn:substring-before(' ') | fn:base64-encode() }}", ("b3Blbmlk",)),
        ("{{ fn:default('b3BlbmlkCg==') | fn:base64-decode() | fn:trim() }}", ("openid",)),
        ("{{ fn:default('a b/ü') | fn:url-encode() }}", ("a+b%2F%C3%BC",)),
        ("{{ fn:default('a+b%2F') | fn:url-decode() }}", ("a b/",)),
    ],
)
def test_values_go_through_functions(template: str, expected: tuple[str, ...]) -> None:
    assert piped(template) == expected


@pytest.mark.parametrize(
    "pipeline",
    [
        "jwt:scope | fn:split(' ') | fn:filter('like','admin*')",
        "jwt:sub | fn:filter(jwt:n,'eq','8')",
        "jwt:sub | fn:filter(jwt:none,'exists')",
        "jwt:sub | fn:filter(jwt:n,'exists','false')",
        "jwt:sub | fn:substring-after(':')",
        "jwt:sub | fn:replace('Ada','')",
        "jwt:sub | fn:split(jwt:none)",
        "jwt:sub | fn:base64-decode()",
        "jwt:sub | fn:delete() | fn:default('x')",
        "jwt:none | fn:join(',')",
        "fn:lower()",
    ],
)
def test_nothing_comes_out_of_functions_that_leave_nothing(pipeline: str) -> None:
    with pytest.raises(PlaceholderUnresolved):
        piped(f"{{{{ {pipeline} }}}}")


@pytest.mark.parametrize(
    ("pipeline", "error"),
    [
        ("jwt:sub | fn:fly()", PlaceholderFunctionUnknown),
        ("jwt:sub | lower()", PlaceholderFunctionUnknown),
        ("jwt:sub | fn:lower", PlaceholderFunctionUnknown),
        ("jwt:sub |", PlaceholderNotResolvable),
        ("jwt:sub || fn:lower()", PlaceholderNotResolvable),
        ("| fn:lower()", PlaceholderNotResolvable),
        ("jwt:sub | fn:split('", PlaceholderNotResolvable),
        ("jwt:sub | fn:default(sub)", PlaceholderNotResolvable),
        ("jwt:sub | fn:default(time:now)", PlaceholderNotResolvable),
        ("jwt:sub | fn:lower('x')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:split()", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:split('')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:replace('a')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:filter('eq')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:filter('gt','a')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub | fn:filter('a','b','eq','c')", PlaceholderFunctionSignatureInvalid),
        ("jwt:sub" + " | fn:lower()" * 11, PlaceholderFunctionTooComplex),
    ],
)
def test_a_pipeline_that_cannot_be_read_says_why(pipeline: str, error: type[PlaceholderError]) -> None:
    with pytest.raises(error):
        check_template(f"{{{{ {pipeline} }}}}", {"jwt"})


def test_what_a_filter_leaves_counts_and_not_what_it_was_given() -> None:
    many = {"jwt": lambda _: tuple(f"g{number}" for number in range(500))}
    assert expand("{{ jwt:groups | fn:filter('like','g1?') }}", many) == tuple(f"g1{number}" for number in range(10))
    with pytest.raises(PlaceholderTooManyTexts):
        expand("{{ jwt:groups }}", many)
