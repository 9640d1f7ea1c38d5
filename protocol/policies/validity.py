"""Whether a policy may be as it is: its form, and that somebody stays its owner.

Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from protocol.json import JsonObject, JsonValue

_PERMISSIONS = frozenset({"READ", "WRITE", "EXECUTE"})


def fault_of(policy: JsonObject) -> str | None:
    """What is wrong with the policy, in words; none if nothing is."""
    entries = policy.get("entries", {})
    if not isinstance(entries, dict):
        return "its entries are no JSON object"
    for label, entry in entries.items():
        fault = _fault_of_entry(entry)
        if fault is not None:
            return f"the entry '{label}' {fault}"
    if not policy.get("imports") and not _owners(policy, permanent=True):
        return "no permanent subject has WRITE on policy:/"
    return None


def may_administer(policy: JsonObject, subjects: Collection[str]) -> bool:
    """Whether one of the subjects may change the policy: WRITE on ``policy:/`` granted to it and not revoked."""
    return not _owners(policy, permanent=False).isdisjoint(subjects)


def _owners(policy: JsonObject, *, permanent: bool) -> set[str]:
    """The subjects with WRITE on exactly ``policy:/``, of permanent subjects alone if asked for."""
    granted: set[str] = set()
    revoked: set[str] = set()
    for entry in _objects(policy.get("entries")):
        subjects, resources = entry.get("subjects"), entry.get("resources")
        rights = resources.get("policy:/") if isinstance(resources, dict) else None
        if not isinstance(rights, dict) or not isinstance(subjects, dict):
            continue
        if "WRITE" in _names(rights.get("revoke")):
            revoked.update(subjects)
        if "WRITE" in _names(rights.get("grant")):
            granted.update(
                subject
                for subject, facts in subjects.items()
                if not permanent or not isinstance(facts, dict) or "expiry" not in facts
            )
    return granted - revoked


def _fault_of_entry(entry: JsonValue) -> str | None:
    if not isinstance(entry, dict):
        return "is no JSON object"
    subjects, resources = entry.get("subjects", {}), entry.get("resources", {})
    if not isinstance(subjects, dict) or not all(
        isinstance(facts, dict) and isinstance(facts.get("type"), str) for facts in subjects.values()
    ):
        return "has a subject without a type"
    if not isinstance(resources, dict) or not all(_is_rights(rights) for rights in resources.values()):
        return "has a resource without valid grant and revoke"
    return None


def _is_rights(rights: JsonValue) -> bool:
    if not isinstance(rights, dict):
        return False
    grant, revoke = rights.get("grant"), rights.get("revoke")
    return isinstance(grant, list) and isinstance(revoke, list) and _PERMISSIONS.issuperset(_names([*grant, *revoke]))


def _names(value: JsonValue) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


def _objects(value: JsonValue | None) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        yield from (member for member in value.values() if isinstance(member, dict))
