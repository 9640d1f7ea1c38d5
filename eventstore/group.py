"""A group of commits before it meets the log: what it expects of which stream, and who falls with whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from eventstore.errors import UnstorableEvent
from eventstore.events import Commit, RecordedEvent, StreamName


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What an append of several commits comes down to.

    ``expected`` is the revision that each stream must have before the group. ``commands`` maps what must not be in the
    log yet to the commit which brings it. ``broken`` are the commits that contradict an earlier one of the same group.
    """

    expected: dict[StreamName, int]
    commands: dict[tuple[StreamName, str], int]
    broken: frozenset[int]


def plan(commits: Sequence[Commit]) -> Group:
    """The group as one append.

    A commit is broken if it does not build on the revision which the earlier ones leave, or if it bears a command id
    which an earlier one bears already: the second of two equal commands must find the first one's event in the log.
    """
    expected: dict[StreamName, int] = {}
    reached: dict[StreamName, int] = {}
    commands: dict[tuple[StreamName, str], int] = {}
    broken: set[int] = set()
    for index, commit in enumerate(commits):
        for append in commit.appends:
            stream = append.stream
            at = reached.get(stream)
            if at is None:
                at = expected[stream] = append.expected_revision
            elif at != append.expected_revision:
                broken.add(index)
            reached[stream] = at + len(append.events)
        if commit.command_id is not None and commit.appends:
            key = (commit.appends[0].stream, commit.command_id)
            if commands.setdefault(key, index) != index:
                broken.add(index)
    return Group(expected=expected, commands=commands, broken=frozenset(broken))


def refused(commits: Sequence[Commit], *, streams: Iterable[StreamName], fallen: Iterable[int]) -> frozenset[int]:
    """The commits to decide again when ``streams`` are not where they were expected and the commits ``fallen`` are out.

    Whoever builds on a stream that a refused commit would have moved is refused with it.
    """
    moved = set(streams)
    out = set(fallen)
    for index, commit in enumerate(commits):
        if index in out or any(append.stream in moved for append in commit.appends):
            out.add(index)
            moved.update(append.stream for append in commit.appends if append.events)
    return frozenset(out)


def record(commits: Sequence[Commit], *, head: int, recorded_at: datetime) -> tuple[RecordedEvent, ...]:
    """The events of the group as they stand in the log behind position ``head``."""
    position = head
    events: list[RecordedEvent] = []
    for commit in commits:
        command_id = commit.command_id
        for append in commit.appends:
            for revision, new in enumerate(append.events, append.expected_revision + 1):
                position += 1
                events.append(
                    RecordedEvent(
                        position=position,
                        stream=append.stream,
                        revision=revision,
                        type=new.type,
                        path=new.path,
                        value=new.value,
                        headers=new.headers,
                        recorded_at=recorded_at,
                        command_id=command_id,
                    )
                )
                command_id = None
    return tuple(events)


def check_storable(commits: Sequence[Commit]) -> None:
    """Name the commit that cannot be kept: PostgreSQL text has no NUL and no lone surrogate, JSON must be JSON.

    Raises ``UnstorableEvent``. It costs a parse of every value, so the real store asks only after a refusal.
    """
    for index, commit in enumerate(commits):
        try:
            _check_text(commit.command_id or "")
            for append in commit.appends:
                _check_text(append.stream)
                for event in append.events:
                    _check_text(event.type)
                    _check_text(event.path)
                    orjson.loads(event.headers)
                    if event.value is not None:
                        orjson.loads(event.value)
        except ValueError as error:
            raise UnstorableEvent(str(error), commit=index) from error


def _check_text(text: str) -> None:
    if "\x00" in text:
        message = "text with a NUL character cannot be kept"
        raise ValueError(message)
    text.encode()
