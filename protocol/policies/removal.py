"""The removal of expired subjects: a command that only the service itself gives.

No message can say it, so it is not asked whether the sender may. Nor is it asked whether an owner stays: who owns a
policy for good does not expire. Source: Ditto documentation, page *basic-policy*, section on subject expiry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol.announcements.watch import subjects_of
from protocol.decision import Decision
from protocol.enforcement.auth import AuthContext
from protocol.identifiers import PolicyId
from protocol.immutable import immutable
from protocol.json import JsonObject, same
from protocol.policies.state import PolicyState
from protocol.signals import Command, Event

ANNOUNCER: Final = AuthContext(subjects=("twinlog:announcer",))
"""Who removes expired subjects, as their events name it."""


@immutable
class RemoveSubjects(Command):
    """Remove subjects, pairs of id and value, from every entry that holds them just so; ``verb`` is delete."""

    subjects: tuple[tuple[str, JsonObject], ...]


def removal(policy_id: PolicyId, subjects: Iterable[tuple[str, JsonObject]]) -> RemoveSubjects:
    """The command for some subjects of a policy."""
    return RemoveSubjects(entity_id=policy_id, verb="delete", path=("entries",), subjects=tuple(subjects))


def decide_removal(command: RemoveSubjects, policy: PolicyState | None) -> Decision:
    """One event per entry and subject. Where one has other settings by now, or is gone, nothing happens to it.

    Ditto tells the removal from several entries as one ``deleted`` of ``/``, which reads like that of the policy.
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
