"""Checks of a policy as a whole after a change: it has an owner, its references lead somewhere, it is not too large.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol import sizes
from protocol.context import Context, documents
from protocol.errors import (
    DittoError,
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
from protocol.json import JsonObject, JsonValue, as_list, as_object
from protocol.pointers import Pointer
from protocol.policies.entries import entries_of, imports_of
from protocol.policies.ownership import is_owned
from protocol.policies.resolve import (
    MAX_IMPORTED_ENTRIES,
    MAX_IMPORTS_FOLLOWED,
    MAX_REFERENCED_PARTS,
    exceeds_import_limits,
)
from protocol.policies.state import PolicyState
from protocol.policies.values import MAX_IMPORTS, check_label, check_resource_key, check_subject_id

REFERENCE_HINT: Final = "Refer to another entry of this policy that is importable."
IMPORT_HINT: Final = (
    "Check the id. Of another policy you can import, or refer to, only the entries that your subject may READ there."
)
"""The same hint for a policy that is missing and one that may not be read, so that it does not tell which."""


def check_path_keys(path: Pointer) -> None:
    """Check the keys of a path that is about to be written: labels, subject ids, resource keys, policy ids."""
    if path[:1] == ("imports",) and len(path) > 1:
        PolicyId.parse(path[1])
    if path[:1] == ("entries",) and len(path) > 1:
        check_label(path[1])
    if len(path) == 4:
        key = (check_subject_id if path[2] == "subjects" else check_resource_key)(path[3])
        if key != path[3]:
            raise PolicyEntryInvalid(f"The resource key {path[3][:300]!r} is not valid.", f"Write {key}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A policy as it was and as it would be, and where it changes."""

    before: JsonObject
    after: JsonObject
    path: Pointer
    context: Context

    @property
    def policy_id(self) -> str:
        return str(self.after.get("policyId"))


def check_change(after: JsonValue, *, path: Pointer, of_entry: bool, context: Context, before: JsonObject) -> None:
    """Raise the ``DittoError`` that forbids a change at ``path`` from the policy ``before`` to the policy ``after``."""
    policy = after if isinstance(after, dict) else {}
    change = _Change(before=before, after=policy, path=path, context=context)
    _check_imports(change)
    _check_references(change)
    _check_import_limits(change)
    limits = context.limits
    if limits.prevents_lockout and not policy.get("imports") and not is_owned(policy):
        raise (
            PolicyEntryModificationInvalid(change.policy_id, path[1])
            if of_entry
            else PolicyModificationInvalid(change.policy_id)
        )
    size = sizes.characters(policy)
    if size > limits.policy_characters:
        raise PolicyTooLarge(size, limits.policy_characters)


def _check_imports(change: _Change) -> None:
    imports, known = imports_of(change.after), imports_of(change.before)
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    for imported, setting in imports.items():
        if imported == change.policy_id:
            raise PolicyImportInvalid(f"The policy {imported!r} cannot import itself.", "Take it out of the imports.")
        if known.get(imported) != setting:
            if change.policy_id in as_list(setting.get("transitiveImports")):
                raise PolicyImportInvalid(
                    f"The policy {change.policy_id!r} cannot import itself through {imported!r}.",
                    "Take it out of the transitive imports.",
                )
            _check_readable(imported, setting, change.context)


def _check_import_limits(change: _Change) -> None:
    """A policy that was over a bound before, because an imported one has grown, may still be changed."""
    known = documents(change.context.policies)
    if exceeds_import_limits(change.after, known) and not exceeds_import_limits(change.before, known):
        raise PolicyImportInvalid(
            f"The policy brings in more than {MAX_IMPORTS_FOLLOWED} imports,"
            f" {MAX_IMPORTED_ENTRIES} entries of other policies,"
            f" or {MAX_REFERENCED_PARTS} rules and subjects by references.",
            "Import fewer policies, name fewer transitive imports, or use fewer references.",
        )


def _check_readable(imported: PolicyId, setting: JsonObject, context: Context) -> None:
    """The caller must be allowed to READ the imported entries; otherwise the policy counts as missing."""
    state = context.policy(imported)
    if state is None:
        raise PolicyNotFound(imported, description=IMPORT_HINT)
    for label, entry in entries_of(state.document).items():
        if _is_imported(label, entry, setting):
            _check_entry_readable(state, label, context)


def _check_entry_readable(state: PolicyState, label: str, context: Context) -> None:
    if not context.enforcer_of(state).tree(context.subjects, "READ", "policy").unrestricted(("entries", label)):
        raise PolicyNotFound(state.policy_id, description=IMPORT_HINT)


def _is_imported(label: str, entry: JsonObject, setting: JsonObject) -> bool:
    reach = entry.get("importable", "implicit")
    return reach == "implicit" or (reach == "explicit" and label in as_list(setting.get("entries")))


def _check_references(change: _Change) -> None:
    known = entries_of(change.before)
    for label, entry in entries_of(change.after).items():
        known_here = as_list(known.get(label, {}).get("references"))
        for reference in map(as_object, as_list(entry.get("references"))):
            if "import" in reference:
                _check_imported_reference(change, label, reference, is_new=reference not in known_here)
            else:
                _check_local_reference(change, label, str(reference.get("entry")))


def _check_local_reference(change: _Change, label: str, target: str) -> None:
    """A change that makes an existing target unusable is a conflict (409); a reference that never worked is invalid."""
    entries = entries_of(change.after)
    if target == label:
        raise PolicyEntryInvalid(f"The entry {label!r} cannot refer to itself.", REFERENCE_HINT)
    if target not in entries:
        if change.path == ("entries", target):
            raise PolicyEntryReferenceConflict(change.policy_id, target, label)
        raise PolicyEntryInvalid(
            f"The entry {label!r} refers to {target!r}, but there is no such entry.", REFERENCE_HINT
        )
    if entries[target].get("importable") == "never":
        if change.path == ("entries", target, "importable"):
            raise PolicyEntryReferenceConflict(change.policy_id, target, label)
        raise PolicyEntryInvalid(
            f"The entry {label!r} refers to {target!r}, which is 'never' importable.", REFERENCE_HINT
        )


def _check_imported_reference(change: _Change, label: str, reference: JsonObject, *, is_new: bool) -> None:
    """A reference into an import must lead to an imported entry; only what this change can have broken is checked.

    Who adds a reference must be allowed to READ its target. The context knows the imported policy only if the change is
    about the import or about references to it.
    """
    imported, target = PolicyId(str(reference["import"])), str(reference.get("entry"))
    setting = imports_of(change.after).get(imported)
    known = imports_of(change.before).get(imported)
    if setting is None:
        raise _conflict(change, imported, label) or PolicyImportInvalid(
            f"The entry {label!r} refers to an entry of {imported!r}, which is not imported.",
            f"Import {imported} first.",
        )
    state = change.context.policy(imported)
    if state is None:
        if is_new:
            raise PolicyNotFound(imported, description=IMPORT_HINT)
        return
    if is_new:
        _check_entry_readable(state, target, change.context)
    entry = entries_of(state.document).get(target)
    if entry is not None and _is_imported(target, entry, setting):
        return
    if entry is not None and known is not None and _is_imported(target, entry, known):
        raise _conflict(change, imported, label) or _not_imported(label, imported, target)
    if known != setting or is_new:
        raise _not_imported(label, imported, target)


def _conflict(change: _Change, imported: PolicyId, label: str) -> DittoError | None:
    """The refusal of a change of imports that would leave a reference without its target."""
    if change.path[:1] != ("imports",):
        return None
    return PolicyImportReferenceConflict(change.policy_id, imported, label)


def _not_imported(label: str, imported: PolicyId, target: str) -> DittoError:
    return PolicyImportInvalid(
        f"The entry {label!r} refers to {target!r} of {imported!r}, where no such entry is imported.",
        "Refer to an entry that is there; an explicit one must be among the 'entries' of the import.",
    )
