"""Why someone may or may not: the rules that bear on a path, and the one that decided. Ditto has no such answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from protocol.enforcement.rules import Effect, Origin, ResolvedEntry, Rule
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import Pointer

Relation: TypeAlias = Literal["above", "same", "below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told the reasons: which entries he may read, and which policies the governing one names to him."""

    shows: Callable[[Origin], bool]
    named: frozenset[PolicyId] = frozenset()


OPERATOR: Final = Listener(shows=lambda _: True)
"""Hears everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """One rule that bears on the question, by where it stands relative to the path asked about.

    ``entry`` is the one that it counts by; the rule may be written in another one, which that one refers to or is a
    copy of. ``subjects`` are those of the caller that the entry names.
    """

    rule: Rule
    entry: ResolvedEntry
    subjects: tuple[str, ...]
    effect: Effect
    relation: Relation

    def is_shown(self, listener: Listener) -> bool:
        """Whether the listener may read the rule, and the entry that brings it in, where they are written."""
        return listener.shows(self.rule.origin) and listener.shows(self.entry.origin)

    @property
    def resource(self) -> str:
        """What the rule is about, as policies write it."""
        return self.rule.resource

    def to_json(self, listener: Listener) -> JsonObject:
        """The rule as ``explain`` prints it.

        ``policyId`` and ``entry`` say where it is written, ``countsAs`` is the label under which
        ``policy-view: resolved`` shows the entry that brings it in. Of what the listener may not read only the effect
        is told (``hidden``), with the policy if an import names it, and the entry if it is one that refers to the rule.
        """
        if not self.is_shown(listener):
            hidden: JsonObject = {"effect": self.effect, "hidden": True}
            if self.rule.policy_id in listener.named:
                hidden["policyId"] = str(self.rule.policy_id)
            return {**hidden, "countsAs": self.entry.label} if listener.shows(self.entry.origin) else hidden
        found: JsonObject = {
            "policyId": str(self.rule.policy_id),
            "entry": self.rule.label,
            "countsAs": self.entry.label,
            "subjects": [*self.subjects],
            "resource": self.resource,
            "effect": self.effect,
            "relation": self.relation,
        }
        return {**found, "namespaces": [*self.entry.namespaces]} if self.entry.namespaces else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer to one question with everything that led to it; ``decided_by`` is ``None`` when nothing is granted.

    ``partial``: something at or below the path is granted, so that a read shows a part. ``elsewhere`` are rules that
    would bear, if their entries were not about other namespaces.
    """

    allowed: bool
    partial: bool
    decided_by: Bearing | None
    bearing: tuple[Bearing, ...]
    elsewhere: tuple[Bearing, ...]

    def to_json(self, listener: Listener = OPERATOR) -> JsonObject:
        """The explanation as HTTP and the command line print it.

        Rules that the listener may not read stand at the end, those that look alike once: neither how many they are nor
        how deep is told. What would bear elsewhere is told only of rules that he may read.
        """
        hidden = [each.to_json(listener) for each in self.bearing if not each.is_shown(listener)]
        rules: list[JsonValue] = [each.to_json(listener) for each in self.bearing if each.is_shown(listener)]
        rules.extend(each for at, each in enumerate(hidden) if each not in hidden[:at])
        found: JsonObject = {
            "allowed": self.allowed,
            "partial": self.partial,
            "decidedBy": None if self.decided_by is None else self.decided_by.to_json(listener),
            "rules": rules,
        }
        elsewhere: list[JsonValue] = [each.to_json(listener) for each in self.elsewhere if each.is_shown(listener)]
        return {**found, "elsewhere": elsewhere} if elsewhere else found


def explain(
    entries: Iterable[ResolvedEntry],
    *,
    subjects: tuple[str, ...],
    namespace: str | None,
    resource_type: str,
    permission: str,
    path: Pointer,
) -> Explanation:
    """Whether the permission is unrestricted at the path, and by which rule.

    The deepest rule decides and a revoke beats a grant of its depth; a revoke below denies, a grant below does not help
    (documentation page *basic-policy*). This walks the plain rules, not the tree, and so stands beside it as a witness.
    """
    found = sorted(_bearing(entries, subjects, resource_type, permission, path), key=_weight)
    bearing = [each for each in found if namespace is None or each.entry.covers(namespace)]
    counting = [each for each in bearing if not (each.relation == "below" and each.effect == "grant")]
    decided_by = counting[-1] if counting else None
    allowed = decided_by is not None and decided_by.effect == "grant"
    return Explanation(
        allowed=allowed,
        partial=allowed or _is_partial(bearing),
        decided_by=decided_by,
        bearing=tuple(bearing),
        elsewhere=tuple(each for each in found if namespace is not None and not each.entry.covers(namespace)),
    )


def _bearing(
    entries: Iterable[ResolvedEntry], subjects: tuple[str, ...], resource_type: str, permission: str, path: Pointer
) -> Iterator[Bearing]:
    for entry in entries:
        named = tuple(subject for subject in subjects if subject in entry.subjects)
        for rule in entry.rules if named else ():
            relation = _relation(rule.path, path) if rule.resource_type == resource_type else None
            if relation is None:
                continue
            if permission in rule.grant:
                yield Bearing(rule=rule, entry=entry, subjects=named, effect="grant", relation=relation)
            if permission in rule.revoke:
                yield Bearing(rule=rule, entry=entry, subjects=named, effect="revoke", relation=relation)


def _is_partial(bearing: list[Bearing]) -> bool:
    """Whether the path is granted whatever is said below it, or a place below it is."""
    here = [each for each in bearing if each.relation != "below"]
    revoked = {each.rule.path for each in bearing if each.effect == "revoke"}
    below = (each for each in bearing if each.relation == "below" and each.effect == "grant")
    return (bool(here) and here[-1].effect == "grant") or any(each.rule.path not in revoked for each in below)


def _weight(bearing: Bearing) -> tuple[int, bool]:
    return len(bearing.rule.path), bearing.effect == "revoke"


def _relation(rule_path: Pointer, path: Pointer) -> Relation | None:
    if rule_path == path:
        return "same"
    if path[: len(rule_path)] == rule_path:
        return "above"
    return "below" if rule_path[: len(path)] == path else None
