"""What policies say about reading things, subject by subject, in the form that a query can join."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protocol.enforcement.rules import ResolvedEntry, Rule
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue, canonical, parse
from protocol.pointers import parse as parse_path
from protocol.pointers import text
from protocol.policies.resolve import Policies, resolve_policy

READ = "READ"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantClass:
    """Rules about reading that some subject has in some policy, for things in ``namespaces`` (empty: in all).

    Policies of a fleet resemble each other, so there are few classes, and a query decides per class, not per policy.
    """

    name: str
    namespaces: tuple[str, ...]
    rules: tuple[Rule, ...]


def grant_rows(
    document: JsonObject, policies: Policies, roots: Iterable[PolicyId] = ()
) -> Iterator[tuple[str, str, bytes]]:
    """Subject, class and rules of every row that the policy has in ``search_grants``, root policies counted."""
    said: dict[str, dict[tuple[str, ...], set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
    for entry in resolve_policy(document, policies, roots=roots):
        rules = set(_readings(entry))
        if rules:
            for subject in entry.subjects:
                said[subject][entry.namespaces].update(rules)
    for subject, scopes in said.items():
        for namespaces, rules in scopes.items():
            written = canonical(
                {"namespaces": [*sorted(set(namespaces))], "rules": [[path, effect] for path, effect in sorted(rules)]}
            )
            yield subject, hashlib.blake2b(written, digest_size=12).hexdigest(), written


def read_class(name: str, written: bytes) -> GrantClass:
    """The class that a row of ``search_grants`` describes."""
    match parse(written, max_depth=1_000):
        case {"namespaces": list(namespaces), "rules": list(rules)}:
            return GrantClass(name=name, namespaces=tuple(map(str, namespaces)), rules=tuple(map(_rule, rules)))
        case _:
            raise ValueError(f"no rules of a class: {written[:200]!r}")


def _readings(entry: ResolvedEntry) -> Iterator[tuple[str, str]]:
    """Path and effect of the rules of an entry that speak of reading things; a revoke beside a grant wins."""
    for rule in entry.rules:
        if rule.resource_type == "thing":
            if READ in rule.revoke:
                yield text(rule.path), "revoke"
            elif READ in rule.grant:
                yield text(rule.path), "grant"


def _rule(written: JsonValue) -> Rule:
    match written:
        case [str(path), "grant" | "revoke" as effect]:
            mine, none = frozenset({READ}), frozenset[str]()
            return Rule(
                policy_id=PolicyId(":"),
                label="",
                resource_type="thing",
                path=parse_path(path),
                grant=mine if effect == "grant" else none,
                revoke=mine if effect == "revoke" else none,
            )
        case _:
            raise ValueError(f"no rule of a class: {written!r}")
