"""Whether a policy may be as a change would leave it: owned by somebody, references that lead somewhere, not too large.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from protocol.json import JsonObject, JsonValue
from protocol.pointers import Pointer
from protocol.policies.ownership import is_owned
from protocol.policies.resolve import MAX_FOLLOWED, MAX_REFERRED, MAX_TAKEN, is_too_much
from protocol.policies.state import PolicyState
from protocol.policies.values import MAX_IMPORTS, check_label, check_resource_key, check_subject_id

REFERRED: Final = "Refer to another entry of this policy that is importable."
NOT_TO_BE_TAKEN: Final = (
    "Check the id. Of another policy you can import, or refer to, only the entries that your subject may READ there."
)
"""Said alike of a policy that is missing and of one that may not be read."""


def check_form(path: Pointer) -> None:
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
    """Raise what forbids the policy ``after`` a change at ``path`` of the policy ``before``; nothing if it may be."""
    policy = after if isinstance(after, dict) else {}
    change = _Change(before=before, after=policy, path=path, context=context)
    _check_imports(change)
    _check_references(change)
    _check_amount(change)
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
    imports, known = dict(_members(change.after.get("imports"))), dict(_members(change.before.get("imports")))
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    for imported, setting in imports.items():
        if imported == change.policy_id:
            raise PolicyImportInvalid(f"The policy {imported!r} cannot import itself.", "Take it out of the imports.")
        if known.get(imported) != setting:
            if change.policy_id in _items(setting.get("transitiveImports")):
                raise PolicyImportInvalid(
                    f"The policy {change.policy_id!r} cannot import itself through {imported!r}.",
                    "Take it out of the transitive imports.",
                )
            _check_readable(PolicyId(imported), setting, change.context)


def _check_amount(change: _Change) -> None:
    """What is too much already, because others have grown, may be changed nevertheless."""
    known = documents(change.context.policies)
    if is_too_much(change.after, known) and not is_too_much(change.before, known):
        raise PolicyImportInvalid(
            f"The policy brings in more than {MAX_FOLLOWED} imports, {MAX_TAKEN} entries of other policies,"
            f" or {MAX_REFERRED} rules and subjects by references.",
            "Import fewer policies, name fewer transitive imports, or use fewer references.",
        )


def _check_readable(imported: PolicyId, setting: JsonObject, context: Context) -> None:
    """Who imports must be allowed to read what is taken; otherwise the policy looks as if it were not there."""
    state = context.policy(imported)
    if state is None:
        raise PolicyNotFound(imported, description=NOT_TO_BE_TAKEN)
    for label, entry in _members(state.document.get("entries")):
        if _is_taken(label, entry, setting):
            _check_taken(state, label, context)


def _check_taken(state: PolicyState, label: str, context: Context) -> None:
    if not context.enforcer_of(state).tree(context.subjects, "READ", "policy").unrestricted(("entries", label)):
        raise PolicyNotFound(state.policy_id, description=NOT_TO_BE_TAKEN)


def _is_taken(label: str, entry: JsonObject, setting: JsonObject) -> bool:
    reach = entry.get("importable", "implicit")
    return reach == "implicit" or (reach == "explicit" and label in _items(setting.get("entries")))


def _check_references(change: _Change) -> None:
    known = dict(_members(change.before.get("entries")))
    for label, entry in _members(change.after.get("entries")):
        known_here = _items(known.get(label, {}).get("references"))
        for reference in _objects(entry.get("references")):
            if "import" in reference:
                _check_imported_reference(change, label, reference, is_new=reference not in known_here)
            else:
                _check_local_reference(change, label, str(reference.get("entry")))


def _check_local_reference(change: _Change, label: str, target: str) -> None:
    """What takes a target away is a conflict; everything else that refers to what cannot be referred to is invalid."""
    entries = dict(_members(change.after.get("entries")))
    if target == label:
        raise PolicyEntryInvalid(f"The entry {label!r} cannot refer to itself.", REFERRED)
    if target not in entries:
        if change.path == ("entries", target):
            raise PolicyEntryReferenceConflict(change.policy_id, target, label)
        raise PolicyEntryInvalid(f"The entry {label!r} refers to {target!r}, but there is no such entry.", REFERRED)
    if entries[target].get("importable") == "never":
        if change.path == ("entries", target, "importable"):
            raise PolicyEntryReferenceConflict(change.policy_id, target, label)
        raise PolicyEntryInvalid(f"The entry {label!r} refers to {target!r}, which is 'never' importable.", REFERRED)


def _check_imported_reference(change: _Change, label: str, reference: JsonObject, *, is_new: bool) -> None:
    """A reference into an import must lead to an entry that the import takes, as far as this change can break it.

    Who makes a new one must be allowed to read where it leads. The context knows the imported policy if the change is
    about the import or about references to it.
    """
    imported, target = PolicyId(str(reference["import"])), str(reference.get("entry"))
    setting = dict(_members(change.after.get("imports"))).get(imported)
    known = dict(_members(change.before.get("imports"))).get(imported)
    if setting is None:
        raise _conflict(change, imported, label) or PolicyImportInvalid(
            f"The entry {label!r} refers to an entry of {imported!r}, which is not imported.",
            f"Import {imported} first.",
        )
    state = change.context.policy(imported)
    if state is None:
        if is_new:
            raise PolicyNotFound(imported, description=NOT_TO_BE_TAKEN)
        return
    if is_new:
        _check_taken(state, target, change.context)
    entry = dict(_members(state.document.get("entries"))).get(target)
    if entry is not None and _is_taken(target, entry, setting):
        return
    if entry is not None and known is not None and _is_taken(target, entry, known):
        raise _conflict(change, imported, label) or _untaken(label, imported, target)
    if known != setting or is_new:
        raise _untaken(label, imported, target)


def _conflict(change: _Change, imported: PolicyId, label: str) -> DittoError | None:
    """The refusal of a change of imports that would leave a reference without its target."""
    if change.path[:1] != ("imports",):
        return None
    return PolicyImportReferenceConflict(change.policy_id, imported, label)


def _untaken(label: str, imported: PolicyId, target: str) -> DittoError:
    return PolicyImportInvalid(
        f"The entry {label!r} refers to {target!r} of {imported!r}, where no such entry is imported.",
        "Refer to an entry that is there; an explicit one must be among the 'entries' of the import.",
    )


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _members(value: JsonValue | None) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield from ((key, member) for key, member in value.items() if isinstance(member, dict))
