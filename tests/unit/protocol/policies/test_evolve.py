"""The state of a policy through its life: what an event changes and what it keeps."""

from __future__ import annotations

from datetime import timedelta

from protocol.json import JsonObject
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Event
from tests.unit.protocol.policies.scenario import BOB, NOON, P1, entry, owned

DOCUMENT: JsonObject = {"policyId": P1, **owned()}
CREATED = Event(entity_id=P1, action="created", path=(), value=DOCUMENT)
CHANGED = Event(entity_id=P1, action="created", path=("entries", "user"), value=entry(BOB))
DELETED = Event(entity_id=P1, action="deleted", path=())


def after(*events: Event) -> PolicyState:
    """The state after events that were recorded a minute apart."""
    state: PolicyState | None = None
    for revision, event in enumerate(events, start=1):
        state = evolve_policy(state, event, revision=revision, timestamp=NOON + timedelta(minutes=revision))
    assert state is not None
    return state


def test_a_change_keeps_the_time_of_creation() -> None:
    state = after(CREATED, CHANGED)
    assert (state.revision, state.created, state.modified) == (
        2,
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2),
    )
    assert state.document == {"policyId": P1, **owned(user=entry(BOB))}


def test_a_deleted_policy_keeps_its_revision_and_its_last_content() -> None:
    state = after(CREATED, DELETED)
    assert (state.deleted, state.revision, state.document) == (True, 2, DOCUMENT)


def test_a_policy_that_is_created_again_begins_anew_and_goes_on_counting() -> None:
    state = after(CREATED, CHANGED, DELETED, CREATED)
    assert (state.deleted, state.revision, state.document) == (False, 4, DOCUMENT)
    assert state.created == state.modified == NOON + timedelta(minutes=4)
