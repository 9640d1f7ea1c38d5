"""``checkPermissions``: may I? Asked before it is tried, for many resources at once, and on request with the reasons.

The question is the one that changes are judged by: is the permission granted on the resource and everything below it.
Whoever may read the policy may also hear which entry decided; others learn what trying would tell them, and not more.
Of rules that other policies bring in, and that he may not read there, he hears the effect alone.
Source: Ditto documentation, page *basic-policy*, section on checking permissions; the explanations are ours.
"""

from __future__ import annotations

from typing import Final

from protocol.context import Context
from protocol.enforcement.enforce import governing_policy
from protocol.enforcement.explain import Listener
from protocol.enforcement.rules import Permission, ResourceType
from protocol.enforcement.sources import Sources
from protocol.entities import EntityState
from protocol.errors import JsonFieldMissing, JsonFormatInvalid
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import parse, parse_policy_path
from protocol.policies.resolve import policies_named
from protocol.policies.state import PolicyState
from protocol.signals import PermissionCheck

CHECKS_MAX: Final = 1_000
_TYPES: Final[dict[str, ResourceType]] = {"thing": "thing", "policy": "policy", "message": "message"}
_PERMISSIONS: Final[dict[str, Permission]] = {"READ": "READ", "WRITE": "WRITE", "EXECUTE": "EXECUTE"}


def read_checks(value: JsonValue) -> dict[str, PermissionCheck]:
    """The questions by the names that the caller gave them.

    ``{"<name>": {"resource": "thing:/features/x", "entityId": "ns:name", "hasPermissions": ["WRITE"]}}``; what is not
    written like this is a ``JsonFieldMissing``, a ``JsonFormatInvalid`` or the error of a wrong id.
    """
    if not isinstance(value, dict) or len(value) > CHECKS_MAX:
        raise JsonFormatInvalid("the permission checks", f"an object of up to {CHECKS_MAX} checks by name")
    return {name: _read_check(name, check) for name, check in value.items()}


def read_resource(text: str) -> tuple[ResourceType, tuple[str, ...]]:
    """Type and path of ``thing:/features/x``; in a policy a subject id or the key of a resource is one key."""
    kind, colon, path = text.partition(":")
    if kind not in _TYPES or not colon or not path.startswith("/"):
        raise JsonFormatInvalid("the member 'resource'", "thing:/, policy:/ or message:/ and a path")
    return _TYPES[kind], (parse_policy_path if kind == "policy" else parse)(path)


def answer_check(check: PermissionCheck, state: EntityState | None, context: Context, *, explain: bool) -> JsonValue:
    """Whether the caller has all the permissions, or an object with the reasons; nothing is granted on what is not.

    ``state`` is that of the check's entity, and the context knows the policy that governs it.
    """
    policy_id = None if state is None or state.deleted else governing_policy(state)
    policy = None if policy_id is None else context.policy(policy_id)
    if explain:
        return _explained(check, policy, context)
    enforcer = None if policy is None else context.enforcer_of(policy)
    return enforcer is not None and all(
        enforcer.tree(context.subjects, permission, check.resource_type, _namespace(check)).unrestricted(check.path)
        for permission in check.permissions
    )


def _explained(check: PermissionCheck, policy: PolicyState | None, context: Context) -> JsonObject:
    if policy is None:
        nothing: JsonObject = {permission: {"allowed": False} for permission in check.permissions}
        return {"allowed": False, "explained": False, "permissions": nothing}
    enforcer = context.own_enforcer(policy)
    readable = enforcer.tree(context.subjects, "READ", "policy").unrestricted(())
    listener = Listener(shows=Sources(context).shows, named=policies_named(policy.document))
    permissions: JsonObject = {}
    allowed = True
    for permission in check.permissions:
        found = enforcer.explain(context.subjects, permission, check.resource_type, check.path, _namespace(check))
        allowed = allowed and found.allowed
        permissions[permission] = found.to_json(listener) if readable else {"allowed": found.allowed}
    return {"allowed": allowed, "explained": readable, "permissions": permissions}


def _namespace(check: PermissionCheck) -> str | None:
    return None if check.resource_type == "policy" else check.entity_id.namespace


def _read_check(name: str, value: JsonValue) -> PermissionCheck:
    if not isinstance(value, dict):
        raise JsonFormatInvalid(f"the check '{name[:100]}'", "an object")
    for member in ("resource", "entityId", "hasPermissions"):
        if member not in value:
            raise JsonFieldMissing(member, f"the check '{name[:100]}'")
    resource_type, path = read_resource(str(value["resource"]))
    return PermissionCheck(
        entity_id=_entity_id(resource_type, str(value["entityId"])),
        resource_type=resource_type,
        path=path,
        permissions=_permissions(value["hasPermissions"]),
    )


def _entity_id(resource_type: ResourceType, text: str) -> EntityId:
    return PolicyId.parse(text) if resource_type == "policy" else ThingId.parse(text)


def _permissions(value: JsonValue) -> tuple[Permission, ...]:
    listed = value if isinstance(value, list) else []
    found = tuple(_PERMISSIONS[each] for each in listed if isinstance(each, str) and each in _PERMISSIONS)
    if not found or len(found) != len(listed):
        raise JsonFormatInvalid("the member 'hasPermissions'", f"an array of {', '.join(_PERMISSIONS)}")
    return tuple(dict.fromkeys(found))
