"""The one question whether a caller may do what a command says, asked before anything is decided.

| the caller has                              | reads            | changes                   |
|---------------------------------------------|------------------|---------------------------|
| the permission                              | what may be seen | done                      |
| READ or WRITE elsewhere in the entity       | 404 of the path  | 403 of the path           |
| neither READ nor WRITE anywhere in it       | 404 of the path  | 404 of the entity         |
| anything, but the thing's policy is gone    | 404 of the thing | 403 of the thing          |
| a token whose subject expired there         | 401              | 401                       |

Reads ask for READ at, above or below the path and are cut down to what may be seen; changes ask for WRITE on the path
and everything below it, merges on every place that they write. Someone who may write, but not read, knows that the
entity exists, so a refused change tells him no more. Source: Ditto documentation, page *basic-policy*.
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
from protocol.policies.substitution import addressed
from protocol.signals import Command
from protocol.things.json_patch import is_json_patch, translated
from protocol.things.resources import resource_at
from protocol.things.resources import served as served_resource
from protocol.things.state import ThingState

KNOWING: Final[tuple[Permission, ...]] = ("READ", "WRITE")
"""Permissions whose holders know that the entity exists, if they have one of them anywhere in it."""

_DECIDED_LATER: Final = frozenset({"create", "execute"})
"""What is judged by the policy that it leads to, or entry by entry."""

POLICY_GONE: Final = "The policy of the thing does not exist. Create it again, then the thing can be reached again."


def governing_policy(state: EntityState) -> PolicyId | None:
    """The policy that says who may do what with the entity; a policy governs itself."""
    return state.policy_id


def enforce(command: Command, state: EntityState | None, context: Context) -> tuple[Command, EntityState | None]:
    """The command and the state to decide it on, which for reads is what the caller may see of the entity.

    The context must know the governing policy and what it imports. What does not exist is nobody's secret: the decision
    says so, and a creation is judged there by the policy that it leads to. Raises what hides what the caller may not
    know. A JSON Patch comes back as the command that it amounts to; it needs READ, for it tells what it meets. A path
    that names the caller by a placeholder comes back with the caller's subject.
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
        return command, state if readable.everything else _seen(command.path, state, readable, enforcer, context)
    if isinstance(state, PolicyState):
        command = addressed(command, context.subjects[0])
    elif is_json_patch(command):
        if not _tree(state, enforcer, context, "READ").unrestricted(command.path):
            raise _refusal(command, state, enforcer, context)
        command = translated(command, state)
    writable = _tree(state, enforcer, context, "WRITE")
    if writable.everything or all(writable.unrestricted(path) for path in _written(command, state)):
        return command, state
    raise _refusal(command, state, enforcer, context)


def enforce_history(command: Command, state: EntityState | None, context: Context) -> None:
    """Return if the caller may see how the entity was: unrestricted READ at the path under the policy of today.

    ``state`` is the current one; a deleted thing is still governed by the policy that it had.
    """
    enforcer = None if state is None else context.enforcer(governing_policy(state))
    if state is None or enforcer is None:
        raise _not_found(command.entity_id, ROOT)
    if not _tree(state, enforcer, context, "READ").unrestricted(command.path):
        raise _unseen(command.path, state, enforcer, context)


def as_told(error: Precondition, command: Command, state: EntityState | None, context: Context) -> Precondition:
    """The refusal by an entity tag of what the caller may do: the tag itself is for whoever may read what it is of."""
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


def _seen(
    path: Pointer, state: EntityState, readable: PermissionTree, enforcer: Enforcer, context: Context
) -> EntityState:
    """The entity as the caller may see it; the ids are there for whoever sees anything."""
    if not readable.partial(path):
        raise _unseen(path, state, enforcer, context)
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
    """The policy with what it refers to written out, and what it imports as far as the caller may READ it there."""
    roots, readable = context.limits.roots_of(policy.policy_id), Sources(context).shows
    view = resolved_view(policy.document, documents(context.policies), roots=roots, readable=readable)
    return replace(policy, document=view)


def _written(command: Command, state: EntityState) -> list[Pointer]:
    """Every place that the command writes. What is no object must make way for one, which is a change of it."""
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


def _refusal(command: Command, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    return context.refusal(_denial(command, state, enforcer, context), _governing(state, context))


def _check_sayable(command: Command) -> None:
    """Raise for what no entity can be told: whoever says it must not learn from the refusal that this one exists."""
    if isinstance(command.entity_id, PolicyId):
        served_policy_resource(command.path, command.verb)
    else:
        served_resource(command)


def _denial(command: Command, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    _check_sayable(command)
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


def _unseen(path: Pointer, state: EntityState, enforcer: Enforcer, context: Context) -> DittoError:
    error = _not_found(state_id(state), path)  # what no entity has at all is refused alike for everybody
    if _is_hidden(state, enforcer, context):
        error = _not_found(state_id(state), ROOT)
    return context.refusal(error, _governing(state, context))


def _is_hidden(state: EntityState, enforcer: Enforcer, context: Context) -> bool:
    """Whether the caller must not learn that the entity exists: then nothing below it is named in a refusal."""
    return all(_tree(state, enforcer, context, permission).nothing for permission in KNOWING)


def _not_found(entity_id: EntityId, path: Pointer) -> DittoError:
    if isinstance(entity_id, ThingId):
        return resource_at(path).not_found(entity_id, text(path))
    return policy_resource_at(path).not_found(entity_id, text(path))


def _policy_gone(command: Command) -> DittoError:
    _check_sayable(command)
    if command.verb == "retrieve":
        return ThingNotFound(command.entity_id, description=POLICY_GONE)
    return ThingNotModifiable(command.entity_id, description=POLICY_GONE)


def _refusal_of_nobody(command: Command) -> DittoError:
    if isinstance(command.entity_id, PolicyId):
        policy_error = PolicyNotFound if command.verb == "retrieve" else PolicyNotModifiable
        return policy_error(command.entity_id)
    error = ThingNotFound if command.verb == "retrieve" else ThingNotModifiable
    return error(command.entity_id)
