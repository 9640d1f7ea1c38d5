"""Who was removed because the time was over is remembered, and told so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.context import Context
from protocol.enforcement.enforce import enforce, enforce_history
from protocol.errors import AuthenticationFailed, PolicyNotFound, ThingNotFound
from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonObject, dump
from protocol.policies.evolve import EXPIRED_MAX, evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event
from protocol.stored import published_headers, restore_event, restore_state, store_event, store_state
from protocol.things.state import ThingState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
POLICY, THING = PolicyId("farm.one:p"), ThingId("farm.one:t")
APP = "farm:app"
EVERYTHING: JsonObject = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("thing:/", "policy:/")}
DOCUMENT: JsonObject = {
    "policyId": POLICY,
    "entries": {
        "owner": {"subjects": {"nginx:owner": {"type": "t"}}, "resources": EVERYTHING},
        "app": {"subjects": {APP: {"type": "t", "expiry": "2026-05-01T11:00:00Z"}}, "resources": EVERYTHING},
    },
}
CREATED = Event(entity_id=POLICY, action="created", path=(), value=DOCUMENT)


def gone(subject: str = APP, *, by_expiry: bool = True) -> Event:
    path = ("entries", "app", "subjects", subject)
    return Event(entity_id=POLICY, action="deleted", path=path, cause="expiry" if by_expiry else None)


def back(label: str = "app") -> Event:
    path = ("entries", label, "subjects", APP)
    return Event(entity_id=POLICY, action="created", path=path, value={"type": "t"})


def after(*events: Event) -> PolicyState:
    state: PolicyState | None = None
    for revision, event in enumerate(events, start=1):
        state = evolve_policy(state, event, revision=revision, timestamp=NOW)
    assert state is not None
    return state


def test_a_subject_removed_by_expiry_is_remembered_until_it_is_back() -> None:
    assert after(CREATED, gone()).expired == (APP,)
    assert after(CREATED, gone(), gone("x:y")).expired == (APP, "x:y")
    assert after(CREATED, gone(), gone("x:y"), gone()).expired == ("x:y", APP)
    assert after(CREATED, gone(), back()).expired == ()
    assert after(CREATED, gone(), back("owner")).expired == ()
    assert after(CREATED, gone(by_expiry=False)).expired == ()


def test_a_subject_that_is_still_in_another_entry_has_not_expired() -> None:
    assert after(CREATED, back("owner"), gone()).expired == ()


def test_a_policy_that_is_deleted_or_made_anew_remembers_nobody() -> None:
    deleted = Event(entity_id=POLICY, action="deleted", path=())
    assert after(CREATED, gone(), deleted).expired == ()
    assert after(CREATED, gone(), deleted, CREATED).expired == ()


def test_the_memory_is_bounded_and_keeps_the_latest() -> None:
    state = after(CREATED, *(gone(f"x:{number}") for number in range(EXPIRED_MAX + 5)))
    assert len(state.expired) == EXPIRED_MAX
    assert state.expired[-1] == f"x:{EXPIRED_MAX + 4}"


def test_it_survives_being_stored() -> None:
    state = after(CREATED, gone())
    stored = store_state(state)
    restored = restore_state(f"policy:{POLICY}", stored, revision=2, created=NOW, modified=NOW, deleted=False)
    assert restored == state
    assert store_state(after(CREATED)) == dump(DOCUMENT)


def test_the_cause_is_stored_with_the_event() -> None:
    kind, path, value, headers = store_event(gone(), {"ditto-originator": "twinlog:announcer"})
    assert restore_event(f"policy:{POLICY}", kind, path, value, headers) == gone()
    assert b"expiry" in published_headers(headers)
    kind, path, value, headers = store_event(back(), {})
    assert restore_event(f"policy:{POLICY}", kind, path, value, headers) == back()


THING_STATE = ThingState(
    thing_id=THING,
    policy_id=POLICY,
    document={"thingId": THING, "policyId": POLICY},
    revision=1,
    created=NOW,
    modified=NOW,
    size=1,
)


def context(policy: PolicyState, subject: str, *, token: bool = True) -> Context:
    claims: JsonObject | None = {"sub": subject} if token else None
    return Context(now=NOW, subjects=(subject,), claims=claims, policies={POLICY: policy})


@pytest.mark.parametrize("verb", ["retrieve", "modify", "delete"])
def test_a_token_that_expired_is_401_and_one_that_never_was_there_404(verb: str) -> None:
    policy = after(CREATED, gone())
    for entity, state, hidden in ((THING, THING_STATE, ThingNotFound), (POLICY, policy, PolicyNotFound)):
        command = Command(entity_id=entity, verb=verb, path=(), value={})  # type: ignore[arg-type]  # a verb by its name
        with pytest.raises(AuthenticationFailed):
            enforce(command, state, context(policy, APP))
        for stranger in (context(policy, "farm:other"), context(policy, APP, token=False)):
            with pytest.raises(hidden):
                enforce(command, state, stranger)
        with pytest.raises(AuthenticationFailed):
            enforce_history(command, state, context(policy, APP))


def test_a_token_that_is_back_is_let_in() -> None:
    policy = after(CREATED, gone(), back())
    enforce(Command(entity_id=THING, verb="retrieve", path=()), THING_STATE, context(policy, APP))
