"""Sentences about policies: ``given(policy).when("delete", "/entries/user").then("deleted", 204)``."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from protocol.context import Context, Limits
from protocol.decision import Decision
from protocol.errors import DittoError
from protocol.identifiers import PolicyId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import parse_policy_path
from protocol.policies.decide import decide_policy
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Command, Verb

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ALICE = "nginx:alice"
BOB = "nginx:bob"
ALONE = Context(now=NOON, subjects=(ALICE,))
P1 = PolicyId.parse("farm.one:p1")
BASE = PolicyId.parse("farm.base:common")


def rights(*grant: str, revoke: tuple[str, ...] = ()) -> JsonObject:
    return {"grant": [*grant], "revoke": [*revoke]}


def entry(*subjects: str, importable: str = "implicit", more: JsonObject | None = None, **_: object) -> JsonObject:
    return {
        "subjects": {subject: {"type": "t"} for subject in subjects},
        "resources": {},
        "importable": importable,
        **(more or {}),
    }


def owned(owner: str = ALICE, **entries: JsonValue) -> JsonObject:
    """A policy with an owner entry beside others."""
    resources: JsonObject = {key: rights("READ", "WRITE") for key in ("thing:/", "policy:/", "message:/")}
    return {"entries": {"owner": entry(owner, more={"resources": resources}), **entries}}


def state_of(document: JsonObject, policy_id: PolicyId = P1, revision: int = 1) -> PolicyState:
    stored = {"policyId": policy_id, **deepcopy(document)}
    return PolicyState(policy_id=policy_id, document=stored, revision=revision, created=NOON, modified=NOON)


def given(document: JsonObject | None = None) -> Scenario:
    return Scenario(state=None if document is None else state_of(document))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    state: PolicyState | None
    context: Context = ALONE

    def beside(self, document: JsonObject, policy_id: PolicyId = BASE) -> Scenario:
        known = {**self.context.policies, policy_id: state_of(document, policy_id)}
        return replace(self, context=replace(self.context, policies=known))

    def with_limits(self, limits: Limits) -> Scenario:
        return replace(self, context=replace(self.context, limits=limits))

    def when(
        self,
        verb: Verb,
        path: str = "/",
        value: JsonValue | Missing = MISSING,
        *,
        fields: str | None = None,
        **headers: JsonValue,
    ) -> Outcome:
        named = {name.replace("_", "-"): header for name, header in headers.items()}
        command = Command(
            entity_id=P1, verb=verb, path=parse_policy_path(path), value=value, fields=fields, headers=named
        )
        try:
            return Outcome(scenario=self, decision=decide_policy(command, self.state, self.context))
        except DittoError as error:
            return Outcome(scenario=self, error=error)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    scenario: Scenario
    decision: Decision | None = None
    error: DittoError | None = None

    def then(self, action: str | None, status: int, value: JsonValue | Missing = MISSING) -> PolicyState | None:
        assert self.error is None, f"{type(self.error).__name__}: {self.error}"
        assert self.decision is not None
        assert [event.action for event in self.decision.events] == ([] if action is None else [action])
        assert (self.decision.status, self.decision.value) == (status, value)
        state = self.scenario.state
        for event in self.decision.events:
            state = evolve_policy(state, event, revision=(state.revision if state else 0) + 1, timestamp=NOON)
        return state

    def refused(self, code: str, status: int) -> None:
        assert self.error is not None, f"not refused: {self.decision}"
        assert (self.error.code, self.error.status) == (code, status)
