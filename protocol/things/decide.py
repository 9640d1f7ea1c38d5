"""What follows from a command to a thing: events and an answer, or the error that Ditto would give.

Pure and total; its other half is ``evolve``. The order of checks is the resource, the form of the value, existence,
the condition, entity tags, ``if-equal``, patch conditions, limits. Who may do it has been settled before.
Source: Ditto documentation, pages *protocol-specification-things* and *protocol-specification-things-merge*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

from protocol import merge_patch, sizes
from protocol.context import Context, Limits
from protocol.decision import Decision
from protocol.documents import document_after
from protocol.errors import (
    FeatureNotFound,
    JsonFieldMissing,
    JsonInvalid,
    ThingConflict,
    ThingIdNotSettable,
    ThingNotFound,
    ThingTooLarge,
    UnknownPath,
)
from protocol.identifiers import ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing, dump
from protocol.pointers import ROOT, check_key, resolve, text
from protocol.signals import Action, Command, Event
from protocol.things import conditions, metadata
from protocol.things.creation import created_thing
from protocol.things.evolve import size_after
from protocol.things.json_patch import without_json_patch
from protocol.things.merging import checked_patch, patch_to_record
from protocol.things.preconditions import CONDITIONS, check_tags
from protocol.things.resources import Resource, served
from protocol.things.state import ThingState, existing
from protocol.things.values import depth
from protocol.things.views import not_found_error, view


def decide(command: Command, state: ThingState | None, context: Context) -> Decision:
    """What the command leads to on this state, a tombstone or ``None`` meaning that there is no such thing.

    ``entities_needed`` tells beforehand what the context must hold. Raises the ``DittoError`` to answer with.
    """
    command = without_json_patch(command, state)
    resource = served(command)
    thing = existing(state)
    if conditions.is_conditional(command):
        conditions.check(command, thing, context)
    match command.verb:
        case "retrieve":
            return _retrieve(command, resource, thing, context)
        case "create":
            return _create(command, resource, thing, context)
        case "modify":
            return _modify(command, resource, thing, context)
        case "merge":
            return _merge(command, resource, thing, context)
        case "delete":
            return _delete(command, thing)
        case "execute":
            raise UnknownPath(text(command.path))
        case _:
            assert_never(command.verb)


def _retrieve(command: Command, resource: Resource, thing: ThingState | None, context: Context) -> Decision:
    thing = _existing(command, thing)
    policy = _readable_policy(thing, context) if "_policy" in (command.fields or "") else None
    value = view(thing, command.path, command.fields, policy)
    if isinstance(value, Missing):
        raise not_found_error(thing, command.path)
    channel = conditions.channel_headers(command, thing, context)
    check_tags(command, thing)
    selected = metadata.requested_metadata(command, resource.pattern, thing)
    return Decision(
        entity_id=thing.thing_id,
        verb="retrieve",
        path=command.path,
        status=200,
        value=value,
        tag="value" if command.path else "revision",
        headers=channel if selected is None else {**channel, "ditto-metadata": selected},
    )


def _readable_policy(thing: ThingState, context: Context) -> JsonObject | None:
    """What the caller may read of the thing's policy; it has a permission of its own.

    Which policy that is does not depend on whether the caller may read the thing's ``policyId``.
    """
    policy_id = thing.policy_id if context.governing is None else context.governing
    policy = None if policy_id is None else context.policy(policy_id)
    if policy is None:
        return None
    readable = context.enforcer_of(policy).tree(context.subjects, "READ", "policy")
    visible = readable.visible(ROOT, policy.document)
    return {"policyId": policy.policy_id, **visible} if isinstance(visible, dict) else None


def _create(command: Command, resource: Resource, thing: ThingState | None, context: Context) -> Decision:
    if "create" not in resource.verbs:
        raise UnknownPath(text(command.path))
    body = _whole(command, resource, context.limits)
    check_tags(command, thing)
    if thing is not None:
        raise ThingConflict(thing.thing_id)
    return _creation(command, body, context)


def _creation(command: Command, body: JsonObject, context: Context) -> Decision:
    events = created_thing(command, body, context)
    _check_size(None, events[0], context.limits)
    return Decision(
        entity_id=_thing_id(command),
        verb="create",
        path=ROOT,
        status=201,
        events=events,
        value=events[0].value,
        tag="revision",
    )


def _modify(command: Command, resource: Resource, thing: ThingState | None, context: Context) -> Decision:
    if not command.path:
        return _replace(command, resource, thing, context)
    value = resource.known(_checked(command, resource, context.limits))
    thing = _existing(command, thing)
    check_tags(command, thing)
    if resource.in_feature and resolve(thing.document, command.path[:2]) is MISSING:
        raise FeatureNotFound(thing.thing_id, text(command.path[:2]))
    before = resolve(thing.document, command.path)
    CONDITIONS.check_equal(command, before, value)
    fresh = before is MISSING
    event = _event(command, resource, thing, "created" if fresh else "modified", value)
    _check_size(thing, event, context.limits)
    return Decision(
        entity_id=thing.thing_id,
        verb="modify",
        path=command.path,
        status=201 if fresh else 204,
        events=(event,),
        value=value if fresh else MISSING,
        tag="value",
    )


def _replace(command: Command, resource: Resource, thing: ThingState | None, context: Context) -> Decision:
    """A modify of the whole thing: what is omitted is gone, but for the two ids."""
    body = _whole(command, resource, context.limits)
    check_tags(command, thing)
    if thing is None:
        return _creation(command, body, context)
    document: JsonObject = {key: thing.document[key] for key in ("thingId", "policyId") if key in thing.document}
    given = resource.known(body)
    if isinstance(given, dict):
        document |= {key: member for key, member in given.items() if member is not None or key not in document}
    CONDITIONS.check_equal(command, thing.document, document)
    event = _event(command, resource, thing, "modified", document)
    _check_size(thing, event, context.limits)
    return Decision(entity_id=thing.thing_id, verb="modify", path=ROOT, status=204, events=(event,), tag="revision")


def _merge(command: Command, resource: Resource, thing: ThingState | None, context: Context) -> Decision:
    patch = checked_patch(command, resource, _value(command))
    _check_depth(command, patch, context.limits)
    if thing is None and not command.path:
        check_tags(command, None)
        body = merge_patch.without_nulls(patch)
        return _creation(command, body if isinstance(body, dict) else {}, context)
    thing = _existing(command, thing)
    check_tags(command, thing)
    events: tuple[Event, ...] = ()
    recorded = patch_to_record(command, thing, patch, _spared(command, thing, context))
    if not isinstance(recorded, Missing):
        events = (_event(command, resource, thing, "merged", recorded),)
        _check_size(thing, events[0], context.limits)
    return Decision(
        entity_id=thing.thing_id,
        verb="merge",
        path=command.path,
        status=204,
        events=events,
        tag=resource.merge_tag,
    )


def _spared(command: Command, thing: ThingState, context: Context) -> Callable[[JsonValue], JsonValue | Missing] | None:
    """What takes out of a patch the places that its conditions forbid; nothing if they forbid none."""
    places = conditions.forbidden_places(command, thing, context)
    if not places:
        return None
    return partial(conditions.without_places, places=places, drop_emptied=context.limits.drop_emptied)


def _delete(command: Command, thing: ThingState | None) -> Decision:
    thing = _existing(command, thing)
    if isinstance(resolve(thing.document, command.path), Missing):
        raise not_found_error(thing, command.path)
    check_tags(command, thing)
    event = Event(entity_id=thing.thing_id, action="deleted", path=command.path)
    return Decision(entity_id=thing.thing_id, verb="delete", path=command.path, status=204, events=(event,))


def _event(command: Command, resource: Resource, thing: ThingState, action: Action, value: JsonValue) -> Event:
    """The event of a write, with what the command's headers do to the metadata."""
    return Event(
        entity_id=thing.thing_id,
        action=action,
        path=command.path,
        value=value,
        metadata=metadata.metadata_patch(command, resource.pattern, value, thing.metadata),
        printed=dump(value),
    )


def _existing(command: Command, thing: ThingState | None) -> ThingState:
    if thing is None:
        raise ThingNotFound(_thing_id(command))
    return thing


def _thing_id(command: Command) -> ThingId:
    return ThingId(command.entity_id)


def _value(command: Command) -> JsonValue:
    if isinstance(command.value, Missing):
        raise JsonFieldMissing("value", "the command")
    return command.value


def _checked(command: Command, resource: Resource, limits: Limits) -> JsonValue:
    """The command's value, if the resource may have it."""
    value = _value(command)
    for key in command.path:
        check_key(key)
    resource.check(value)
    _check_depth(command, value, limits)
    return value


def _whole(command: Command, resource: Resource, limits: Limits) -> JsonObject:
    """The command's value, if it is a thing of the right id; with the members that only a creation looks at."""
    body = _checked(command, resource, limits)
    thing = body if isinstance(body, dict) else {}
    thing_id = thing.get("thingId")
    if thing_id is not None and thing_id != command.entity_id:
        raise ThingIdNotSettable(str(thing_id), command.entity_id)
    return thing


def _check_depth(command: Command, value: JsonValue, limits: Limits) -> None:
    if len(command.path) + depth(value) > limits.depth:
        raise JsonInvalid(f"the thing would be nested more than {limits.depth} levels deep")


def _check_size(thing: ThingState | None, event: Event, limits: Limits) -> None:
    """Refuse a thing that became too large; printed only when the cheap upper bound is beyond the limit."""
    if size_after(thing, event) > limits.thing_characters:
        size = sizes.characters(document_after(thing.document if thing is not None else {}, event))
        if size > limits.thing_characters:
            raise ThingTooLarge(size, limits.thing_characters)
    if event.metadata is not None:
        before = thing.metadata if thing is not None else {}
        size = sizes.characters(metadata.changed_metadata(before, {}, {}, event.metadata))
        if size > limits.thing_characters:
            raise ThingTooLarge(size, limits.thing_characters)
