"""The event store on PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg

from eventstore.errors import AppendUnknown, StoreUnavailable, UnstorableEvent, translate_errors
from eventstore.events import Appended, Commit, Conflict, RecordedEvent, StreamName
from eventstore.feed import Feed
from eventstore.group import Group, check_storable, plan, record, refused
from eventstore.handover import Handover, elapsed
from eventstore.pool import Pool
from eventstore.reader import LogReader, connected, events_of
from eventstore.statements import statement
from eventstore.store import EVERYTHING, Decide, Selection
from eventstore.subscription import follow


class PostgresEventStore:
    """An ``EventStore`` over a pool that stays the caller's.

    Appending and reading need nothing else. Inside ``async with`` the store also follows the log for its subscribers
    and tells other processes of its appends at once; outside they find them by looking, and ``subscribe`` refuses.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        feed: Feed | None = None,
        writer: str | None = None,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """``clock`` measures how long another's lease is waited for; it must never jump."""
        self.pool = pool
        self.feed = feed or Feed(pool)
        self.writer = writer or str(uuid.uuid4())
        """Who appends, as the sole-writer lease names it: one per store, so one per process."""
        self._reader = LogReader(pool)
        self._handover = Handover(self._reader, clock=clock)
        self._running: asyncio.Task[None] | None = None
        self._observers: list[Callable[[int, int], None]] = []
        self._alone = asyncio.Lock()
        self._together = asyncio.Event()
        self._together.set()

    async def __aenter__(self) -> PostgresEventStore:
        self._running = asyncio.create_task(self.feed.run(), name="eventstore feed")
        await asyncio.sleep(0)  # the feed has begun when we return
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    def observe_appends(self, observer: Callable[[int, int], None]) -> None:
        """Call ``observer`` with the first and last position of whatever this store appends from now on."""
        self._observers.append(observer)

    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        """See ``EventStore.append``: one round trip, except for a conflict that involves a repeated command.

        Raises ``AppendUnknown`` when the connection was lost with the append under way, ``StoreUnavailable`` when it
        surely was not made, ``UnstorableEvent`` when a commit of the group can never be. While another process holds
        the sole-writer lease this call first waits until it has been given up or has run out.
        """
        group = plan(commits)
        if group.broken:
            return Conflict(stale=refused(commits, streams=(), fallen=group.broken), repeated={})
        await self._together.wait()
        arguments = _arguments(group, commits, self.writer, recorded_at)
        answer = await self._send(commits, arguments)
        while answer["outcome"] == "held":
            await self._handover.wait(answer["token"], answer["term"])
            answer = await self._send(commits, arguments)
        return await self._outcome(group, commits, answer)

    async def append_alone(self, decide: Decide, *, recorded_at: datetime) -> Appended | Conflict:
        """See ``EventStore.append_alone``; it raises what ``append`` does.

        One transaction takes the lock of the append, waits for ``decide``, and appends. ``decide`` reads through other
        connections and misses nothing, since an append is visible before its lock is free. Meanwhile this process's own
        appends wait without a connection, so that there is one left to read with.
        """
        async with self._alone:
            self._together.clear()
            try:
                commits, answer = await self._send_alone(decide, recorded_at)
            finally:
                self._together.set()
        if answer is None or answer["outcome"] == "held":
            return await self.append(commits, recorded_at=recorded_at)
        return await self._outcome(plan(commits), commits, answer)

    async def _send_alone(
        self, decide: Decide, recorded_at: datetime
    ) -> tuple[Sequence[Commit], asyncpg.Record | None]:
        commits: Sequence[Commit] = ()
        try:
            async with connected(self.pool) as connection:
                with translate_errors():
                    async with connection.transaction():
                        await connection.execute(statement("keep_others_from_appending"))
                        commits = await decide()
                        group = plan(commits)
                        if group.broken or not commits:
                            return commits, None
                        arguments = _arguments(group, commits, self.writer, recorded_at)
                        rows = await connection.fetch(statement("append"), *arguments)
        except StoreUnavailable as error:
            if commits:
                raise AppendUnknown(str(error)) from error
            raise
        except UnstorableEvent:
            check_storable(commits)
            raise
        return commits, rows[0]

    async def _outcome(self, group: Group, commits: Sequence[Commit], answer: asyncpg.Record) -> Appended | Conflict:
        if answer["outcome"] == "refused":
            return await self._conflict(group, commits, answer)
        events = record(commits, head=answer["head"], recorded_at=answer["recorded_at"])
        if events:
            for observer in self._observers:
                observer(events[0].position, events[-1].position)
            self.feed.appended(events)
        return Appended(events=events)

    async def _send(self, commits: Sequence[Commit], arguments: Sequence[object]) -> asyncpg.Record:
        try:
            async with connected(self.pool) as connection:
                with translate_errors(appending=True):
                    rows = await connection.fetch(statement("append"), *arguments)
        except UnstorableEvent:
            check_storable(commits)
            raise
        return rows[0]

    async def _conflict(self, group: Group, commits: Sequence[Commit], answer: asyncpg.Record) -> Conflict:
        expected, commands = list(group.expected), list(group.commands)
        repeated: dict[int, RecordedEvent] = {}
        for number in answer["repeated"] or ():
            stream, command_id = commands[number - 1]
            if event := await self.find_command(stream, command_id):
                repeated[group.commands[stream, command_id]] = event
        streams = [expected[number - 1] for number in answer["stale"] or ()]
        fallen = refused(commits, streams=streams, fallen=repeated)
        return Conflict(stale=fallen - repeated.keys(), repeated=repeated)

    async def read_stream(
        self, stream: StreamName, *, after_revision: int = 0, to_revision: int | None = None
    ) -> list[RecordedEvent]:
        """See ``EventStore.read_stream``."""
        return await self._reader.stream(stream, after_revision, to_revision)

    def read(
        self, selection: Selection = EVERYTHING, *, backwards: bool = False, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.read``. Between pages no connection is held."""
        return self._reader.pages(selection, backwards=backwards, page_size=page_size)

    def read_by_stream(
        self, *, to_position: int, after_stream: str = "", page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.read_by_stream``. Between pages no connection is held."""
        return self._reader.pages_by_stream(to_position, after_stream, page_size)

    def subscribe(
        self, selection: Selection = EVERYTHING, *, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.subscribe``. Outlives restarts of the database; ends only if the selection does."""
        return follow(self.feed, self._reader, selection, page_size)

    async def find_command(self, stream: StreamName, command_id: str) -> RecordedEvent | None:
        """See ``EventStore.find_command``."""
        found = events_of(await self._reader.rows("find_command", stream, command_id))
        return found[0] if found else None

    async def head(self) -> int:
        """See ``EventStore.head``."""
        return await self._reader.head()


def _arguments(group: Group, commits: Sequence[Commit], writer: str, recorded_at: datetime) -> tuple[object, ...]:
    """The parameters of ``append.sql``: the events by column, in log order."""
    columns: tuple[list[object], ...] = ([], [], [], [], [], [], [])
    streams, revisions, types, paths, values, headers, command_ids = columns
    for commit in commits:
        command_id = commit.command_id
        for append in commit.appends:
            stream, revision = append.stream, append.expected_revision
            for event in append.events:
                revision += 1
                streams.append(stream)
                revisions.append(revision)
                types.append(event.type)
                paths.append(event.path)
                values.append(event.value)
                headers.append(event.headers)
                command_ids.append(command_id)
                command_id = None
    return (
        writer,
        recorded_at,
        list(group.expected),
        list(group.expected.values()),
        [stream for stream, _ in group.commands],
        [command_id for _, command_id in group.commands],
        *columns,
    )
