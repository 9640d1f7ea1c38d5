"""Whether a policy may be as a change would leave it: owned by somebody, references that lead somewhere, not too large.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from protocol import sizes
from protocol.errors import (
    PolicyEntryInvalid,
    PolicyEntryModificationInvalid,
    PolicyEntryReferenceConflict,
    PolicyImportInvalid,
    PolicyImportReferenceConflict,
    PolicyImportsTooLarge,
    PolicyModificationInvalid,
    PolicyNotFound,
    PolicyTooLarge,
)
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import Pointer
from protocol.policies.expiry import Granularity
from protocol.policies.state import PolicyState
from protocol.policies.validity import owners
from protocol.policies.values import MAX_IMPORTS, check_label, check_resource_key, check_subject_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyContext:
    """What a decision about a policy may know beside the command and the policy.

    ``policies`` holds the policies that ``policies_needed`` named; ``may_import`` says whether the caller may read an
    entry of another policy, which importing it asks for.
    """

    now: datetime
    subjects: tuple[str, ...]
    policies: Mapping[PolicyId, PolicyState | None] = field(default_factory=dict)
    may_import: Callable[[PolicyState, str], bool] = lambda _policy, _label: True
    granularity: Granularity = field(default_factory=Granularity)
    policy_characters: int = 102_400
    prevents_lockout: bool = True


def check_form(path: Pointer) -> None:
    """Check the keys of a path that is about to be written: labels, subject ids, resource keys, policy ids."""
    if path[:1] == ("imports",) and len(path) > 1:
        PolicyId.parse(path[1])
    if path[:1] == ("entries",) and len(path) > 1:
        check_label(path[1])
    if len(path) == 4:
        (check_subject_id if path[2] == "subjects" else check_resource_key)(path[3])


def check_change(
    after: JsonValue, *, path: Pointer, of_entry: bool, context: PolicyContext, before: JsonObject
) -> None:
    """Raise what forbids the policy ``after`` a change at ``path`` of the policy ``before``; nothing if it may be."""
    policy = after if isinstance(after, dict) else {}
    _check_imports(policy, context, before)
    _check_references(policy, before)
    if context.prevents_lockout and not policy.get("imports") and not owners(policy, permanent=True):
        policy_id = str(policy.get("policyId"))
        raise PolicyEntryModificationInvalid(policy_id, path[1]) if of_entry else PolicyModificationInvalid(policy_id)
    size = sizes.characters(policy)
    if size > context.policy_characters:
        raise PolicyTooLarge(size, context.policy_characters)


def _check_imports(policy: JsonObject, context: PolicyContext, before: JsonObject) -> None:
    imports, known = dict(_members(policy.get("imports"))), dict(_members(before.get("imports")))
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    for imported, setting in imports.items():
        if imported == policy.get("policyId"):
            raise PolicyImportInvalid(f"The policy {imported!r} cannot import itself.")
        if known.get(imported) != setting:
            _check_readable(PolicyId(imported), setting, context)


def _check_readable(imported: PolicyId, setting: JsonObject, context: PolicyContext) -> None:
    """Who imports must be allowed to read what is taken; otherwise the policy looks as if it were not there."""
    state = context.policies.get(imported)
    if state is None or state.deleted:
        raise PolicyNotFound(imported)
    listed = _items(setting.get("entries"))
    for label, entry in _members(state.document.get("entries")):
        reach = entry.get("importable", "implicit")
        taken = reach == "implicit" or (reach == "explicit" and label in listed)
        if taken and not context.may_import(state, label):
            raise PolicyNotFound(imported)


def _check_references(policy: JsonObject, before: JsonObject) -> None:
    entries, imports = dict(_members(policy.get("entries"))), dict(_members(policy.get("imports")))
    for label, entry in entries.items():
        for reference in _objects(entry.get("references")):
            target, imported = str(reference.get("entry")), reference.get("import")
            if imported is not None:
                if imported not in imports:
                    raise _lost_import(policy, before, str(imported))
            elif target == label:
                raise PolicyEntryInvalid(f"The entry {label!r} cannot refer to itself.")
            elif target not in entries:
                raise _lost_entry(policy, before, target)
            elif entries[target].get("importable") == "never":
                raise PolicyEntryInvalid(f"The entry {target!r} is never to be imported and cannot be referred to.")


def _lost_entry(policy: JsonObject, before: JsonObject, label: str) -> Exception:
    if label in dict(_members(before.get("entries"))):
        return PolicyEntryReferenceConflict(str(policy.get("policyId")), label)
    return PolicyEntryInvalid(f"There is no entry {label!r} to refer to.")


def _lost_import(policy: JsonObject, before: JsonObject, imported: str) -> Exception:
    if imported in dict(_members(before.get("imports"))):
        return PolicyImportReferenceConflict(str(policy.get("policyId")), imported)
    return PolicyImportInvalid(f"The policy {imported!r} is referred to but not imported.")


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _members(value: JsonValue | None) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield from ((key, member) for key, member in value.items() if isinstance(member, dict))
