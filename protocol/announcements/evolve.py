"""The watched subjects of a policy after one more event of the policy or record of an announcement.

Never fails on a recorded event and reads no clock: the watches follow from the log alone, so their read model can be
rebuilt at any time. Source of the rules: Ditto documentation, page *basic-policy*, section on announcements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from protocol.announcements.records import Acknowledged, Announced, Failed, Published, Record
from protocol.announcements.watch import (
    AT_ONCE,
    Ack,
    Watch,
    is_watched,
    randomization_factor,
    requests_redelivery,
    watch_id,
)
from protocol.json import MISSING, JsonObject, as_object, canonical
from protocol.pointers import ROOT, Pointer
from protocol.policies.entries import entries_of
from protocol.policies.state import PolicyState

DEFAULT_RANDOMIZATION = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """A policy and its watched subjects by watch id, at one revision of the policy and one of its announcements.

    ``told_revision`` is the revision of the policy's stream of announcements. A watch that has ended stays until
    another one of its subject begins.
    """

    policy: PolicyState | None = None
    told_revision: int = 0
    watches: Mapping[str, Watch] = field(default_factory=dict)

    @property
    def next_at(self) -> datetime | None:
        """When the next watch is due; ``None`` if none ever is."""
        return min((watch.next_at for watch in self.watches.values() if watch.next_at is not None), default=None)


def after_change(
    watching: Watching,
    policy: PolicyState,
    *,
    by_announcer: bool,
    path: Pointer = ROOT,
    randomization: timedelta = DEFAULT_RANDOMIZATION,
) -> Watching:
    """The watches after an event of the policy that led to the state ``policy``.

    ``by_announcer`` says that the service itself caused the event, by removing expired subjects. ``path`` is that of
    the event or any above it: nothing outside was changed. A removed subject is announced if its settings ask for that
    (``whenDeleted``) and its expiry was not announced before. A subject whose id is still in the policy, with other
    settings or in another entry, is not announced: its access was extended, and the old watch ends as ``replaced``.
    Only subjects that the event changed are looked at, so the cost does not grow with the number of subjects.
    """
    document = {} if policy.deleted else policy.document
    changed = _changed(_entries_before(watching), document, path)
    if not changed:
        return replace(watching, policy=policy)
    present = {(each, canonical(subject)): subject for each, subject in _occurrences(document, changed)}
    ids = {subject_id for subject_id, _ in present}
    at = policy.modified
    watches = dict(watching.watches)
    kept: set[tuple[str, bytes]] = set()
    for watch in [each for each in watches.values() if each.subject_id in changed and each.stage != "ended"]:
        identity = (watch.subject_id, canonical(watch.subject))
        if watch.gone_at is None and identity in present:
            kept.add(identity)
        elif watch.subject_id in ids:
            watches[watch.watch_id] = _ended(watch, "replaced", at)
        elif watch.gone_at is None:
            watches[watch.watch_id] = _removed(watch, at, by_announcer=by_announcer)
    fresh = {key: subject for key, subject in present.items() if key not in kept and is_watched(subject)}
    if fresh:
        again = {subject_id for subject_id, _ in fresh}
        for old in [each for each in watches.values() if each.stage == "ended" and each.subject_id in again]:
            del watches[old.watch_id]
        watches.update((watch.watch_id, watch) for watch in _new_watches(policy, fresh, randomization))
    return replace(watching, policy=policy, watches=watches)


def _entries_before(watching: Watching) -> JsonObject:
    policy = watching.policy
    return {} if policy is None or policy.deleted else policy.document


def _changed(before: JsonObject, after: JsonObject, path: Pointer) -> set[str]:
    """The ids of subjects that were added, removed or changed in any entry.

    Consecutive states share the parts that the event did not change, so identity is enough to compare them.
    """
    if before.get("entries") is after.get("entries"):
        return set()
    match path:
        case ("entries", _, "subjects", subject_id, *_) if before:
            return {subject_id}
    old, new = entries_of(before), entries_of(after)
    found: set[str] = set()
    for label in old.keys() | new.keys():
        one, other = _subjects(old.get(label, {})), _subjects(new.get(label, {}))
        if one is not other:
            found.update(each for each, value in other.items() if value is not one.get(each, MISSING))
            found.update(one.keys() - other.keys())
    return found


def _occurrences(document: JsonObject, subject_ids: Set[str]) -> Iterator[tuple[str, JsonObject]]:
    for entry in entries_of(document).values():
        subjects = _subjects(entry)
        for subject_id in subject_ids & subjects.keys():
            subject = subjects[subject_id]
            if isinstance(subject, dict):
                yield subject_id, subject


def _subjects(entry: JsonObject) -> JsonObject:
    return as_object(entry.get("subjects"))


def after_record(watching: Watching, record: Record, *, revision: int, at: datetime) -> Watching:
    """The watches after a record that got ``revision`` in the stream of announcements at the time ``at``."""
    watch = watching.watches.get(record.watch_id)
    if watch is None or watch.stage == "ended":
        return replace(watching, told_revision=revision)
    watches = {**watching.watches, record.watch_id: _recorded(watch, record, at)}
    return replace(watching, told_revision=revision, watches=watches)


def _new_watches(
    policy: PolicyState, fresh: Mapping[tuple[str, bytes], JsonObject], randomization: timedelta
) -> Iterator[Watch]:
    for (subject_id, _), subject in fresh.items():
        name = watch_id(policy.policy_id, subject_id, subject, policy.revision)
        watch = Watch(watch_id=name, subject_id=subject_id, subject=subject, since=policy.revision, stage="idle")
        settings, expiry = watch.announcement, watch.expiry
        if expiry is None:
            yield watch
        elif settings.before_expiry is None:
            yield watch.with_(stage="expiring", next_at=expiry)
        else:
            spread = randomization if settings.randomization is None else settings.randomization
            at = _time_before(expiry, settings.before_expiry, randomization_factor(name) * spread)
            yield watch.with_(stage="waiting", announce_at=at, next_at=at)


def _time_before(expiry: datetime, *spans: timedelta) -> datetime:
    """The time that lies the spans before the expiry; ``AT_ONCE`` if ``datetime`` cannot express it."""
    try:
        return expiry - sum(spans, timedelta())
    except OverflowError:
        return AT_ONCE


def _removed(watch: Watch, at: datetime, *, by_announcer: bool) -> Watch:
    if not watch.announcement.when_deleted or watch.told:
        expired = by_announcer and watch.expiry is not None
        return _ended(watch, "expired" if expired else "removed", at)
    return watch.with_(
        stage="waiting",
        occasion="deletion",
        gone_at=at,
        announce_at=at,
        next_at=AT_ONCE,
        attempt=0,
        correlation=None,
        backoff=None,
        acks=(),
        published_at=None,
    )


def _recorded(watch: Watch, record: Record, at: datetime) -> Watch:
    match record:
        case Announced():
            if record.occasion != watch.occasion:
                return watch
            answered = tuple(ack for ack in watch.acks if not requests_redelivery(ack.status))
            return watch.with_(
                stage="announced",
                next_at=AT_ONCE,
                attempt=record.attempt,
                correlation=record.correlation,
                timeout=record.timeout,
                acks=answered,
                published_at=None,
            )
        case Published():
            return _published(watch, at) if record.attempt == watch.attempt else watch
        case Acknowledged():
            if record.announcement_id != watch.announcement_id:
                return watch
            return _acknowledged(watch, Ack(label=record.label, status=record.status, by=record.by, at=at))
        case Failed():
            return _failed(watch, record, at) if record.attempt == watch.attempt else watch
        case _:
            assert_never(record)


def _published(watch: Watch, at: datetime) -> Watch:
    """The broker confirmed the attempt; acknowledgements may have been recorded before that."""
    watch = watch.with_(published_at=watch.published_at or at)
    if watch.stage != "announced":
        return watch
    if watch.answered_well:
        return _completed(watch, at)
    return watch.with_(stage="published", next_at=at + timedelta(seconds=watch.timeout))


def _acknowledged(watch: Watch, ack: Ack) -> Watch:
    """A label was acknowledged; it may answer an earlier attempt, which is of the same announcement."""
    others = tuple(each for each in watch.acks if each.label != ack.label)
    watch = watch.with_(acks=(*others, ack))
    if watch.stage in {"expiring", "idle"}:
        return watch
    if watch.answered_well:
        return _completed(watch, ack.at)
    if watch.stage == "published" and not watch.missing:
        return watch.with_(next_at=AT_ONCE)
    return watch


def _failed(watch: Watch, record: Failed, at: datetime) -> Watch:
    if record.retry_at is not None:
        return watch.with_(stage="waiting", next_at=record.retry_at, backoff=record.backoff)
    if watch.occasion == "deletion":
        return _ended(watch, "unanswered", at)
    return watch.with_(stage="expiring", next_at=AT_ONCE)


def _completed(watch: Watch, at: datetime) -> Watch:
    if watch.occasion == "deletion":
        return _ended(watch, "announced", at)
    return watch.with_(stage="expiring", told=True, next_at=watch.expiry)


def _ended(watch: Watch, outcome: str, at: datetime) -> Watch:
    gone = watch.gone_at or at
    return watch.with_(stage="ended", outcome=outcome, next_at=None, gone_at=gone)
