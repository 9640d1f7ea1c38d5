"""What a decision is made with, beside the command and the state of its entity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from protocol.enforcement.enforcer import Enforcer
from protocol.enforcement.rules import matches
from protocol.errors import AuthenticationFailed, DittoError
from protocol.identifiers import PolicyId, ThingId
from protocol.immutable import immutable
from protocol.json import JsonObject
from protocol.policies.expiry import Granularity
from protocol.policies.resolve import compile_policy
from protocol.policies.state import PolicyState
from protocol.things.state import ThingState

States: TypeAlias = Mapping[PolicyId, PolicyState | None]
"""Policies by id; ``None`` for one that never was."""


RootPolicies: TypeAlias = tuple[tuple[str, PolicyId], ...]
"""Pairs of a namespace pattern and a policy."""

EVERYWHERE: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator decides: sizes in characters of JSON, nesting counted from the root, and rules for policies.

    ``drop_emptied``: whether the objects that patch conditions leave without a member are taken out of the patch too.

    ``root_policies`` are pairs of a namespace pattern (exact, ``a.b.*`` for those below ``a.b``, ``*`` for all) and the
    policy whose implicit entries are added to every policy in these namespaces (documentation page *basic-policy*,
    namespace root policies). ``integration_subject`` is the
    template of the subjects that token integrations get.
    """

    thing_characters: int = 102_400
    policy_characters: int = 102_400
    depth: int = 64
    drop_emptied: bool = False
    granularity: Granularity = field(default_factory=Granularity)
    prevents_lockout: bool = True
    root_policies: RootPolicies = ()
    integration_subject: str = "integration:{{policy-entry:label}}:{{jwt:aud}}"

    def roots_of(self, policy_id: PolicyId) -> tuple[PolicyId, ...]:
        """The root policies that count for a policy."""
        return roots_of(policy_id, self.root_policies)


DEFAULT_LIMITS = Limits()


def roots_of(policy_id: PolicyId, root_policies: RootPolicies) -> tuple[PolicyId, ...]:
    """The root policies that count for a policy; none counts for itself."""
    if not root_policies:
        return ()
    namespace = policy_id.namespace
    found = (root for pattern, root in root_policies if pattern == EVERYWHERE or matches(pattern, namespace))
    return tuple(dict.fromkeys(root for root in found if root != policy_id))


def enforcer_of_state(policy: PolicyState, policies: States, roots: tuple[PolicyId, ...]) -> Enforcer:
    """The enforcer of a policy with what it imports, as far as ``policies`` knows it."""
    return compile_policy(policy.document, documents(policies), roots=roots)


def documents(policies: States) -> dict[PolicyId, JsonObject | None]:
    """The documents of the policies that exist."""
    return {key: None if state is None or state.deleted else state.document for key, state in policies.items()}


@immutable
class Context:
    """What a decision may know beside the command and its entity.

    ``subjects`` are the authenticated ones, the first being the default subject, and ``claims`` those of the token that
    they come from if they come from one. ``policies`` and ``things`` hold what was asked for beforehand, with ``None``
    for what does not exist. ``governing`` is the policy that governs the entity today, which neither the state that the
    caller may see nor that of the past has to tell; ``None`` where nobody is asked for permissions. ``compile`` may
    remember what it made, also of another policy that says the same.
    """

    now: datetime
    subjects: tuple[str, ...]
    claims: JsonObject | None = None
    policies: States = field(default_factory=dict)
    things: Mapping[ThingId, ThingState | None] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    governing: PolicyId | None = None
    compile: Callable[[PolicyState, States, tuple[PolicyId, ...]], Enforcer] = enforcer_of_state

    @property
    def token_subjects(self) -> frozenset[str]:
        """The subjects that a token names: all of them or none."""
        return frozenset() if self.claims is None else frozenset(self.subjects)

    def refusal(self, error: DittoError, policy: PolicyState | None) -> DittoError:
        """The error, unless a subject of the caller's token was in the policy until its time was over.

        Whoever once had access is told that it has ended (401) instead of that there is nothing.
        """
        if policy is not None and policy.expired and not self.token_subjects.isdisjoint(policy.expired):
            return AuthenticationFailed("Your access has expired.", "Ask an owner of the policy to renew it.")
        return error

    def policy(self, policy_id: PolicyId) -> PolicyState | None:
        """The policy if it is known to exist."""
        state = self.policies.get(policy_id)
        return None if state is None or state.deleted else state

    def enforcer(self, policy_id: PolicyId | None) -> Enforcer | None:
        """Who may do what under a policy; nothing if there is no such policy."""
        state = None if policy_id is None else self.policy(policy_id)
        return None if state is None else self.enforcer_of(state)

    def enforcer_of(self, policy: PolicyState) -> Enforcer:
        """Who may do what under this state of a policy, which may be one that is only about to be."""
        roots = roots_of(policy.policy_id, self.limits.root_policies) if self.limits.root_policies else ()
        return self.compile(policy, self.policies, roots)

    def own_enforcer(self, policy: PolicyState) -> Enforcer:
        """One that was made of this very policy: its rules name it. Whatever else is asked it answers the same."""
        return enforcer_of_state(policy, self.policies, self.limits.roots_of(policy.policy_id))
