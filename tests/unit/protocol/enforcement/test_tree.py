from __future__ import annotations

import pytest

from protocol.enforcement.rules import Rule
from protocol.enforcement.tree import PermissionTree
from protocol.identifiers import PolicyId
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import parse

DOCUMENT: JsonValue = {"a": {"b": 1, "c": [{"d": 2}]}, "e": {}, "f": {"g": {"h": 3}}}


def tree(*said: str) -> PermissionTree:
    """A tree of rules, each written as ``+/path`` for a grant of READ or ``-/path`` for a revoke."""
    return PermissionTree([rule(text) for text in said], "READ")


def rule(text: str) -> Rule:
    read = frozenset({"READ"})
    return Rule(
        policy_id=PolicyId("farm:p"),
        label="entry",
        resource_type="thing",
        path=parse(text[1:]),
        grant=read if text[0] in "+±" else frozenset(),
        revoke=read if text[0] in "-±" else frozenset(),
    )


@pytest.mark.parametrize("said", [("+/a", "-/a"), ("-/a", "+/a"), ("±/a",), ("+/", "+/a", "-/a", "+/a")])
def test_of_the_same_depth_a_revoke_beats_a_grant_whatever_stands_first(said: tuple[str, ...]) -> None:
    conflicting = tree(*said)
    assert not conflicting.allowed(("a",))
    assert not conflicting.allowed(("a", "b"))
    assert not conflicting.partial(("a",))


@pytest.mark.parametrize(
    ("said", "allowed", "refused"),
    [
        (("+/", "-/a", "+/a/b"), ["/", "/a/b", "/a/b/x", "/e"], ["/a", "/a/c"]),
        (("-/", "+/a"), ["/a", "/a/b"], ["/", "/e"]),
        (("+/a/b/c", "-/a"), ["/a/b/c"], ["/", "/a", "/a/b"]),
        ((), [], ["/", "/a"]),
    ],
)
def test_the_deepest_rule_decides(said: tuple[str, ...], allowed: list[str], refused: list[str]) -> None:
    judging = tree(*said)
    assert [path for path in (*allowed, *refused) if judging.allowed(parse(path))] == allowed


def test_what_has_a_revoke_somewhere_below_is_not_unrestricted() -> None:
    judging = tree("+/", "-/a/b", "+/a/b/c")
    answers = {path: judging.unrestricted(parse(path)) for path in ("/", "/a", "/a/b", "/a/b/c", "/a/x", "/e")}
    assert answers == {"/": False, "/a": False, "/a/b": False, "/a/b/c": True, "/a/x": True, "/e": True}
    assert (judging.everything, judging.nothing) == (False, False)
    assert (tree("+/").everything, tree("+/a").everything, tree("+/", "-/a").everything) == (True, False, False)


def test_what_has_a_grant_somewhere_below_is_partly_readable() -> None:
    judging = tree("-/", "+/a/b")
    answers = {path: judging.partial(parse(path)) for path in ("/", "/a", "/a/b", "/a/b/x", "/a/c", "/e")}
    assert answers == {"/": True, "/a": True, "/a/b": True, "/a/b/x": True, "/a/c": False, "/e": False}
    assert judging.granted_below(()) == ["a"]
    assert judging.granted_below(("a", "b")) == []
    assert (tree("-/").nothing, tree("-/", "+/a").nothing, tree().nothing) == (True, False, True)


def test_unrestricted_throughout_means_whichever_key_stands_between() -> None:
    features, properties = parse("/features"), parse("/properties/p")
    assert tree("+/features").unrestricted_throughout(features, properties)
    assert not tree("+/features", "-/features/x/properties").unrestricted_throughout(features, properties)
    assert tree("+/features", "-/features/x/definition").unrestricted_throughout(features, properties)
    assert not tree("+/features/x").unrestricted_throughout(features, properties)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (("+/",), DOCUMENT),
        ((), MISSING),
        (("+/a/b",), {"a": {"b": 1}}),
        (("+/", "-/a/b"), {"a": {"c": [{"d": 2}]}, "e": {}, "f": {"g": {"h": 3}}}),
        (("+/", "-/a"), {"e": {}, "f": {"g": {"h": 3}}}),
        (("+/", "-/f/g/h"), {"a": {"b": 1, "c": [{"d": 2}]}, "e": {}}),
        (("+/a", "-/a/c/0/d"), {"a": {"b": 1}}),
        (("+/a/c/0/d",), MISSING),
        (("+/e",), {"e": {}}),
        (("+/e/x",), MISSING),
    ],
)
def test_what_is_seen_is_what_is_granted_leaf_by_leaf(said: tuple[str, ...], seen: JsonValue | Missing) -> None:
    assert tree(*said).visible((), DOCUMENT) == seen


def test_rules_about_another_permission_say_nothing() -> None:
    assert PermissionTree([rule("+/"), rule("-/a")], "WRITE").nothing
