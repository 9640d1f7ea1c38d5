"""The rules of a policy as enforcement sees them: every entry with imports and references already resolved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.identifiers import PolicyId
from protocol.pointers import Pointer, policy_text, text

Permission: TypeAlias = Literal["READ", "WRITE", "EXECUTE"]
ResourceType: TypeAlias = Literal["thing", "policy", "message"]
Effect: TypeAlias = Literal["grant", "revoke"]
Origin: TypeAlias = tuple[PolicyId, str]
"""A policy, and the label of one of its own entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one entry says about one resource, and where the entry stands: its label and the policy it came from."""

    policy_id: PolicyId
    label: str
    resource_type: str
    path: Pointer
    grant: frozenset[str]
    revoke: frozenset[str]

    @property
    def resource(self) -> str:
        """What the rule is about, as policies write it."""
        return f"{self.resource_type}:{(policy_text if self.resource_type == 'policy' else text)(self.path)}"

    @property
    def origin(self) -> Origin:
        """Where the rule is written."""
        return self.policy_id, self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedEntry:
    """An entry ready for enforcement.

    ``namespaces`` limits it to things in these namespaces: exact, or ``a.b.*`` for those below ``a.b``; empty means all
    (documentation page *basic-policy*). ``origin`` is the policy that it is written in, and its label there.
    """

    label: str
    origin: Origin
    subjects: frozenset[str]
    rules: tuple[Rule, ...]
    namespaces: tuple[str, ...] = ()

    def covers(self, namespace: str) -> bool:
        """Whether the entry says anything about things in this namespace."""
        return not self.namespaces or any(matches(pattern, namespace) for pattern in self.namespaces)


def rules_for(
    entries: Iterable[ResolvedEntry], *, subjects: frozenset[str], namespace: str | None, resource_type: str
) -> Iterator[Rule]:
    """The rules that speak about any of the subjects: a caller's subjects are pooled, not tried one by one.

    Without a ``namespace`` every entry counts.
    """
    for entry in entries:
        if (namespace is None or entry.covers(namespace)) and not subjects.isdisjoint(entry.subjects):
            yield from (rule for rule in entry.rules if rule.resource_type == resource_type)


def matches(pattern: str, namespace: str) -> bool:
    """Whether a namespace is meant by a pattern: itself, or for ``a.b.*`` one below ``a.b``."""
    if pattern.endswith(".*"):
        return namespace.startswith(pattern[:-1])
    return namespace == pattern
