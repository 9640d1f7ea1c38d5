"""The removal of expired subjects: an internal command that only the announcer submits.

No client can send it, so it is not authorized. Nor is it checked that an owner remains: a policy is owned by a subject
without expiry. Source: Ditto documentation, page *basic-policy*, section on subject expiry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol.decision import Decision
from protocol.enforcement.auth import AuthContext
from protocol.identifiers import PolicyId
from protocol.immutable import immutable
from protocol.json import JsonObject, same
from protocol.policies.entries import subjects_of
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event

ANNOUNCER: Final = AuthContext(subjects=("twinlog:announcer",))
"""The originator of the events that remove expired subjects."""


@immutable
class RemoveSubjects(Command):
    """Remove subjects (pairs of id and value) from every entry that holds them with exactly that value."""

    subjects: tuple[tuple[str, JsonObject], ...]


def removal(policy_id: PolicyId, subjects: Iterable[tuple[str, JsonObject]]) -> RemoveSubjects:
    """The command that removes these subjects from a policy."""
    return RemoveSubjects(entity_id=policy_id, verb="delete", path=("entries",), subjects=tuple(subjects))


def decide_removal(command: RemoveSubjects, policy: PolicyState | None) -> Decision:
    """One event per entry and subject. A subject that has changed or left since the command was made is not touched.

    Ditto emits one ``deleted`` of ``/`` for a removal from several entries, which looks like the policy's deletion.
    """
    document = {} if policy is None or policy.deleted else policy.document
    meant: dict[str, list[JsonObject]] = {}
    for subject_id, subject in command.subjects:
        meant.setdefault(subject_id, []).append(subject)
    events = tuple(
        Event(
            entity_id=command.entity_id,
            action="deleted",
            path=("entries", label, "subjects", subject_id),
            cause="expiry",
        )
        for label, subject_id, subject in subjects_of(document)
        if any(same(subject, each) for each in meant.get(subject_id, ()))
    )
    return Decision(entity_id=command.entity_id, verb="delete", path=command.path, status=204, events=events)
