"""What a command has to know beside its own entity: the policy that governs it, and whatever it refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeAlias

from eventstore.events import StreamName
from protocol.context import Context, Limits, States, documents
from protocol.enforcement.auth import AuthContext
from protocol.enforcement.enforce import governing_policy
from protocol.enforcement.enforcer import Enforcer
from protocol.entities import EntityState
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.immutable import immutable
from protocol.policies.resolve import policies_imported
from protocol.policies.state import PolicyState
from protocol.signals import Command
from protocol.things.state import ThingState
from services.commanding.rules import needed_entities, stream_name

Compile: TypeAlias = Callable[[PolicyState, States, tuple[PolicyId, ...]], Enforcer]
"""Makes a policy ready to be asked; see ``Enforcers``."""


@immutable
class Surrounding:
    """A context, and the states by stream that it was made of."""

    context: Context
    seen: Mapping[StreamName, EntityState | None]


class Surroundings:
    """Contexts made from known states. Commands under the same policy share one for as long as it does not change."""

    def __init__(
        self,
        states: Mapping[StreamName, EntityState | None],
        *,
        now: datetime,
        limits: Limits,
        compile: Compile,  # noqa: A002 - as in ``Context``
    ) -> None:
        """``states`` are those that are known so far; who fills them in calls ``forget`` when one changes."""
        self._states = states
        self._now = now
        self._limits = limits
        self._compile = compile
        self._governed: dict[tuple[PolicyId | None, tuple[str, ...], int | None], Surrounding] = {}

    def forget(self) -> None:
        """The state of a policy has changed."""
        self._governed.clear()

    def of(
        self, command: Command, state: EntityState | None, auth: AuthContext
    ) -> Surrounding | tuple[StreamName, ...]:
        """The surrounding of a command on an entity in this state, or the streams to learn first."""
        policy_id = None if state is None else governing_policy(state)
        key = (policy_id, auth.subjects, None if auth.claims is None else id(auth.claims))
        governed = self._governed.get(key)
        if governed is None:
            found = self.about((), auth, None) if policy_id is None else self._under(policy_id, auth)
            if isinstance(found, tuple):
                return found
            governed = self._governed[key] = found
        wanted = needed_entities(command, state, governed.context)
        return governed if not wanted else self._wider(command, state, auth, policy_id, wanted)

    def _under(self, policy_id: PolicyId, auth: AuthContext) -> Surrounding | tuple[StreamName, ...]:
        """What ``about`` says about one policy, in short for the many that nothing else bears on."""
        stream = stream_name(policy_id)
        if stream not in self._states:
            return (stream,)
        state = self._states[stream]
        context = context_under(state, auth, self._now, self._limits, self._compile)
        if context is None:
            return self.about((policy_id,), auth, policy_id)
        return Surrounding(context=context, seen={stream: state})

    def _wider(
        self,
        command: Command,
        state: EntityState | None,
        auth: AuthContext,
        policy_id: PolicyId | None,
        wanted: tuple[EntityId, ...],
    ) -> Surrounding | tuple[StreamName, ...]:
        """The surrounding of a command that refers to other entities, which may refer to further ones."""
        entities: dict[EntityId, None] = {} if policy_id is None else {policy_id: None}
        while True:
            entities.update(dict.fromkeys(wanted))
            found = self.about(entities, auth, policy_id)
            if isinstance(found, tuple):
                return found
            wanted = tuple(each for each in needed_entities(command, state, found.context) if each not in entities)
            if not wanted:
                return found

    def about(
        self, entities: Iterable[EntityId], auth: AuthContext, governing: PolicyId | None
    ) -> Surrounding | tuple[StreamName, ...]:
        """Everything known about these entities and the policies behind them."""
        gathered = Gathered(self._states)
        for entity_id in entities:
            gathered.add(entity_id)
        for policy_id in list(gathered.policies):
            gathered.add_imports(policy_id, self._limits)
        if gathered.missing:
            return tuple(gathered.missing)
        context = self._context(auth, governing, gathered.policies, gathered.things)
        return Surrounding(context=context, seen=gathered.seen)

    def _context(
        self,
        auth: AuthContext,
        governing: PolicyId | None,
        policies: States,
        things: Mapping[ThingId, ThingState | None],
    ) -> Context:
        return Context(
            now=self._now,
            subjects=auth.subjects,
            claims=auth.claims,
            policies=policies,
            things=things,
            limits=self._limits,
            governing=governing,
            compile=self._compile,
        )


def context_alone(
    auth: AuthContext,
    now: datetime,
    limits: Limits,
    compile: Compile,  # noqa: A002 - as in ``Context``
) -> Context:
    """The context of what no policy governs."""
    return Context(now=now, subjects=auth.subjects, claims=auth.claims, limits=limits, compile=compile)


def context_under(
    policy: EntityState | None,
    auth: AuthContext,
    now: datetime,
    limits: Limits,
    compile: Compile,  # noqa: A002 - as in ``Context``
) -> Context | None:
    """The context of what this policy governs; nothing if there is no such policy, or others bear on it, too."""
    if not isinstance(policy, PolicyState) or limits.root_policies or policy.document.get("imports"):
        return None
    return Context(
        now=now,
        subjects=auth.subjects,
        claims=auth.claims,
        policies={policy.policy_id: policy},
        limits=limits,
        governing=policy.policy_id,
        compile=compile,
    )


class Gathered:
    """Entities with what governs them, as far as it is known; the rest is ``missing``."""

    def __init__(self, states: Mapping[StreamName, EntityState | None]) -> None:
        self._states = states
        self.policies: dict[PolicyId, PolicyState | None] = {}
        self.things: dict[ThingId, ThingState | None] = {}
        self.seen: dict[StreamName, EntityState | None] = {}
        self.missing: dict[StreamName, None] = {}

    def add(self, entity_id: EntityId) -> bool:
        """Note an entity, and for a thing its policy; whether all of it is known."""
        stream = stream_name(entity_id)
        if stream not in self._states:
            self.missing[stream] = None
            return False
        state = self.seen[stream] = self._states[stream]
        if isinstance(entity_id, PolicyId):
            self.policies[entity_id] = state if isinstance(state, PolicyState) else None
            return True
        thing = self.things[entity_id] = state if isinstance(state, ThingState) else None
        return thing is None or thing.policy_id is None or self.add(thing.policy_id)

    def add_imports(self, policy_id: PolicyId, limits: Limits) -> None:
        """Note what the policy imports, and the root policies that count for it."""
        for root in limits.roots_of(policy_id):
            self.add(root)
        state = self.policies.get(policy_id)
        if state is None or state.deleted or not state.document.get("imports"):
            return
        while imported := policies_imported(state.document, documents(self.policies)):
            known = [self.add(each) for each in imported]
            if not all(known):
                return
