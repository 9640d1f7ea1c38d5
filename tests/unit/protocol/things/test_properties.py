from __future__ import annotations

from copy import deepcopy
from typing import get_args

import jsonpatch
import jsonpointer
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DittoError
from protocol.json import MISSING, JsonObject, JsonValue, Missing, dump, same
from protocol.pointers import resolve
from protocol.signals import Action, Command, Event
from protocol.stored import restore_event, restore_state, store_event, store_state
from protocol.streams import stream_of
from protocol.things.decide import decide
from protocol.things.evolve import evolve
from protocol.things.json_patch import CONTENT_TYPE
from protocol.things.state import ThingState
from protocol.things.values import only_thing
from tests.unit.protocol.things.documents import commands, objects, targets, things, values
from tests.unit.protocol.things.scenario import ALONE, NOON, PUMP, created

anywhere = st.lists(st.sampled_from(["features", "attributes", "f", "properties", "a"]), max_size=4).map(tuple)
recorded_things = st.tuples(st.sampled_from(get_args(Action)), anywhere, st.one_of(st.just(MISSING), values))
at = st.sampled_from(["/a", "/b", "/a/a", "/d"])


def told(state: ThingState | None, event: Event) -> ThingState:
    return evolve(state, event, revision=1 if state is None else state.revision + 1, timestamp=NOON)


def thing_of(document: JsonObject) -> ThingState:
    return told(None, created(document))


def said(state: ThingState | None, command: Command) -> list[Event]:
    """The thing's events that the command leads to; none if it is refused."""
    try:
        return [event for event in decide(command, state, ALONE).events if type(event.entity_id) is type(PUMP)]
    except DittoError:
        return []


def naive_merge(target: JsonValue | Missing, patch: JsonValue) -> JsonValue:
    """RFC 7396, section 2, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = naive_merge(result.get(name), value)
    return result


@given(st.lists(commands, max_size=12))
@settings(max_examples=300)
def test_replaying_stored_events_leads_to_the_state_that_the_commands_led_to(said_so: list[Command]) -> None:
    state: ThingState | None = None
    log: list[tuple[str, str, bytes | None, bytes]] = []
    for command in said_so:
        for event in said(state, command):
            state = told(state, event)
            log.append(store_event(event, {"correlation-id": "c"}))
    replayed: ThingState | None = None
    for type_, path, value, headers in log:
        replayed = told(replayed, restore_event(stream_of(PUMP), type_, path, value, headers))
    assert replayed == state


@given(st.lists(recorded_things, max_size=6))
def test_evolving_never_fails_whatever_was_recorded(
    recorded: list[tuple[Action, tuple[str, ...], JsonValue | Missing]],
) -> None:
    state: ThingState | None = None
    for action, path, value in recorded:
        state = told(state, Event(entity_id=PUMP, action=action, path=path, value=value))
        assert isinstance(state.document, dict)


@given(st.lists(commands, max_size=8))
def test_the_bound_of_a_state_s_size_is_never_below_it(said_so: list[Command]) -> None:
    state: ThingState | None = None
    for command in said_so:
        for event in said(state, command):
            state = told(state, event)
            assert state.size >= len(dump(state.document).decode())


@given(things, commands)
def test_deciding_and_evolving_change_nothing_in_place(document: JsonObject, command: Command) -> None:
    state = thing_of(document)
    before, asked = deepcopy(state), deepcopy(command)
    for event in said(state, command):
        told(state, event)
    assert (state, command) == (before, asked)
    assert dump(state.document) == dump(before.document)


@given(things, commands)
def test_a_thing_never_holds_anything_that_the_table_does_not_know(document: JsonObject, command: Command) -> None:
    for event in said(thing_of(document), command):
        state = told(thing_of(document), event)
        assert only_thing(state.document) is state.document
        assert state.deleted or ("thingId" in state.document and "policyId" in state.document)


@given(things, targets)
def test_a_decided_merge_is_rfc_7396(document: JsonObject, target: tuple[tuple[str, ...], JsonValue]) -> None:
    path, patch = target
    state = thing_of(document)
    wrapped = patch
    for key in reversed(path):
        wrapped = {key: wrapped}
    for event in said(state, Command(entity_id=PUMP, verb="merge", path=path, value=patch)):
        assert same(told(state, event).document, naive_merge(document, wrapped))


@given(things, targets, st.sampled_from(["modify", "merge"]))
def test_skip_refuses_exactly_what_changes_nothing(
    document: JsonObject, target: tuple[tuple[str, ...], JsonValue], verb: str
) -> None:
    state = thing_of(document)
    command = Command(entity_id=PUMP, verb="modify" if verb == "modify" else "merge", path=target[0], value=target[1])
    plain = said(state, command)
    skipping = said(
        state, Command(entity_id=PUMP, verb=command.verb, path=target[0], value=target[1], headers={"if-equal": "skip"})
    )
    changed = [event for event in plain if not same(told(state, event).document, state.document)]
    assert skipping == changed


@given(things, targets)
def test_a_minimized_merge_leads_to_the_same_thing(
    document: JsonObject, target: tuple[tuple[str, ...], JsonValue]
) -> None:
    state = thing_of(document)
    wish = {"if-equal": "skip-minimizing-merge"}
    plain = said(state, Command(entity_id=PUMP, verb="merge", path=target[0], value=target[1]))
    small = said(state, Command(entity_id=PUMP, verb="merge", path=target[0], value=target[1], headers=wish))
    for one, other in zip(small, plain, strict=False):
        assert same(told(state, one).document, told(state, other).document)


@given(things)
def test_a_stored_state_is_restored_as_it_was(document: JsonObject) -> None:
    state = thing_of(document)
    stored = store_state(state)
    restored = restore_state(stream_of(PUMP), stored, revision=1, created=NOON, modified=NOON, deleted=False)
    assert restored == state or (isinstance(restored, ThingState) and restored.document == state.document)
    assert store_state(restored) == stored


@given(objects, objects)
@settings(max_examples=300)
def test_a_json_patch_does_what_the_library_does(before: JsonObject, after: JsonObject) -> None:
    state = thing_of({"thingId": PUMP, "policyId": PUMP, "attributes": before})
    operations = jsonpatch.make_patch(before, after).patch
    expected = jsonpatch.apply_patch(before, operations)
    command = Command(
        entity_id=PUMP, verb="merge", path=("attributes",), value=operations, headers={"content-type": CONTENT_TYPE}
    )
    (event,) = said(state, command)
    assert same(resolve(told(state, event).document, ("attributes",)), expected)


edits = st.one_of(
    st.builds(lambda verb, key, value: {"op": verb, "path": key, "value": value}, st.sampled_from(["add"]), at, values),
    st.builds(lambda key: {"op": "remove", "path": key}, at),
    st.builds(
        lambda verb, key, origin: {"op": verb, "path": key, "from": origin}, st.sampled_from(["copy", "move"]), at, at
    ),
)


@given(objects, st.lists(edits, max_size=3))
@settings(max_examples=300)
def test_what_the_library_cannot_apply_is_refused_and_the_rest_is_done(
    attributes: JsonObject, patch: list[JsonObject]
) -> None:
    state = thing_of({"thingId": PUMP, "policyId": PUMP, "attributes": attributes})
    command = Command(
        entity_id=PUMP, verb="merge", path=("attributes",), value=list(patch), headers={"content-type": CONTENT_TYPE}
    )
    try:
        expected = jsonpatch.apply_patch(attributes, dump(list(patch)))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, LookupError):
        assert said(state, command) == []
    else:
        (event,) = said(state, command)
        assert same(resolve(told(state, event).document, ("attributes",)), expected)
