"""Sentences about things: ``given(thing).when("delete", "/attributes").then(deleted("/attributes"), status=204)``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from protocol.context import Context, Limits
from protocol.decision import Decision
from protocol.entities import respond
from protocol.errors import DittoError
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import parse
from protocol.policies.state import PolicyState, default_policy
from protocol.signals import Action, Command, Event, Response, Verb
from protocol.things.creation import entities_needed
from protocol.things.decide import decide
from protocol.things.evolve import evolve
from protocol.things.state import ThingState

PUMP = ThingId.parse("farm.one:pump-7")
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ALICE = "nginx:alice"
ALONE = Context(now=NOON, subjects=(ALICE,))


def created(value: JsonObject, path: str = "/") -> Event:
    return _event("created", path, value)


def modified(path: str, value: JsonValue) -> Event:
    return _event("modified", path, value)


def merged(path: str, value: JsonValue) -> Event:
    return _event("merged", path, value)


def deleted(path: str = "/") -> Event:
    return _event("deleted", path, MISSING)


def born(path: str, value: JsonValue) -> Event:
    """A sub-resource that came to be by a modify."""
    return _event("created", path, value)


def policy_created(policy_id: str, policy: JsonObject) -> Event:
    return Event(entity_id=PolicyId.parse(policy_id), action="created", path=(), value=policy)


def pump(**members: JsonValue) -> JsonObject:
    return {"thingId": PUMP, "policyId": PUMP, **members}


def policy_of(subject: str, policy_id: str = PUMP) -> JsonObject:
    return default_policy(PolicyId.parse(policy_id), subject)


def given(*events: Event) -> Scenario:
    """The thing after these events; nothing at all without any."""
    state = None
    for revision, event in enumerate(events, start=1):
        state = evolve(state, event, revision=revision, timestamp=NOON)
    return Scenario(state=state)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    state: ThingState | None
    context: Context = ALONE

    def with_policy(self, policy_id: str, document: JsonObject | None = None, *, gone: bool = False) -> Scenario:
        known = PolicyId.parse(policy_id)
        document = policy_of("nginx:owner", policy_id) if document is None else document
        state = PolicyState(policy_id=known, document=document, revision=1, created=NOON, modified=NOON, deleted=gone)
        return replace(self, context=replace(self.context, policies={**self.context.policies, known: state}))

    def with_thing(self, thing_id: str, document: JsonObject) -> Scenario:
        known = ThingId.parse(thing_id)
        event = Event(entity_id=known, action="created", path=(), value=document)
        state = evolve(None, event, revision=1, timestamp=NOON)
        return replace(self, context=replace(self.context, things={**self.context.things, known: state}))

    def with_limits(self, limits: Limits) -> Scenario:
        return replace(self, context=replace(self.context, limits=limits))

    def with_subjects(self, *subjects: str) -> Scenario:
        return replace(self, context=replace(self.context, subjects=subjects))

    def when(
        self,
        verb: Verb,
        path: str = "/",
        value: JsonValue | Missing = MISSING,
        *,
        fields: str | None = None,
        headers: JsonObject | None = None,
    ) -> Outcome:
        command = Command(
            entity_id=PUMP, verb=verb, path=parse(path), value=value, fields=fields, headers=headers or {}
        )
        try:
            return Outcome(command=command, scenario=self, decision=decide(command, self.state, self.context))
        except DittoError as error:
            return Outcome(command=command, scenario=self, error=error)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    command: Command
    scenario: Scenario
    decision: Decision | None = None
    error: DittoError | None = None

    def then(self, *events: Event, status: int, value: JsonValue | Missing = MISSING) -> Outcome:
        assert self.error is None, f"{type(self.error).__name__}: {self.error}"
        assert self.decision is not None
        assert list(self.decision.events) == list(events)
        assert (self.decision.status, self.decision.value) == (status, value)
        return self

    def refused(self, code: str, status: int) -> DittoError:
        assert self.error is not None, f"not refused: {self.decision}"
        assert (self.error.code, self.error.status) == (code, status)
        return self.error

    @property
    def needs(self) -> list[tuple[str, str]]:
        needed = entities_needed(self.command, self.scenario.state, self.scenario.context)
        return [(type(entity).__name__, str(entity)) for entity in needed]

    @property
    def state(self) -> ThingState:
        """The thing afterwards."""
        assert self.error is None, f"{type(self.error).__name__}: {self.error}"
        assert self.decision is not None
        state = self.scenario.state
        for event in self.decision.events:
            if event.entity_id == PUMP and isinstance(event.entity_id, ThingId):
                state = evolve(state, event, revision=state.revision + 1 if state else 1, timestamp=NOON)
        assert state is not None
        return state

    @property
    def response(self) -> Response:
        assert self.decision is not None
        return respond(self.decision, self.state)


def _event(action: Action, path: str, value: JsonValue | Missing) -> Event:
    return Event(entity_id=PUMP, action=action, path=parse(path), value=value)
