"""Policies made ready to be asked, kept for as long as they and everything that they import stay the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from protocol.context import States, compiled_policy
from protocol.enforcement.enforcer import Enforcer
from protocol.identifiers import PolicyId
from protocol.policies.state import PolicyState


@dataclass(frozen=True, slots=True)
class _Kept:
    policy: PolicyState
    roots: tuple[PolicyId, ...]
    others: tuple[tuple[PolicyId, PolicyState | None], ...]
    enforcer: Enforcer


class Enforcers:
    """Enforcers by policy, the longest unused dropped first.

    An enforcer is found again only for the very states that it was made of. States are compared by identity, which is
    cheaper than by revision and more exact: a change that was drafted and not appended had a revision too.
    """

    def __init__(self, *, max_entries: int) -> None:
        self._kept: OrderedDict[PolicyId, _Kept] = OrderedDict()
        self._max_entries = max_entries

    def __len__(self) -> int:
        return len(self._kept)

    def compile(self, policy: PolicyState, policies: States, roots: tuple[PolicyId, ...]) -> Enforcer:
        """The enforcer of a policy with what it imports, as far as ``policies`` knows it."""
        kept = self._kept.get(policy.policy_id)
        if kept is not None and kept.policy is policy and kept.roots == roots and _same(kept, policies):
            self._kept.move_to_end(policy.policy_id)
            return kept.enforcer
        enforcer = compiled_policy(policy, policies, roots)
        if policy.revision:
            simple = not roots and not policy.document.get("imports")
            others = () if simple else tuple(policies.items())
            self._kept[policy.policy_id] = _Kept(policy, roots, others, enforcer)
            self._kept.move_to_end(policy.policy_id)
            if len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)
        return enforcer


def _same(kept: _Kept, policies: States) -> bool:
    return all(policies.get(policy_id) is state for policy_id, state in kept.others)
