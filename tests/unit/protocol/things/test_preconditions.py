from __future__ import annotations

import pytest

from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.signals import Verb
from tests.unit.protocol.things.scenario import created, given, merged, modified, pump

THING = given(created(pump(attributes={"a": 1})))
HERE, GONE = "/attributes/a", "/attributes/b"
TAG = THING.when("retrieve", HERE).response.headers["etag"]
OTHER = '"hash:other"'

WRITES: list[tuple[Verb, JsonValue | Missing]] = [("modify", 2), ("merge", 2)]
ALL: list[tuple[Verb, JsonValue | Missing]] = [("retrieve", MISSING), ("delete", MISSING), *WRITES]


def sent(name: str, tag: JsonValue) -> JsonObject:
    return {name: tag}


@pytest.mark.parametrize(("verb", "value"), ALL)
def test_if_match_of_another_tag_stops_everything_and_tells_the_current_tag(
    verb: Verb, value: JsonValue | Missing
) -> None:
    error = THING.when(verb, HERE, value, headers=sent("if-match", OTHER)).refused("things:precondition.failed", 412)
    assert error.headers == {"etag": TAG}


@pytest.mark.parametrize(("verb", "value"), ALL)
@pytest.mark.parametrize("tags", [TAG, "*", f"{OTHER}, {TAG}"])
def test_if_match_of_the_current_tag_lets_everything_pass(
    verb: Verb, value: JsonValue | Missing, tags: JsonValue
) -> None:
    assert THING.when(verb, HERE, value, headers=sent("if-match", tags)).error is None


@pytest.mark.parametrize("tags", [OTHER, "*"])
def test_if_match_of_what_is_missing_stops_writes_and_is_not_asked_else(tags: str) -> None:
    for verb, value in WRITES:
        THING.when(verb, GONE, value, headers=sent("if-match", tags)).refused("things:precondition.failed", 412)
        given().when(verb, "/", {"attributes": {}}, headers=sent("if-match", tags)).refused(
            "things:precondition.failed", 412
        )
    THING.when("retrieve", GONE, headers=sent("if-match", tags)).refused("things:attribute.notfound", 404)
    THING.when("delete", GONE, headers=sent("if-match", tags)).refused("things:attribute.notfound", 404)
    given().when("create", "/", {}, headers=sent("if-match", tags)).refused("things:precondition.failed", 412)


@pytest.mark.parametrize("tags", [TAG, "*", f"{OTHER}, {TAG}"])
def test_if_none_match_of_the_current_tag_stops_writes_and_tells_readers_they_have_it(tags: JsonValue) -> None:
    for verb, value in [*WRITES, ("delete", MISSING)]:
        error = THING.when(verb, HERE, value, headers=sent("if-none-match", tags))
        assert error.refused("things:precondition.failed", 412).headers == {"etag": TAG}
    error = THING.when("retrieve", HERE, headers=sent("if-none-match", tags))
    assert error.refused("things:precondition.notmodified", 304).headers == {"etag": TAG}


def test_if_none_match_of_anything_creates_what_is_missing_only() -> None:
    anything = sent("if-none-match", "*")
    assert THING.when("modify", GONE, 1, headers=anything).response.status == 201
    assert given().when("create", "/", {}, headers=anything).response.status == 201
    THING.when("create", "/", {}, headers=anything).refused("things:precondition.failed", 412)
    THING.when("retrieve", GONE, headers=anything).refused("things:attribute.notfound", 404)
    THING.when("delete", GONE, headers=anything).refused("things:attribute.notfound", 404)


def test_a_weak_tag_never_matches() -> None:
    THING.when("retrieve", "/", headers=sent("if-match", 'W/"rev:1"')).refused("things:precondition.failed", 412)
    assert THING.when("retrieve", "/", headers=sent("if-none-match", 'W/"rev:1"')).error is None


def test_the_tag_of_a_thing_says_nothing_about_its_policy() -> None:
    current = sent("if-none-match", '"rev:1"')
    THING.when("retrieve", "/", headers=current).refused("things:precondition.notmodified", 304)
    THING.when("retrieve", "/", fields="thingId", headers=current).refused("things:precondition.notmodified", 304)
    assert THING.when("retrieve", "/", fields="_policy", headers=current).error is None


def test_tags_that_are_none_are_refused() -> None:
    THING.when("retrieve", "/", headers=sent("if-match", "rev:1")).refused("header.invalid", 400)


@pytest.mark.parametrize("verb", ["modify", "merge"])
@pytest.mark.parametrize(
    ("path", "value"), [("/attributes/a", 1), ("/attributes", {"a": 1}), ("/", {"attributes": {"a": 1}})]
)
def test_skip_refuses_a_change_that_changes_nothing(verb: Verb, path: str, value: JsonValue) -> None:
    assert THING.when(verb, path, value, headers=sent("if-equal", "update")).error is None
    THING.when(verb, path, value, headers=sent("if-equal", "skip")).refused("things:precondition.failed", 412)


@pytest.mark.parametrize("value", [2, 1.0, True, None])
def test_skip_lets_every_change_pass(value: JsonValue) -> None:
    for verb, path in (("modify", HERE), ("merge", HERE), ("modify", GONE)):
        assert THING.when(verb, path, value, headers=sent("if-equal", "skip")).error is None  # type: ignore[arg-type] # verbs


def test_skip_minimizing_merge_leaves_what_really_changes() -> None:
    wish = sent("if-equal", "skip-minimizing-merge")
    THING.when("merge", "/", {"attributes": {"a": 1, "b": 2}}, headers=wish).then(
        merged("/", {"attributes": {"b": 2}}), status=204
    )
    THING.when("merge", "/attributes", {"a": 1, "b": None}, headers=wish).refused("things:precondition.failed", 412)
    THING.when("modify", HERE, 1, headers=wish).then(modified(HERE, 1), status=204)


def test_another_wish_is_refused() -> None:
    THING.when("modify", HERE, 1, headers=sent("if-equal", "maybe")).refused("header.invalid", 400)
