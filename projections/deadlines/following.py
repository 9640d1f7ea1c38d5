"""From the log to watched subjects: how the read model and the announcer follow a policy and its announcements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from eventstore.events import RecordedEvent, StreamName
from projections.events import follow, thaw
from projections.statements import Connection, Pool, statement
from protocol.announcements.evolve import DEFAULT_RANDOMIZATION, Watching, after_change, after_record
from protocol.announcements.records import restore_record
from protocol.announcements.watch import from_json
from protocol.json import parse
from protocol.pointers import parse_recorded_policy_path
from protocol.policies.removal import ANNOUNCER
from protocol.policies.state import PolicyState
from protocol.streams import ANNOUNCEMENTS, POLICIES, policy_of

_MARKS = (b'"expiry"', b'"announcement"')
_BY_ANNOUNCER = b'"ditto-originator":"%b"' % ANNOUNCER.default_subject.encode()
_DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class _Frozen:
    stream: StreamName
    revision: int
    created_at: datetime
    modified_at: datetime
    deleted: bool
    state: bytes


def concerns(event: RecordedEvent) -> bool:
    """Whether the event belongs to a policy or to its announcements."""
    return event.stream.startswith((POLICIES, ANNOUNCEMENTS))


def policy_stream(event: RecordedEvent) -> StreamName:
    """The stream of the policy that the event is about."""
    stream = event.stream
    return StreamName(policy_of(stream)) if stream.startswith(ANNOUNCEMENTS) else stream


def may_begin(event: RecordedEvent) -> bool:
    """Whether a subject can be watched from this event on: cheap, and never wrong when it says no."""
    return event.value is not None and any(mark in event.value for mark in _MARKS)


def after(watching: Watching, event: RecordedEvent, *, randomization: timedelta = DEFAULT_RANDOMIZATION) -> Watching:
    """The watched subjects after one more event of the policy or of its announcements, whichever it is."""
    if event.stream.startswith(ANNOUNCEMENTS):
        if event.revision <= watching.told_revision:
            return watching
        record = restore_record(event.type, event.path, event.value)
        return after_record(watching, record, revision=event.revision, at=event.recorded_at)
    if watching.policy is not None and event.revision <= watching.policy.revision:
        return watching
    policy = follow(watching.policy, event)
    if not isinstance(policy, PolicyState):
        raise TypeError(f"{event.stream} is no policy's stream")
    return after_change(
        watching,
        policy,
        by_announcer=_BY_ANNOUNCER in event.headers,
        path=parse_recorded_policy_path(event.path),
        randomization=randomization,
    )


def replayed(events: Iterable[RecordedEvent]) -> Watching:
    """A policy that has not been watched so far, after its events."""
    watching = Watching()
    for event in events:
        policy = follow(watching.policy, event)
        if isinstance(policy, PolicyState):
            watching = replace(watching, policy=policy)
    return watching


@dataclass(frozen=True, slots=True)
class Kept:
    """What is watched of a policy, and how many bytes the policy takes in its row; 0 where it has none yet."""

    watching: Watching
    size: int


async def read_watched(connection: Connection | Pool, streams: Iterable[StreamName]) -> dict[StreamName, Kept]:
    """The rows of those policies that have any; watches that have ended are left out."""
    found: dict[StreamName, Kept] = {}
    for row in await connection.fetch(statement("read_watched_policies"), list(streams)):
        stream, _, revision, told_revision, created_at, modified_at, deleted, state, watches = row
        policy = thaw(_Frozen(stream, revision, created_at, modified_at, deleted, state))
        kept = parse(watches, max_depth=_DEPTH)
        read = [from_json(each) for each in (kept if isinstance(kept, list) else []) if isinstance(each, dict)]
        watching = Watching(
            policy=policy if isinstance(policy, PolicyState) else None,
            told_revision=told_revision,
            watches={watch.watch_id: watch for watch in read},
        )
        found[stream] = Kept(watching, len(state))
    return found
