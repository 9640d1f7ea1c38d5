"""Who owns a policy: the subjects that may change it.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol.json import JsonObject, JsonValue
from protocol.policies.resolve import resolved_view


def owners(policy: JsonObject) -> set[str]:
    """The permanent subjects with WRITE on exactly ``policy:/`` that no entry takes from them again.

    What entries get by references to others of the policy counts; what is imported does not.
    """
    granted: set[str] = set()
    revoked: set[str] = set()
    entries = [*_objects(policy.get("entries"))]
    if any(entry.get("references") for entry in entries):
        entries = [*_objects(resolved_view(policy, {}).get("entries"))]
    for entry in entries:
        subjects, resources = entry.get("subjects"), entry.get("resources")
        rights = resources.get("policy:/") if isinstance(resources, dict) else None
        if not isinstance(rights, dict) or not isinstance(subjects, dict):
            continue
        if "WRITE" in _names(rights.get("revoke")):
            revoked.update(subjects)
        if "WRITE" in _names(rights.get("grant")):
            granted.update(
                subject for subject, facts in subjects.items() if not isinstance(facts, dict) or "expiry" not in facts
            )
    return granted - revoked


def _names(value: JsonValue) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


def _objects(value: JsonValue | None) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        yield from (member for member in value.values() if isinstance(member, dict))
