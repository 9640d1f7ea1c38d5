"""Whether a policy may be as a change would leave it: owned by somebody, references that lead somewhere, not too large.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol import sizes
from protocol.context import Context, documents
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
from protocol.policies.ownership import owners
from protocol.policies.resolve import MAX_FOLLOWED, MAX_REFERRED, MAX_TAKEN, is_too_much
from protocol.policies.values import MAX_IMPORTS, check_label, check_resource_key, check_subject_id


def check_form(path: Pointer) -> None:
    """Check the keys of a path that is about to be written: labels, subject ids, resource keys, policy ids."""
    if path[:1] == ("imports",) and len(path) > 1:
        PolicyId.parse(path[1])
    if path[:1] == ("entries",) and len(path) > 1:
        check_label(path[1])
    if len(path) == 4:
        (check_subject_id if path[2] == "subjects" else check_resource_key)(path[3])


def check_change(after: JsonValue, *, path: Pointer, of_entry: bool, context: Context, before: JsonObject) -> None:
    """Raise what forbids the policy ``after`` a change at ``path`` of the policy ``before``; nothing if it may be."""
    policy = after if isinstance(after, dict) else {}
    _check_imports(policy, context, before)
    _check_references(policy, context, before)
    _check_amount(policy, context, before)
    limits = context.limits
    if limits.prevents_lockout and not policy.get("imports") and not owners(policy):
        policy_id = str(policy.get("policyId"))
        raise PolicyEntryModificationInvalid(policy_id, path[1]) if of_entry else PolicyModificationInvalid(policy_id)
    size = sizes.characters(policy)
    if size > limits.policy_characters:
        raise PolicyTooLarge(size, limits.policy_characters)


def _check_imports(policy: JsonObject, context: Context, before: JsonObject) -> None:
    imports, known = dict(_members(policy.get("imports"))), dict(_members(before.get("imports")))
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    for imported, setting in imports.items():
        if imported == policy.get("policyId"):
            raise PolicyImportInvalid(f"The policy {imported!r} cannot import itself.")
        if known.get(imported) != setting:
            _check_readable(PolicyId(imported), setting, context)


def _check_amount(policy: JsonObject, context: Context, before: JsonObject) -> None:
    """What is too much already, because others have grown, may be changed nevertheless."""
    known = documents(context.policies)
    if is_too_much(policy, known) and not is_too_much(before, known):
        raise PolicyImportInvalid(
            f"The policy brings in more than {MAX_FOLLOWED} imports, {MAX_TAKEN} entries of other policies,"
            f" or {MAX_REFERRED} rules and subjects by references.",
            "Import fewer policies, name fewer transitive imports, or use fewer references.",
        )


def _check_readable(imported: PolicyId, setting: JsonObject, context: Context) -> None:
    """Who imports must be allowed to read what is taken; otherwise the policy looks as if it were not there."""
    state = context.policy(imported)
    if state is None:
        raise PolicyNotFound(imported)
    readable = context.enforcer_of(state).tree(context.subjects, "READ", "policy")
    for label, entry in _members(state.document.get("entries")):
        if _is_taken(label, entry, setting) and not readable.unrestricted(("entries", label)):
            raise PolicyNotFound(imported)


def _is_taken(label: str, entry: JsonObject, setting: JsonObject) -> bool:
    reach = entry.get("importable", "implicit")
    return reach == "implicit" or (reach == "explicit" and label in _items(setting.get("entries")))


def _check_references(policy: JsonObject, context: Context, before: JsonObject) -> None:
    entries, imports = dict(_members(policy.get("entries"))), dict(_members(policy.get("imports")))
    for label, entry in entries.items():
        for reference in _objects(entry.get("references")):
            target, imported = str(reference.get("entry")), reference.get("import")
            if imported is not None:
                if imported not in imports:
                    raise _lost_import(policy, before, str(imported))
                _check_imported_target(policy, context, before, PolicyId(str(imported)), target)
            elif target == label:
                raise PolicyEntryInvalid(f"The entry {label!r} cannot refer to itself.")
            elif target not in entries:
                raise _lost_entry(policy, before, target)
            elif entries[target].get("importable") == "never":
                raise PolicyEntryInvalid(f"The entry {target!r} is never to be imported and cannot be referred to.")


def _check_imported_target(
    policy: JsonObject, context: Context, before: JsonObject, imported: PolicyId, target: str
) -> None:
    """A reference into an import must lead to an entry that the import takes, as far as this change can break it.

    The context knows the imported policy if the change is about the import or about references to it.
    """
    state = context.policy(imported)
    if state is None:
        return
    setting = dict(_members(policy.get("imports")))[imported]
    entry = dict(_members(state.document.get("entries"))).get(target)
    if entry is not None and _is_taken(target, entry, setting):
        return
    known = dict(_members(before.get("imports"))).get(imported)
    if entry is not None and known is not None and _is_taken(target, entry, known):
        raise PolicyImportReferenceConflict(str(policy.get("policyId")), imported)
    if known != setting or not _refers(before, imported, target):
        raise PolicyImportInvalid(f"The policy {imported!r} has no entry {target!r} that is imported.")


def _refers(policy: JsonObject, imported: str, target: str) -> bool:
    wanted = {"entry": target, "import": imported}
    return any(wanted in _items(entry.get("references")) for _, entry in _members(policy.get("entries")))


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
