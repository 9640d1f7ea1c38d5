"""A new thing and the policy that will govern it.

| the value holds        | policy of the new thing                                                         |
|------------------------|---------------------------------------------------------------------------------|
| nothing about it       | a new one with the thing's id: the first authenticated subject may do everything |
| ``policyId``           | the existing policy of that id                                                  |
| ``_policy``            | a new one made of it                                                            |
| ``_copyPolicyFrom``    | a new one with the content of another policy, or of another thing's policy      |

The id of a new policy is the thing's ``policyId``, else that of the inline policy, else the thing's id.
Source: Ditto documentation, pages *basic-thing*, *basic-policy* and *basic-placeholders*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocol.context import Context
from protocol.errors import (
    DittoError,
    JsonError,
    JsonFormatInvalid,
    PlaceholderReferenceNotSupported,
    PlaceholderReferenceUnknownField,
    PolicyNotCreatable,
    PolicyNotFound,
    PolicyTooLarge,
    ThingNotCreatable,
    ThingNotFound,
    ThingNotModifiable,
    ThingPolicyConflicting,
    ThingPolicyInvalid,
)
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import JsonObject, JsonValue, dump
from protocol.pointers import ROOT, Pointer, parse, resolve, text
from protocol.policies.decide import administers, policies_mentioned, provisional_state, reading
from protocol.policies.ownership import is_owned
from protocol.policies.soundness import check_change
from protocol.policies.state import default_policy
from protocol.policies.values import read_policy
from protocol.signals import Command, Event
from protocol.things import metadata
from protocol.things.state import ThingState, existing
from protocol.things.values import only_thing

_REFERENCE = re.compile(r"\{\{\s*ref:([^/\s]+)/([^/\s]+)/(\S+?)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """A field of another thing that holds a policy id."""

    thing_id: ThingId
    field: Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where the policy of a new thing comes from: ``target`` is its id, ``source`` a policy to copy."""

    target: PolicyId
    exists: bool = False
    inline: JsonObject | None = None
    source: PolicyId | _Reference | None = None


def entities_needed(command: Command, state: ThingState | None, context: Context) -> tuple[EntityId, ...]:
    """What the context must still learn about before ``decide`` may be asked; ask again until this is empty.

    Each entity named here belongs into ``context.policies`` or ``context.things``, as ``None`` if it does not exist.
    Most commands need nothing. Copying the policy of another thing takes two rounds: that thing, then its policy.
    """
    thing = existing(state)
    if command.verb == "retrieve":
        policy_id = thing.policy_id if thing is not None and "_policy" in (command.fields or "") else None
        return () if policy_id is None or policy_id in context.policies else (policy_id,)
    if command.path or thing is not None or command.verb == "delete" or not isinstance(command.value, dict):
        return ()
    try:
        plan = _plan(ThingId(command.entity_id), command.value)
        source = _source(plan.source, context)
    except DittoError:
        return ()  # the decision refuses it in the same words, without looking at anything
    needed: list[EntityId] = []
    if plan.target not in context.policies:
        needed.append(plan.target)
    if isinstance(source, ThingId) or (source is not None and source != plan.target and source not in context.policies):
        needed.append(source)
    content = plan.inline if plan.inline is not None else _copied_content(source, context)
    needed.extend(imported for imported in policies_mentioned(content or {}) if imported not in context.policies)
    return tuple(dict.fromkeys(needed))


def created_thing(command: Command, body: JsonObject, context: Context) -> tuple[Event, ...]:
    """The events that create the thing, its own first and then that of its policy if it gets a new one."""
    thing_id = ThingId(command.entity_id)
    plan = _plan(thing_id, body)
    policy = _policy(command, plan, context)
    _check_writable(thing_id, plan.target, policy, context)
    members = only_thing({key: value for key, value in body.items() if key not in ("thingId", "policyId")})
    thing: JsonObject = {"thingId": thing_id, "policyId": plan.target}
    if isinstance(members, dict):
        thing.update(members)
    given = metadata.initial_metadata(command, body, "/")
    event = Event(entity_id=thing_id, action="created", path=ROOT, value=thing, metadata=given, printed=dump(thing))
    if policy is None:
        return (event,)
    return event, Event(entity_id=plan.target, action="created", path=ROOT, value=policy)


def _check_writable(thing_id: ThingId, policy_id: PolicyId, new: JsonObject | None, context: Context) -> None:
    """Whoever creates a thing must have WRITE on all of it, whichever policy governs it."""
    enforcer = context.enforcer(policy_id) if new is None else context.enforcer_of(provisional_state(new, context))
    if enforcer is None or not enforcer.thing_tree(context.subjects, "WRITE", thing_id).unrestricted(ROOT):
        raise ThingNotModifiable(thing_id)


def _plan(thing_id: ThingId, body: JsonObject) -> _Plan:
    """Which policy the new thing asks for; its parts are read, nothing is looked up."""
    inline, copied = body.get("_policy"), body.get("_copyPolicyFrom")
    given = body.get("policyId")
    wanted = None if given is None else PolicyId.parse(_string(given, "policyId"))
    if inline is not None and copied is not None:
        raise ThingPolicyConflicting(thing_id)
    if copied is not None:
        return _Plan(target=wanted or PolicyId(thing_id), source=_copied(_string(copied, "_copyPolicyFrom")))
    if inline is None:
        return _Plan(target=wanted or PolicyId(thing_id), exists=wanted is not None)
    if not isinstance(inline, dict):
        raise ThingPolicyInvalid(thing_id, "it is no JSON object", "Write '_policy' as an object with entries.")
    own = inline.get("policyId")
    return _Plan(target=wanted or (PolicyId(thing_id) if own is None else PolicyId.parse(str(own))), inline=inline)


def _copied(expression: str) -> PolicyId | _Reference:
    """A policy id, or ``{{ ref:things/<thing id>/<pointer to a field that holds one> }}``."""
    if "{{" not in expression:
        return PolicyId.parse(expression)
    match = _REFERENCE.fullmatch(expression.strip())
    if match is None or match[1] != "things":
        raise PlaceholderReferenceNotSupported(expression)
    return _Reference(thing_id=ThingId.parse(match[2]), field=parse("/" + match[3]))


def _source(source: PolicyId | _Reference | None, context: Context) -> EntityId | None:
    """The policy to copy, or the thing that must be looked at to learn which one."""
    if not isinstance(source, _Reference):
        return source
    if source.thing_id not in context.things:
        return source.thing_id
    thing = existing(context.things[source.thing_id])
    if thing is None or thing.policy_id is None:
        raise ThingNotFound(source.thing_id)
    if thing.policy_id not in context.policies:
        return thing.policy_id
    enforcer = context.enforcer(thing.policy_id)
    if enforcer is None:
        raise ThingNotFound(source.thing_id)
    readable = enforcer.thing_tree(context.subjects, "READ", source.thing_id)
    if not readable.partial(source.field):
        raise ThingNotFound(source.thing_id)
    policy_id = resolve(thing.document, source.field)
    if not isinstance(policy_id, str):
        raise PlaceholderReferenceUnknownField(f"ref:things/{source.thing_id}{text(source.field)}")
    return PolicyId.parse(policy_id)


def _policy(command: Command, plan: _Plan, context: Context) -> JsonObject | None:
    """The document of the policy to create; none if the thing joins an existing one."""
    thing_id = ThingId(command.entity_id)
    taken = context.policy(plan.target)
    if plan.exists:
        if taken is None or not context.enforcer_of(taken).tree(context.subjects, "READ", "policy").partial(()):
            raise PolicyNotFound(plan.target)
        return None
    policy = _new_policy(thing_id, plan, context)
    if taken is not None:
        raise ThingNotCreatable(thing_id, f"the policy '{plan.target}' exists already")
    try:
        check_change(policy, path=ROOT, of_entry=False, context=context, before={})
    except PolicyTooLarge:
        raise
    except DittoError as error:
        reason = error.message.removesuffix(".")
        raise ThingNotCreatable(thing_id, reason, status=error.status, description=error.description) from error
    if command.headers.get("allow-policy-lockout") is not True and not administers(policy, context):
        raise ThingNotCreatable(
            thing_id, "you could not change its policy afterwards", status=403, description=PolicyNotCreatable.hint
        )
    return policy


def _new_policy(thing_id: ThingId, plan: _Plan, context: Context) -> JsonObject:
    if plan.inline is not None:
        return _read(thing_id, {**plan.inline, "policyId": plan.target}, context)
    source = _source(plan.source, context)
    if source is None:
        if not context.subjects:
            raise ThingNotCreatable(thing_id, "there is nobody who could own its policy", status=403)
        return default_policy(plan.target, context.subjects[0])
    copied = _copied_content(source, context)
    if copied is None:
        raise PolicyNotFound(source)
    return _read(thing_id, {**copied, "policyId": plan.target}, context)


def _copied_content(source: EntityId | None, context: Context) -> JsonObject | None:
    """What the caller may read of the policy to copy; nothing if that is nothing."""
    policy = context.policy(source) if isinstance(source, PolicyId) else None
    if policy is None:
        return None
    readable = context.enforcer_of(policy).tree(context.subjects, "READ", "policy")
    content = readable.visible(ROOT, policy.document)
    return content if isinstance(content, dict) else None


def _read(thing_id: ThingId, policy: JsonObject, context: Context) -> JsonObject:
    """The policy as it is stored. One that is no policy, or that nobody would own, is ``ThingPolicyInvalid``.

    A single bad element is answered with the policy's own error (http-api page, creating a thing).
    """
    try:
        read = read_policy(policy, reading(context))
    except JsonError as error:
        raise ThingPolicyInvalid(thing_id, error.message.removesuffix("."), error.description) from error
    if context.limits.prevents_lockout and not read.get("imports") and not is_owned(read):
        raise ThingPolicyInvalid(thing_id, "no permanent subject has WRITE on policy:/")
    return read


def _string(value: JsonValue, member: str) -> str:
    if not isinstance(value, str):
        raise JsonFormatInvalid(member, "a string")
    return value
