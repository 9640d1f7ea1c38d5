"""Policies made ready to be asked, kept for as long as they and everything that they import stay the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from protocol.context import States, enforcer_of_state
from protocol.enforcement.enforcer import Enforcer
from protocol.identifiers import PolicyId
from protocol.json import JsonValue
from protocol.policies.state import PolicyState

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Composed:
    policy: PolicyState
    roots: tuple[PolicyId, ...]
    others: tuple[tuple[PolicyId, PolicyState | None], ...]
    enforcer: Enforcer


class Enforcers:
    """Enforcers, the longest kept dropped first.

    A policy that nothing else bears on is what its entries say. States in memory share equal entries (see
    ``SharedEntries``), so that the policies of a whole fleet come to one enforcer. The rules of such a one name the
    policy that it was made of first: who wants to name rules asks ``Context.own_enforcer``.

    Any other enforcer is found again only for the very states that it was made of. Both are compared by identity, which
    is cheaper than by value or revision and more exact: a change that was drafted and not appended had a revision too.
    """

    def __init__(self, *, max_entries: int) -> None:
        self._simple: OrderedDict[int, tuple[JsonValue, Enforcer]] = OrderedDict()
        self._composed: OrderedDict[PolicyId, _Composed] = OrderedDict()
        self._max_entries = max_entries

    def __len__(self) -> int:
        return len(self._simple) + len(self._composed)

    def compile(self, policy: PolicyState, policies: States, roots: tuple[PolicyId, ...]) -> Enforcer:
        """The enforcer of a policy with what it imports, as far as ``policies`` knows it."""
        if roots or policy.document.get("imports"):
            return self._compose(policy, policies, roots)
        entries = policy.document.get("entries")
        kept = self._simple.get(id(entries))
        if kept is not None and kept[0] is entries:
            return kept[1]
        enforcer = enforcer_of_state(policy, policies, ())
        if policy.revision:
            self._put(self._simple, id(entries), (entries, enforcer))
        return enforcer

    def _compose(self, policy: PolicyState, policies: States, roots: tuple[PolicyId, ...]) -> Enforcer:
        kept = self._composed.get(policy.policy_id)
        if kept is not None and kept.policy is policy and kept.roots == roots and _same(kept, policies):
            return kept.enforcer
        enforcer = enforcer_of_state(policy, policies, roots)
        if policy.revision:
            made = _Composed(policy, roots, tuple(policies.items()), enforcer)
            self._put(self._composed, policy.policy_id, made)
        return enforcer

    def _put(self, kept: OrderedDict[K, V], key: K, value: V) -> None:
        kept[key] = value
        kept.move_to_end(key)
        if len(kept) > self._max_entries:
            kept.popitem(last=False)


def _same(kept: _Composed, policies: States) -> bool:
    return all(policies.get(policy_id) is state for policy_id, state in kept.others)
