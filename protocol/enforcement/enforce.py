"""Authorization of commands: what a caller may do and see, settled before the command is decided.

| the caller has                              | reads            | changes                   |
|---------------------------------------------|------------------|---------------------------|
| the permission                              | what may be seen | done                      |
| READ or WRITE elsewhere in the entity       | 404 of the path  | 403 of the path           |
| neither READ nor WRITE anywhere in it       | 404 of the path  | 404 of the entity         |
| anything, but the thing's policy is gone    | 404 of the thing | 403 of the thing          |
| a token whose subject expired there         | 401              | 401                       |

Reads ask for READ at, above or below the path and are cut down to what may be seen; changes ask for WRITE on the path
and everything below it, merges on every path that they write. A caller who may write but not read knows that the
entity exists, so a 403 reveals nothing new. Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol import merge_patch
from protocol.context import Context, documents
from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.rules import Permission
from protocol.enforcement.sources import Sources
from protocol.enforcement.tree import PermissionTree
from protocol.entities import EntityState
from protocol.errors import (
    DittoError,
    PolicyNotFound,
    PolicyNotModifiable,
    Precondition,
    ThingNotDeletable,
    ThingNotFound,
    ThingNotModifiable,
)
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import JsonValue, Missing
from protocol.pointers import ROOT, Pointer, text
from protocol.policies.resolve import resolved_view
from protocol.policies.resources import resource_at as policy_resource_at
from protocol.policies.resources import served as served_policy_resource
from protocol.policies.state import PolicyState
from protocol.policies.substitution import substitute_caller_in_path
from protocol.signals import Command
from protocol.things.json_patch import is_json_patch, without_json_patch
from protocol.things.resources import resource_at
from protocol.things.resources import served as served_resource
from protocol.things.state import ThingState

REVEALING: Final[tuple[Permission, ...]] = ("READ", "WRITE")
"""Whoever has one of these permissions anywhere in an entity may learn that it exists."""

_DECIDED_LATER: Final = frozenset({"create", "execute"})
"""Verbs that are authorized where they are decided: by the policy that they lead to, or entry by entry."""

POLICY_GONE: Final = "The policy of the thing does not exist. Create it again, then the thing can be reached again."


def governing_policy(state: EntityState) -> PolicyId | None:
    """The policy that says who may do what with the entity; a policy governs itself."""
    return state.policy_id


def enforce(command: Command, state: EntityState | None, context: Context) -> tuple[Command, EntityState | None]:
    """The command and the state to decide it on, which for reads is what the caller may see of the entity.

    The context must know the governing policy and what it imports. Commands on entities that do not exist pass: the
    decision answers that, and a creation is authorized there, by the policy that it leads to. A JSON Patch comes back
    as the equivalent command; it needs READ, since its outcome reveals values. In a path the caller's placeholder comes
    back as the caller's subject. Raises the ``DittoError`` to answer with, which reveals no more than the table above.
    """
    if not context.subjects:
        raise _refusal_of_nobody(command)
    if state is None or state.deleted or command.verb in _DECIDED_LATER:
        return command, state
    policy = None if state.policy_id is None else context.policies.get(state.policy_id)
    if policy is None or policy.deleted:
        raise _policy_gone(command)
    enforcer = context.enforcer_of(policy)
    if command.verb == "retrieve":
        if isinstance(state, PolicyState) and command.headers.get("policy-view") == "resolved":
            state = _resolved(state, context)
        readable = _tree(state, enforcer, context, "READ")
        return command, state if readable.everything else _visible_state(
            command.path, state, readable, enforcer, context
        )
    if isinstance(state, PolicyState):
        command = substitute_caller_in_path(command, context.subjects[0])
    elif is_json_patch(command):
        if not _tree(state, enforcer, context, "READ").unrestricted(command.path):
            raise _change_refusal(command, state, enforcer, context)
        command = without_json_patch(command, state)
    writable = _tree(state, enforcer, context, "WRITE")
    if writable.everything or all(writable.unrestricted(path) for path in _written_paths(command, state)):
        return command, state
    raise _change_refusal(command, state, enforcer, context)


def enforce_history(command: Command, state: EntityState | None, context: Context) -> None:
    """Check that the caller may see earlier states: unrestricted READ at the path under the present policy.

    ``state`` is the current one; a deleted thing is still governed by the policy that it had.
    """
    enforcer = None if state is None else context.enforcer(governing_policy(state))
    if state is None or enforcer is None:
        raise _not_found(command.entity_id, ROOT)
    if not _tree(state, enforcer, context, "READ").unrestricted(command.path):
        raise _read_refusal(command.path, state, enforcer, context)


def hide_unreadable_tag(
    error: Precondition, command: Command, state: EntityState | None, context: Context
) -> Precondition:
    """The failed precondition without the entity tag, unless the caller may READ all of what the tag is of."""
    enforcer = None if state is None or state.deleted else context.enforcer(governing_policy(state))
    if state is None or enforcer is None or _tree(state, enforcer, context, "READ").unrestricted(command.path):
        return error
    return error.without_tag()


def _governing(state: EntityState, context: Context) -> PolicyState | None:
    policy_id = governing_policy(state)
    return None if policy_id is None else context.policy(policy_id)


def state_id(state: EntityState) -> EntityId:
    """The entity whose state this is."""
    return state.thing_id if isinstance(state, ThingState) else state.policy_id


def _tree(state: EntityState, enforcer: Enforcer, context: Context, permission: Permission) -> PermissionTree:
    if isinstance(state, ThingState):
        return enforcer.thing_tree(context.subjects, permission, state.thing_id)
    return enforcer.tree(context.subjects, permission, "policy")


def _visible_state(
    path: Pointer, state: EntityState, readable: PermissionTree, enforcer: Enforcer, context: Context
) -> EntityState:
    """The entity cut down to what the caller may READ; whoever may read any part also sees the id."""
    if not readable.partial(path):
        raise _read_refusal(path, state, enforcer, context)
    visible = readable.visible(ROOT, state.document)
    shown = visible if isinstance(visible, dict) else {}
    if isinstance(state, PolicyState):
        return replace(state, document={"policyId": state.policy_id, **shown})
    metadata = readable.visible(ROOT, state.metadata)
    return replace(
        state,
        document={"thingId": state.thing_id, **shown},
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _resolved(policy: PolicyState, context: Context) -> PolicyState:
    """The policy's resolved view, with the imported entries that the caller may READ whole where they are written."""
    roots, readable = context.limits.roots_of(policy.policy_id), Sources(context).shows
    view = resolved_view(policy.document, documents(context.policies), roots=roots, readable=readable)
    return replace(policy, document=view)


def _written_paths(command: Command, state: EntityState) -> list[Pointer]:
    """Every path that the command writes. A scalar on the way is replaced by an object, so its path is written too."""
    if command.verb == "merge" and not isinstance(command.value, Missing):
        return list(merge_patch.leaves(merge_patch.at(command.path, command.value), state.document))
    value: JsonValue = state.document
    for depth, key in enumerate(command.path):
        if not isinstance(value, dict):
            return [command.path if value is None else command.path[:depth]]
        if key not in value:
            break
        value = value[key]
    return [command.path]


def _change_refusal(command: Command, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    return context.refusal(_denial(command, state, enforcer, context), _governing(state, context))


def _check_addressable(command: Command) -> None:
    """Raise for a path or verb that no entity has: one answer for all of them, so it does not reveal this one."""
    if isinstance(command.entity_id, PolicyId):
        served_policy_resource(command.path, command.verb)
    else:
        served_resource(command)


def _denial(command: Command, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    _check_addressable(command)
    entity_id = state_id(state)
    if _is_hidden(state, enforcer, context):
        return _not_found(entity_id, ROOT)
    if isinstance(state, PolicyState):
        return policy_resource_at(command.path).not_modifiable(entity_id, text(command.path))
    if command.verb == "delete" and not command.path:
        return ThingNotDeletable(entity_id)
    if command.verb == "merge":
        return ThingNotModifiable(entity_id)
    return resource_at(command.path).not_modifiable(entity_id, text(command.path))


def _read_refusal(path: Pointer, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    error = _not_found(state_id(state), path)  # raises for a path that no entity has, whatever the caller may see
    if _is_hidden(state, enforcer, context):
        error = _not_found(state_id(state), ROOT)
    return context.refusal(error, _governing(state, context))


def _is_hidden(state: EntityState, enforcer: Enforcer, context: Context) -> bool:
    """Whether the caller must not learn that the entity exists, so that a refusal may not name a path in it."""
    return all(_tree(state, enforcer, context, permission).nothing for permission in REVEALING)


def _not_found(entity_id: EntityId, path: Pointer) -> DittoError:
    if isinstance(entity_id, ThingId):
        return resource_at(path).not_found(entity_id, text(path))
    return policy_resource_at(path).not_found(entity_id, text(path))


def _policy_gone(command: Command) -> DittoError:
    _check_addressable(command)
    if command.verb == "retrieve":
        return ThingNotFound(command.entity_id, description=POLICY_GONE)
    return ThingNotModifiable(command.entity_id, description=POLICY_GONE)


def _refusal_of_nobody(command: Command) -> DittoError:
    if isinstance(command.entity_id, PolicyId):
        policy_error = PolicyNotFound if command.verb == "retrieve" else PolicyNotModifiable
        return policy_error(command.entity_id)
    error = ThingNotFound if command.verb == "retrieve" else ThingNotModifiable
    return error(command.entity_id)
