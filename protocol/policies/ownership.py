"""Who owns a policy: the subjects that may change it.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol.enforcement.rules import Effect
from protocol.json import JsonObject, JsonValue, as_list, as_object
from protocol.policies.entries import entries_of
from protocol.policies.resolve import resolved_view


def is_owned(policy: JsonObject) -> bool:
    """Whether a permanent subject has WRITE on exactly ``policy:/`` that no entry takes from it again.

    What entries get by references to others of the policy counts; what is imported does not.
    """
    entries = list(entries_of(policy).values())
    plain = [entry for entry in entries if not entry.get("references")]
    if len(plain) == len(entries):
        return bool(_owners(entries))
    # Where nothing is revoked, no reference can take what another entry grants, so most need not be resolved.
    if _owners(plain) and not any("WRITE" in _permissions(entry, "revoke") for entry in entries):
        return True
    return bool(_owners(entries_of(resolved_view(policy, {})).values()))


def _owners(entries: Iterable[JsonObject]) -> set[str]:
    granted: set[str] = set()
    revoked: set[str] = set()
    for entry in entries:
        subjects = as_object(entry.get("subjects"))
        if "WRITE" in _permissions(entry, "revoke"):
            revoked.update(subjects)
        if "WRITE" in _permissions(entry, "grant"):
            granted.update(subject_id for subject_id, subject in subjects.items() if "expiry" not in as_object(subject))
    return granted - revoked


def _permissions(entry: JsonObject, effect: Effect) -> list[JsonValue]:
    return as_list(as_object(as_object(entry.get("resources")).get("policy:/")).get(effect))
