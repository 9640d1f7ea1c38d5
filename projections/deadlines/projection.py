"""Writes the deadlines: what is to be done about which subject of which policy, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from eventstore.events import RecordedEvent, StreamName
from eventstore.reader import events_of
from projections.cache import BoundedCache
from projections.deadlines.following import Kept, after, concerns, may_begin, policy_stream, read_watched, replayed
from projections.events import freeze
from projections.statements import Connection, statement
from protocol.announcements.evolve import DEFAULT_RANDOMIZATION, Watching
from protocol.announcements.watch import Watch, to_json
from protocol.json import dump
from protocol.policies.state import PolicyState
from protocol.streams import ANNOUNCEMENTS, POLICIES

TURN = 32
"""Policies that are followed before the event loop gets its turn."""

Groups = Mapping[StreamName, list[RecordedEvent]]


def _unheard() -> None:
    """Nobody wants to know."""


class DeadlinesProjection:
    """Keeps ``watched_policies`` and ``deadlines``, from the events of policies and the records of announcements.

    A policy without any subject to watch costs nothing but a look at the bytes of its events: its row is made when the
    first such subject comes, from the policy's stream, and stays. ``randomization`` is how far announcements are spread
    where the subject does not say. After changing it, rebuild.

    What was written last is remembered, as far as it fits into ``cache_bytes`` (of stored JSON): a policy for which
    something is due is heard of three times within a moment.
    """

    name = "deadlines"
    version = 1
    tables = ("watched_policies", "deadlines")
    streams = (POLICIES, ANNOUNCEMENTS)

    def __init__(
        self,
        *,
        randomization: timedelta = DEFAULT_RANDOMIZATION,
        touched: Callable[[], None] = _unheard,
        cache_bytes: int = 2 << 20,
    ) -> None:
        self._randomization = randomization
        self._touched = touched
        self._cache: BoundedCache[Kept] = BoundedCache(cache_bytes)

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Follow the events, policy by policy."""
        groups: dict[StreamName, list[RecordedEvent]] = {}
        for event in events:
            if concerns(event):
                groups.setdefault(policy_stream(event), []).append(event)
        known = await self._known(connection, groups)
        if not known:
            return
        self._touched()
        after_all: dict[StreamName, Watching] = {}
        for stream, before in known.items():
            after_all[stream] = self._followed(before.watching, groups[stream])
            if not len(after_all) % TURN:
                await asyncio.sleep(0)
        await _drop(connection, known, after_all)
        sizes = await _write(connection, groups, known, after_all)
        for stream, size in sizes.items():
            self._cache.put(stream, Kept(_open(after_all[stream]), size), size)

    def forget(self) -> None:
        """Drop what is remembered."""
        self._cache.clear()

    def _followed(self, watching: Watching, events: Sequence[RecordedEvent]) -> Watching:
        for event in events:
            watching = after(watching, event, randomization=self._randomization)
        return watching

    async def _known(self, connection: Connection, groups: Groups) -> dict[StreamName, Kept]:
        """What is known before the events about those policies that are watched or may be from now on."""
        known = {stream: kept for stream in groups if (kept := self._cache.get(stream)) is not None}
        asked = [stream for stream, events in groups.items() if stream not in known and _first_revision(events) > 1]
        if asked:
            known |= await read_watched(connection, asked)
        begun: dict[StreamName, int] = {}
        for stream, events in groups.items():
            if stream not in known and any(map(may_begin, events)):
                begun[stream] = _first_revision(events)
        earlier: dict[StreamName, list[RecordedEvent]] = {stream: [] for stream in begun}
        if any(revision > 1 for revision in begun.values()):
            rows = await connection.fetch(statement("read_before"), list(begun), list(begun.values()))
            for event in events_of(rows):
                earlier[event.stream].append(event)
        return known | {stream: Kept(replayed(events), 0) for stream, events in earlier.items()}


def _open(watching: Watching) -> Watching:
    """Without the watches that have ended, as rows are read."""
    if all(watch.stage != "ended" for watch in watching.watches.values()):
        return watching
    left = {name: watch for name, watch in watching.watches.items() if watch.stage != "ended"}
    return replace(watching, watches=left)


def _first_revision(events: Sequence[RecordedEvent]) -> int:
    """The revision of the policy's own first event here; a group of nothing but records follows some event."""
    return next((event.revision for event in events if event.stream.startswith(POLICIES)), 2)


async def _drop(connection: Connection, known: Mapping[StreamName, Kept], now: Mapping[StreamName, Watching]) -> None:
    again: list[tuple[str, str]] = []
    gone: list[tuple[str, str]] = []
    for stream, watching in now.items():
        before = known[stream].watching.watches
        again += [(stream, watch.subject_id) for name, watch in watching.watches.items() if name not in before]
        gone += [(stream, name) for name in before if name not in watching.watches]
    if again or gone:
        await connection.execute(statement("drop_deadlines"), *_columns(again, 2), *_columns(gone, 2))


async def _write(
    connection: Connection,
    groups: Groups,
    known: Mapping[StreamName, Kept],
    now: Mapping[StreamName, Watching],
) -> dict[StreamName, int]:
    """Write what has changed; answers how long each policy is, as it is stored.

    Two of three events of an announcement leave the policy as it is, and its row keeps it without being told again.
    """
    policies: list[tuple[object, ...]] = []
    moved: list[tuple[object, ...]] = []
    watches: list[tuple[object, ...]] = []
    sizes: dict[StreamName, int] = {}
    for stream, watching in now.items():
        policy, before = watching.policy, known[stream]
        if policy is None:
            continue
        position = groups[stream][-1].position
        if before.size and policy is before.watching.policy:
            sizes[stream] = before.size
            moved.append((stream, position, watching.told_revision, watching.next_at))
        else:
            state = freeze(policy)
            sizes[stream] = len(state)
            policies.append(_policy_row(stream, position, watching, policy, state))
        old = before.watching.watches
        watches += [_row(stream, watch) for name, watch in watching.watches.items() if old.get(name) is not watch]
    if moved:
        await connection.execute(statement("move_watched_policies"), *_columns(moved, 4))
    if policies:
        await connection.execute(statement("upsert_watched_policies"), *_columns(policies, 9))
    if watches:
        await connection.execute(statement("upsert_deadlines"), *_columns(watches, 9))
    return sizes


def _policy_row(
    stream: StreamName, position: int, watching: Watching, policy: PolicyState, state: bytes
) -> tuple[object, ...]:
    return (
        stream,
        position,
        policy.revision,
        watching.told_revision,
        watching.next_at,
        policy.created,
        policy.modified,
        policy.deleted,
        state,
    )


def _row(stream: StreamName, watch: Watch) -> tuple[object, ...]:
    return (
        stream,
        watch.watch_id,
        watch.subject_id,
        watch.stage,
        watch.next_at,
        watch.announce_at,
        watch.delete_at,
        watch.attempt,
        dump(to_json(watch)),
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]
