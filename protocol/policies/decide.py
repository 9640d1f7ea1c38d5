"""What a policy command leads to: events and an answer, or the error that Ditto answers with.

Pure and total; its other half is ``evolve_policy``. The command is authorized already (``enforce``). The order of
checks is the resource, the form of the value, existence, entity tags, ``if-equal``, then the changed policy as a whole.
Source: Ditto documentation, pages *protocol-specification-policies* and *basic-policy*.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from protocol.context import Context, documents
from protocol.decision import Decision
from protocol.errors import (
    JsonFieldMissing,
    PolicyConflict,
    PolicyEntryNotFound,
    PolicyIdNotSettable,
    PolicyImportNotFound,
    PolicyNotCreatable,
    PolicyNotFound,
    PolicyPreconditionFailed,
    PolicyPreconditionNotModified,
    UnknownCommand,
)
from protocol.identifiers import PolicyId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import ROOT, Pointer, assign, remove, resolve, text
from protocol.policies.resolve import sources_of
from protocol.policies.resources import Resource, served
from protocol.policies.soundness import check_change, check_path_keys
from protocol.policies.state import PolicyState
from protocol.policies.token_actions import decide_token_action
from protocol.policies.values import Reading
from protocol.policies.views import etag, view
from protocol.preconditions import Preconditions
from protocol.signals import Command, Event
from protocol.wire.etags import value_tag

CONDITIONS = Preconditions(PolicyPreconditionFailed, PolicyPreconditionNotModified)


def decide_policy(command: Command, state: PolicyState | None, context: Context) -> Decision:
    """The decision on this state; ``None`` or a tombstone means that there is no such policy.

    Raises the ``DittoError`` to answer with.
    """
    if command.verb == "execute":
        return _execute_action(command, state, context)
    resource = served(command.path, command.verb)
    policy = None if state is None or state.deleted else state
    match command.verb:
        case "retrieve":
            return _retrieve(command, resource, policy)
        case "create":
            return _create(command, resource, policy, context)
        case "modify":
            return _modify(command, resource, policy, context)
        case "delete":
            return _delete(command, resource, policy, context)
        case "merge":
            raise UnknownCommand("merge of a policy")
        case _:
            assert_never(command.verb)


def _execute_action(command: Command, state: PolicyState | None, context: Context) -> Decision:
    """A token action; entity tags are those of the policy or the entry that it is about."""
    decision = decide_token_action(command, state, context)
    if state is not None:
        CONDITIONS.check(command, etag(state, command.path[:-2]))
    return decision


def policies_needed(command: Command, policy: PolicyState | None, context: Context) -> tuple[PolicyId, ...]:
    """The policies that the context must contain, with all that they import; none for most commands.

    They are those that a change would import or refer to, and those whose entries a resolved view shows.
    """
    value = command.value
    if command.verb == "retrieve" and command.headers.get("policy-view") == "resolved" and policy is not None:
        roots = context.limits.roots_of(policy.policy_id)
        return sources_of(policy.document, documents(context.policies), roots=roots)
    if command.verb not in {"create", "modify"} or isinstance(value, Missing):
        return ()
    changed = assign({}, command.path, value)
    return policies_mentioned(changed) if isinstance(changed, dict) else ()


def policies_mentioned(document: JsonObject) -> tuple[PolicyId, ...]:
    """The policies that a document imports or refers to; the document need not be valid otherwise."""
    imports, entries = document.get("imports"), document.get("entries")
    names = list(imports) if isinstance(imports, dict) else []
    for entry in entries.values() if isinstance(entries, dict) else ():
        references = entry.get("references") if isinstance(entry, dict) else None
        for reference in references if isinstance(references, list) else ():
            imported = reference.get("import") if isinstance(reference, dict) else None
            names.extend([imported] if isinstance(imported, str) else ())
    return tuple(PolicyId(name) for name in dict.fromkeys(names) if PolicyId.is_valid(name))


def administers(document: JsonObject, context: Context) -> bool:
    """Whether the caller could still change the policy: unrestricted WRITE on ``policy:/``, imports counted."""
    enforcer = context.enforcer_of(provisional_state(document, context))
    return enforcer.tree(context.subjects, "WRITE", "policy").unrestricted(())


def reading(context: Context, place: Pointer = ROOT) -> Reading:
    """The circumstances for reading the value at a path of a policy (see ``protocol.policies.values``)."""
    caller = next(iter(context.subjects), "")
    return Reading(now=context.now, granularity=context.limits.granularity, caller=caller, place=place)


def provisional_state(document: JsonObject, context: Context) -> PolicyState:
    """A state for a policy that is about to be created, at revision 0: what its own rules will say."""
    policy_id = PolicyId(str(document["policyId"]))
    return PolicyState(policy_id=policy_id, document=document, revision=0, created=context.now, modified=context.now)


def _retrieve(command: Command, resource: Resource, policy: PolicyState | None) -> Decision:
    policy = _existing(command, policy)
    resolved = command.headers.get("policy-view", "original") == "resolved"
    value = view(policy, command.path, command.fields)
    if isinstance(value, Missing):
        if _parent_is_missing(command, policy) or isinstance(resource.default, Missing):
            raise _not_found(command, resource, policy)
        value = resource.default
    if resolved:
        return _answer(command, 200, value=value, taggable=False)
    tag = _tag(resource, policy, command.path)
    CONDITIONS.check(command, tag or value_tag(value))
    return replace(_answer(command, 200, value=value, taggable=True), headers={} if tag is None else {"etag": tag})


def _create(command: Command, resource: Resource, policy: PolicyState | None, context: Context) -> Decision:
    document = _whole_policy(command, resource, context)
    CONDITIONS.check(command, None if policy is None else etag(policy, ()))
    if policy is not None:
        raise PolicyConflict(policy.policy_id)
    check_change(document, path=command.path, of_entry=False, context=context, before={})
    if command.headers.get("allow-policy-lockout") is not True and not administers(document, context):
        raise PolicyNotCreatable(command.entity_id)
    event = Event(entity_id=command.entity_id, action="created", path=(), value=document)
    return _answer(command, 201, verb="create", events=(event,), value=document, taggable=True)


def _modify(command: Command, resource: Resource, policy: PolicyState | None, context: Context) -> Decision:
    if not command.path and policy is None:
        return _create(command, resource, None, context)
    value = _whole_policy(command, resource, context) if not command.path else _value(command, resource, context)
    policy = _existing(command, policy)
    before = resolve(policy.document, command.path)
    CONDITIONS.check(command, _tag(resource, policy, command.path))
    _check_parent(command, policy)
    CONDITIONS.check_equal(command, before, value)
    after = value if not command.path else assign(policy.document, command.path, value)
    check_change(after, path=command.path, of_entry=resource.of_entry, context=context, before=policy.document)
    fresh = _is_fresh(resource, before, value)
    created = fresh and isinstance(resource.default, Missing)
    event = Event(
        entity_id=policy.policy_id, action="created" if created else "modified", path=command.path, value=value
    )
    return _answer(
        command,
        201 if fresh else 204,
        events=(event,),
        value=value if fresh else MISSING,
        taggable=resource.taggable,
    )


def _delete(command: Command, resource: Resource, policy: PolicyState | None, context: Context) -> Decision:
    policy = _existing(command, policy)
    if isinstance(resolve(policy.document, command.path), Missing):
        if _parent_is_missing(command, policy) or isinstance(resource.default, Missing):
            raise _not_found(command, resource, policy)
        return _answer(command, 204, taggable=False)
    CONDITIONS.check(command, etag(policy, command.path))
    if command.path:
        rest = remove(policy.document, command.path)
        after = {} if isinstance(rest, Missing) else rest
        check_change(after, path=command.path, of_entry=resource.of_entry, context=context, before=policy.document)
    event = Event(entity_id=policy.policy_id, action="deleted", path=command.path)
    return _answer(command, 204, events=(event,), taggable=False)


def _tag(resource: Resource, policy: PolicyState, path: Pointer) -> str | None:
    """The entity tag at the path; a part with a default has one even if nothing is stored."""
    tag = etag(policy, path)
    if tag is None and resource.always_there and resource.taggable and not isinstance(resource.default, Missing):
        return value_tag(resource.default)
    return tag


def _is_fresh(resource: Resource, before: JsonValue | Missing, value: JsonValue) -> bool:
    """Whether the change creates the part, which is answered 201.

    A part with a default exists while its value is another one; its events are ``modified`` even so, as in Ditto.
    """
    nothing = isinstance(before, Missing) or before == resource.default
    return nothing and not resource.always_there and value != resource.default


def _answer(
    command: Command,
    status: int,
    *,
    verb: str | None = None,
    events: tuple[Event, ...] = (),
    value: JsonValue | Missing = MISSING,
    taggable: bool,
) -> Decision:
    return Decision(
        entity_id=command.entity_id,
        verb="create" if verb == "create" else command.verb,
        path=command.path,
        status=status,
        events=events,
        value=value,
        tag="none" if not taggable else "value" if command.path else "revision",
    )


def _whole_policy(command: Command, resource: Resource, context: Context) -> JsonObject:
    """The policy of a create or modify of ``/``; its id may be left out, but not be ``null`` or another one."""
    given = command.value.get("policyId", MISSING) if isinstance(command.value, dict) else MISSING
    if not isinstance(given, Missing) and given != command.entity_id:
        raise PolicyIdNotSettable(str(given), command.entity_id)
    document = _value(command, resource, context)
    assert isinstance(document, dict)  # noqa: S101 - the reader of a whole policy returns an object
    return {"policyId": command.entity_id, **document}


def _value(command: Command, resource: Resource, context: Context) -> JsonValue:
    if isinstance(command.value, Missing):
        raise JsonFieldMissing("value")
    check_path_keys(command.path)
    return resource.read(command.value, reading(context, command.path))


def _existing(command: Command, policy: PolicyState | None) -> PolicyState:
    if policy is None:
        raise PolicyNotFound(command.entity_id)
    return policy


def _check_parent(command: Command, policy: PolicyState) -> None:
    """A part of an entry or import cannot be written while the entry or import itself is missing."""
    if _parent_is_missing(command, policy):
        error = PolicyEntryNotFound if command.path[0] == "entries" else PolicyImportNotFound
        raise error(policy.policy_id, text(command.path[:2]))


def _parent_is_missing(command: Command, policy: PolicyState) -> bool:
    return len(command.path) > 2 and isinstance(resolve(policy.document, command.path[:2]), Missing)


def _not_found(command: Command, resource: Resource, policy: PolicyState) -> Exception:
    if _parent_is_missing(command, policy):
        missing = PolicyEntryNotFound if command.path[0] == "entries" else PolicyImportNotFound
        return missing(policy.policy_id, text(command.path[:2]))
    return resource.not_found(policy.policy_id, text(command.path))
