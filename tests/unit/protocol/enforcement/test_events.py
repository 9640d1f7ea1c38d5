"""What of an event somebody sees."""

from __future__ import annotations

import pytest

from protocol.context import Context
from protocol.enforcement.events import visible_event
from protocol.identifiers import ThingId
from protocol.json import MISSING, JsonValue, Missing, dump
from protocol.pointers import parse
from protocol.signals import Action, Event
from tests.unit.protocol.enforcement.test_enforce import POLICY
from tests.unit.protocol.policies.scenario import NOON, P1

PUMP = ThingId("farm.one:pump")


def seen(who: str, action: Action, path: str, value: JsonValue | Missing = MISSING) -> object:
    enforcer = Context(now=NOON, subjects=(), policies={P1: POLICY}).enforcer(P1)
    printed = None if isinstance(value, Missing) else dump(value)
    event = Event(entity_id=PUMP, action=action, path=parse(path), value=value, printed=printed)
    visible = visible_event(event, enforcer, (f"s:{who}",))
    if visible is event:
        return "all"
    if visible is None:
        return "nothing"
    assert visible.printed is None, "the text of the whole value must not go along with a part of it"
    return visible.value


@pytest.mark.parametrize(
    ("who", "action", "path", "value", "expected"),
    [
        ("reader", "modified", "/attributes", {"a": 1}, "all"),
        ("reader", "deleted", "/", MISSING, "all"),
        ("writer", "modified", "/attributes", {"a": 1}, "nothing"),
        ("hidden", "modified", "/attributes", {"a": 1, "secret": {"pin": 1}}, {"a": 1}),
        ("hidden", "modified", "/attributes", {"secret": {"pin": 1}}, "nothing"),
        ("hidden", "modified", "/attributes", {}, {}),
        (
            "hidden",
            "created",
            "/",
            {"thingId": "t", "attributes": {"a": 1}, "features": {}},
            {"thingId": "t", "attributes": {"a": 1}},
        ),
        ("hidden", "created", "/", {"thingId": "t", "features": {"f": {}}}, "nothing"),
        ("hidden", "modified", "/attributes/secret/pin", 1, "nothing"),
        ("hidden", "deleted", "/attributes/a", MISSING, "all"),
        ("hidden", "deleted", "/attributes", MISSING, "all"),  # it says no more than the path
        ("hidden", "deleted", "/attributes/secret", MISSING, "nothing"),
        ("device", "modified", "/features/f/properties", {"p": 1, "q": 2}, {"p": 1}),
        ("device", "modified", "/features/f/properties", [1], "nothing"),
        ("device", "modified", "/features/f/properties/p", 1, "all"),
        ("device", "deleted", "/", MISSING, "nothing"),
        ("device", "merged", "/features", {"f": {"properties": {"p": 1, "q": 2}}}, {"f": {"properties": {"p": 1}}}),
        ("device", "merged", "/", {"attributes": {"a": 1}}, "nothing"),
        ("device", "merged", "/features/f", None, {"properties": None}),
        ("device", "merged", "/features/f", {}, "nothing"),
        ("hidden", "merged", "/", {"attributes": None}, {"attributes": None}),
        ("hidden", "merged", "/attributes", {"secret": None, "a": None}, {"a": None}),
    ],
)
def test_an_event_is_told_as_far_as_it_may_be_read(
    who: str, action: Action, path: str, value: JsonValue | Missing, expected: object
) -> None:
    assert seen(who, action, path, value) == expected


def test_with_a_part_of_an_event_goes_no_metadata_of_the_rest() -> None:
    enforcer = Context(now=NOON, subjects=(), policies={P1: POLICY}).enforcer(P1)
    event = Event(
        entity_id=PUMP,
        action="modified",
        path=("attributes",),
        value={"a": 1, "secret": {"pin": 1}},
        metadata={"secret": {"issuedBy": "locksmith"}},
    )
    whole = visible_event(event, enforcer, ("s:reader",))
    part = visible_event(event, enforcer, ("s:hidden",))
    assert whole is event
    assert part is not None
    assert (part.value, part.metadata) == ({"a": 1}, None)


def test_without_a_policy_nobody_sees_anything() -> None:
    assert visible_event(Event(entity_id=PUMP, action="deleted", path=()), None, ("s:owner",)) is None
