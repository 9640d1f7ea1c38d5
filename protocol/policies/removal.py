"""The removal of an expired subject: a command that only the service itself gives.

No message can say it, so it is not asked whether the sender may. Nor is it asked whether an owner stays: who owns a
policy for good does not expire. Source: Ditto documentation, page *basic-policy*, section on subject expiry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.announcements.watch import subjects_of
from protocol.decision import Decision
from protocol.enforcement.auth import AuthContext
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, same
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event

ANNOUNCER: Final = AuthContext(subjects=("twinlog:announcer",))
"""Who removes expired subjects, as their events name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSubject(Command):
    """Remove a subject from every entry that holds it with exactly this value; ``verb`` is delete."""

    subject_id: str
    subject: JsonObject


def removal(policy_id: PolicyId, subject_id: str, subject: JsonObject) -> RemoveSubject:
    """The command for one subject."""
    path = ("entries",)
    return RemoveSubject(entity_id=policy_id, verb="delete", path=path, subject_id=subject_id, subject=subject)


def decide_removal(command: RemoveSubject, policy: PolicyState | None) -> Decision:
    """One event per entry that holds the subject. Where it has other settings by now, or is gone, nothing happens.

    Ditto tells the removal from several entries as one ``deleted`` of ``/``, which reads like that of the policy.
    """
    document = {} if policy is None or policy.deleted else policy.document
    events = tuple(
        Event(
            entity_id=command.entity_id,
            action="deleted",
            path=("entries", label, "subjects", subject_id),
            cause="expiry",
        )
        for label, subject_id, subject in subjects_of(document)
        if subject_id == command.subject_id and same(subject, command.subject)
    )
    return Decision(entity_id=command.entity_id, verb="delete", path=command.path, status=204, events=events)
