"""Who owns a policy: the subjects that may change it.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocol.json import JsonObject, JsonValue
from protocol.policies.resolve import resolved_view


def is_owned(policy: JsonObject) -> bool:
    """Whether a permanent subject has WRITE on exactly ``policy:/`` that no entry takes from it again.

    What entries get by references to others of the policy counts; what is imported does not.
    """
    entries = [*_objects(policy.get("entries"))]
    plain = [entry for entry in entries if not entry.get("references")]
    if len(plain) == len(entries):
        return bool(_owners(entries))
    # Where nothing is revoked, no reference can take what another entry grants, so most need not be resolved.
    if _owners(plain) and not any("WRITE" in _rights(entry, "revoke") for entry in entries):
        return True
    return bool(_owners(_objects(resolved_view(policy, {}).get("entries"))))


def _owners(entries: Iterable[JsonObject]) -> set[str]:
    granted: set[str] = set()
    revoked: set[str] = set()
    for entry in entries:
        subjects = entry.get("subjects")
        if not isinstance(subjects, dict):
            continue
        if "WRITE" in _rights(entry, "revoke"):
            revoked.update(subjects)
        if "WRITE" in _rights(entry, "grant"):
            granted.update(
                subject for subject, facts in subjects.items() if not isinstance(facts, dict) or "expiry" not in facts
            )
    return granted - revoked


def _rights(entry: JsonObject, effect: str) -> set[str]:
    resources = entry.get("resources")
    rights = resources.get("policy:/") if isinstance(resources, dict) else None
    return _names(rights.get(effect)) if isinstance(rights, dict) else set()


def _names(value: JsonValue) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


def _objects(value: JsonValue | None) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        yield from (member for member in value.values() if isinstance(member, dict))
