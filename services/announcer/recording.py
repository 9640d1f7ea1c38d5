"""Records of announcements on their way into the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventstore.events import Appended, Commit, NewEvent, RecordedEvent, StreamAppend, StreamName
from eventstore.store import EventStore
from protocol.announcements.evolve import Watching, after_record
from protocol.announcements.records import Record, store_record
from protocol.json import dump
from protocol.policies.removal import ANNOUNCER
from protocol.streams import announcements_of

_HEADERS: Final = dump({"ditto-originator": ANNOUNCER.default_subject})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Records about one policy, decided on what ``watching`` says.

    ``firm`` ones hold only if the policy has not changed meanwhile; others only tell what has happened.
    """

    watching: Watching
    records: Sequence[Record]
    firm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A draft that is in the log: what is watched after its records, and the position of the last one."""

    watching: Watching
    position: int


class Recorder:
    """Appends records to the streams of announcements, those of many policies in one transaction."""

    def __init__(self, store: EventStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def append(self, drafts: Mapping[StreamName, Draft]) -> dict[StreamName, Recorded]:
        """What is now in the log, by the policy's stream; those that somebody has overtaken are left out.

        Raises what the store raises: then reload before deciding anew, since the append may have been made.
        """
        left = dict(drafts)
        while left:
            commits = [_commit(stream, draft) for stream, draft in left.items()]
            answer = await self._store.append(commits, recorded_at=self._clock())
            if isinstance(answer, Appended):
                return _followed(left, answer.events)
            left = {stream: draft for index, (stream, draft) in enumerate(left.items()) if index not in answer.stale}
        return {}


def _commit(stream: StreamName, draft: Draft) -> Commit:
    events = tuple(
        NewEvent(type=kind, path=path, value=value, headers=_HEADERS)
        for kind, path, value in map(store_record, draft.records)
    )
    own = StreamAppend(
        stream=StreamName(announcements_of(stream)), expected_revision=draft.watching.told_revision, events=events
    )
    policy = draft.watching.policy
    if not draft.firm or policy is None:
        return Commit(appends=(own,))
    return Commit(appends=(own, StreamAppend(stream=stream, expected_revision=policy.revision, events=())))


def _followed(drafts: Mapping[StreamName, Draft], events: Sequence[RecordedEvent]) -> dict[StreamName, Recorded]:
    own: dict[str, list[RecordedEvent]] = {}
    for event in events:
        own.setdefault(event.stream, []).append(event)
    found: dict[StreamName, Recorded] = {}
    for stream, draft in drafts.items():
        watching = draft.watching
        appended = own[announcements_of(stream)]
        for record, event in zip(draft.records, appended, strict=True):
            watching = after_record(watching, record, revision=event.revision, at=event.recorded_at)
        found[stream] = Recorded(watching=watching, position=appended[-1].position)
    return found
