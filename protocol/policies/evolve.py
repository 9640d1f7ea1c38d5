"""The next state of a policy after an event; never fails on a recorded event."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from protocol.documents import document_after
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, as_object
from protocol.policies.entries import entries_of
from protocol.policies.state import PolicyState
from protocol.signals import Event

EXPIRED_MAX: Final = 1_000
"""Subjects removed by expiry that a policy remembers; of a caller forgotten it is only said that there is nothing."""


def evolve_policy(state: PolicyState | None, event: Event, *, revision: int, timestamp: datetime) -> PolicyState:
    """The state after ``event``, which got ``revision`` and was recorded at ``timestamp``."""
    policy_id = PolicyId(event.entity_id)
    before: JsonObject = state.document if state is not None else {"policyId": policy_id}
    deleted = event.action == "deleted" and not event.path
    fresh = state is None or state.deleted
    document = before if deleted else document_after(before, event)
    known = () if state is None or fresh or deleted else state.expired
    return PolicyState(
        policy_id=policy_id,
        document=document,
        expired=_expired(known, document, event) if known or event.cause is not None else (),
        revision=revision,
        created=timestamp if state is None or fresh else state.created,
        modified=timestamp,
        deleted=deleted,
    )


def _expired(known: tuple[str, ...], document: JsonObject, event: Event) -> tuple[str, ...]:
    """Who was removed by expiry, without those that are in the policy; a removal brings nobody back."""
    match event:
        case Event(action="deleted", path=("entries", _, "subjects", subject_id), cause="expiry"):
            others = tuple(each for each in known if each != subject_id) if subject_id in known else known
            return (*others, *_absent((subject_id,), document))[-EXPIRED_MAX:]
        case Event(action="deleted"):
            return known
        case _:
            return _absent(known, document)


def _absent(subject_ids: tuple[str, ...], document: JsonObject) -> tuple[str, ...]:
    held = [as_object(entry.get("subjects")) for entry in entries_of(document).values()]
    return tuple(each for each in subject_ids if not any(each in subjects for subjects in held))
