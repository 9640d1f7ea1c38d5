"""Expired subjects go from every entry that holds them as they were when they expired."""

from __future__ import annotations

from dataclasses import replace

from protocol.json import JsonObject
from protocol.policies.removal import decide_removal, removal
from protocol.policies.state import PolicyState
from tests.unit.protocol.policies.scenario import ALICE, BOB, P1, entry, state_of

EXPIRED: JsonObject = {"type": "t", "expiry": "2026-01-01T00:00:00Z"}


def holding(**subjects: JsonObject) -> PolicyState:
    """A policy with an entry for each of these values of the same subject."""
    entries = {label: entry(more={"subjects": {BOB: value}}) for label, value in subjects.items()}
    return state_of({"entries": {**entries}})


def removed(policy: PolicyState | None, *subjects: tuple[str, JsonObject]) -> list[tuple[str, ...]]:
    decision = decide_removal(removal(P1, subjects), policy)
    assert all((event.action, event.cause) == ("deleted", "expiry") for event in decision.events)
    return [event.path for event in decision.events]


def test_a_subject_goes_from_every_entry_that_holds_it() -> None:
    assert removed(holding(one=EXPIRED, two=EXPIRED), (BOB, EXPIRED)) == [
        ("entries", "one", "subjects", BOB),
        ("entries", "two", "subjects", BOB),
    ]


def test_a_subject_that_was_extended_or_has_other_settings_stays() -> None:
    policy = holding(later={**EXPIRED, "expiry": "2027-01-01T00:00:00Z"}, told={**EXPIRED, "announcement": {}})
    assert removed(policy, (BOB, EXPIRED)) == []


def test_others_stay_though_they_have_the_same_value() -> None:
    assert removed(holding(one=EXPIRED), (ALICE, EXPIRED), ("x:y", EXPIRED)) == []


def test_nothing_is_removed_from_a_policy_that_is_gone() -> None:
    assert removed(None, (BOB, EXPIRED)) == []
    assert removed(replace(holding(one=EXPIRED), deleted=True), (BOB, EXPIRED)) == []
