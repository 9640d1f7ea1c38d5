"""Why someone may or may not: the rules that bear on a path, and the one that decided. Ditto has no such answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.enforcement.rules import Effect, Rule
from protocol.json import JsonObject
from protocol.pointers import Pointer, text

Relation: TypeAlias = Literal["above", "same", "below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """One rule that bears on the question, by where it stands relative to the path asked about."""

    rule: Rule
    effect: Effect
    relation: Relation

    def to_json(self) -> JsonObject:
        """The rule as ``explain`` prints it."""
        return {
            "policyId": str(self.rule.policy_id),
            "entry": self.rule.label,
            "resource": f"{self.rule.resource_type}:{text(self.rule.path)}",
            "effect": self.effect,
            "relation": self.relation,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer to one question with everything that led to it; ``decided_by`` is ``None`` when nothing is granted."""

    allowed: bool
    decided_by: Bearing | None
    bearing: tuple[Bearing, ...]

    def to_json(self) -> JsonObject:
        """The explanation as HTTP and the command line print it."""
        return {
            "allowed": self.allowed,
            "decidedBy": None if self.decided_by is None else self.decided_by.to_json(),
            "rules": [bearing.to_json() for bearing in self.bearing],
        }


def explain(rules: Iterable[Rule], permission: str, path: Pointer) -> Explanation:
    """Whether the permission is unrestricted at the path, and by which rule.

    The deepest rule decides and a revoke beats a grant of its depth; a revoke below denies, a grant below does not help
    (documentation page *basic-policy*). This walks the plain rules, not the tree, and so stands beside it as a witness.
    """
    bearing = sorted(_bearing(rules, permission, path), key=_weight)
    counting = [item for item in bearing if not (item.relation == "below" and item.effect == "grant")]
    decided_by = counting[-1] if counting else None
    allowed = decided_by is not None and decided_by.effect == "grant"
    return Explanation(allowed=allowed, decided_by=decided_by, bearing=tuple(bearing))


def _bearing(rules: Iterable[Rule], permission: str, path: Pointer) -> Iterable[Bearing]:
    for rule in rules:
        relation = _relation(rule.path, path)
        if relation is None:
            continue
        if permission in rule.grant:
            yield Bearing(rule=rule, effect="grant", relation=relation)
        if permission in rule.revoke:
            yield Bearing(rule=rule, effect="revoke", relation=relation)


def _weight(bearing: Bearing) -> tuple[int, bool]:
    return len(bearing.rule.path), bearing.effect == "revoke"


def _relation(rule_path: Pointer, path: Pointer) -> Relation | None:
    if rule_path == path:
        return "same"
    if path[: len(rule_path)] == rule_path:
        return "above"
    return "below" if rule_path[: len(path)] == path else None
