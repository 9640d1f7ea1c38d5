"""A second copy of a projection's tables, in a schema of its own beside the live one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from projections.leases import Lease, LeaseLost, fenced
from projections.projection import Loadable, Projection
from projections.statements import Connection, Pool, statement

LONG_SECONDS: Final = 86_400.0
"""For statements that look at whole tables, which may be large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not the same in both copies, as text; ``None`` where a copy has no such row."""

    table: str
    live: str | None
    rebuilt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a copy has come that is filled stream by stream: up to ``stream``, with so many events.

    When all streams are there, it has the log up to the position ``upto``.
    """

    upto: int
    stream: str
    events: int


class Shadow:
    """The copy that one rebuild fills.

    It lasts until it is swapped in or dropped, with its checkpoint in the row of ``consumers`` that the rebuild owns;
    so it survives the process that made it. The tables keep their names: statements find them by ``search_path``.
    """

    def __init__(self, pool: Pool, projection: Projection) -> None:
        self._pool = pool
        self._projection = projection
        self._tables = list(projection.tables)
        self.schema = f"rebuild_{projection.name}"
        self.consumer = f"{projection.name}:rebuild"

    async def left(self, lease: Lease) -> bool:
        """Whether an earlier try has left a copy to go on with."""
        there: bool = await self._pool.fetchval(statement("shadow_exists"), self.schema)
        return there and lease.version == self._projection.version

    async def create(self, lease: Lease, *, load_upto: int | None) -> None:
        """Make a new, empty copy; to be filled stream by stream up to a position, or by replay."""
        bare = self._projection.bare if isinstance(self._projection, Loadable) and load_upto is not None else ()
        async with self._pool.acquire() as connection, connection.transaction():
            kept = await connection.fetchval(
                statement("restart_consumer"), self.consumer, lease.token, self._projection.version
            )
            if kept is None:
                raise LeaseLost(self.consumer)
            await connection.execute(statement("create_shadow"), self.schema, self._tables, list(bare))
            if load_upto is None:
                await connection.execute(statement("delete_load"), self.consumer)
            else:
                await connection.execute(statement("write_load"), self.consumer, load_upto)
        lease.position, lease.version = 0, self._projection.version

    async def place(self) -> Place | None:
        """How far the copy has come, if it is being filled stream by stream."""
        row = await self._pool.fetchrow(statement("read_load"), self.consumer)
        return None if row is None else Place(**row)

    async def note(self, connection: Connection, before: Place, after: Place) -> None:
        """Note, in the transaction that brought it there, how far the copy has come.

        Its owner says where it continues from, for the reason that leases give: the checkpoint, which stands still
        meanwhile, would not tell what a crash of the database took back. Raises ``LeaseLost`` then.
        """
        places = before.stream, before.events, after.stream, after.events
        if await connection.fetchval(statement("move_load"), self.consumer, *places) is None:
            raise LeaseLost(self.consumer)

    async def complete(self, connection: Connection, place: Place) -> None:
        """From this transaction on, which ends at ``place.upto``, the copy is one that has been replayed up to there.

        Raises ``LeaseLost`` when the database has lost a part of it: then it is to be looked up what is there.
        """
        ended = await connection.fetchval(statement("end_load"), self.consumer, place.stream, place.events)
        if ended is None or await connection.fetch(statement("read_missing_in_shadow"), self.schema, self._tables):
            raise LeaseLost(self.consumer)

    async def missing(self) -> list[tuple[str, int]]:
        """The indexes that are still to be built, each with the size of its table in bytes."""
        rows = await self._pool.fetch(statement("read_missing_in_shadow"), self.schema, self._tables)
        return [(name, size) for name, size in rows]

    async def build(self, lease: Lease, index: str, *, alone: bool) -> None:
        """Build one of these, ``alone``: in one process of the database."""
        async with fenced(self._pool, lease, lease.position) as connection:
            if alone:
                await connection.execute(statement("spare_workers"))
            await connection.execute(
                statement("build_in_shadow"), self.schema, self._tables, index, timeout=LONG_SECONDS
            )

    async def analyze(self, lease: Lease) -> None:
        """Let the planner know the rows before anybody asks for them."""
        async with fenced(self._pool, lease, lease.position) as connection:
            await connection.execute(statement("analyze_shadow"), self.schema, self._tables, timeout=LONG_SECONDS)

    @asynccontextmanager
    async def writing(self, lease: Lease, position: int) -> AsyncIterator[Connection]:
        """A fenced transaction in which the projection's tables are those of the copy."""
        async with fenced(self._pool, lease, position) as connection:
            await connection.execute(statement("enter_shadow"), [self.schema])
            yield connection

    @asynccontextmanager
    async def live_held(self) -> AsyncIterator[tuple[Connection, int]]:
        """A transaction in which the live projection stands still, and the position where it does.

        The live runner's next transaction begins by locking the same row, and it holds no lock on the tables while it
        waits: whoever is here may go on to lock these.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(statement("limit_lock_wait"), "1s")
            yield connection, await connection.fetchval(statement("lock_consumer"), self._projection.name)

    async def live_position(self) -> int:
        """The checkpoint of the live projection, made at 0 if it never ran."""
        name, version = self._projection.name, self._projection.version
        await self._pool.execute(statement("register_consumer"), name, version)
        position: int = await self._pool.fetchval(statement("read_position"), name)
        return position

    async def swap(self, connection: Connection, lease: Lease, position: int) -> None:
        """Make the copy the live one, inside the transaction of ``live_held``; the rebuild's own row goes with it."""
        await connection.execute(statement("swap_shadow"), self.schema, self._tables)
        name, version = self._projection.name, self._projection.version
        await connection.execute(statement("replace_checkpoint"), name, version, position)
        await self._retire(connection, lease, complete_to=lease.position)

    async def drop(self, lease: Lease) -> None:
        """Leave no trace of the copy."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._retire(connection, lease, complete_to=None)
            await connection.execute(statement("drop_shadow"), self.schema)

    async def _retire(self, connection: Connection, lease: Lease, *, complete_to: int | None) -> None:
        """Remove the rebuild's row, if the copy still has everything up to the position, where that matters.

        From here the lease counts as fenced for good: its row is ours or gone.
        """
        lease.fenced += 1
        try:
            removed = await connection.execute(statement("remove_consumer"), self.consumer, lease.token, complete_to)
            await connection.execute(statement("delete_load"), self.consumer)
        except BaseException:
            lease.fenced -= 1
            raise
        if removed != "DELETE 1":
            raise LeaseLost(self.consumer)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[Connection]:
        """A read-only transaction that goes on seeing both copies as they are at its beginning."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def differences(self, connection: Connection, most: int) -> tuple[Difference, ...]:
        """The first rows, ``most`` per table, that are not the same byte for byte."""
        rows = await connection.fetch(
            statement("compare_shadow"), self.schema, self._tables, most, timeout=LONG_SECONDS
        )
        return tuple(Difference(table=table, live=live, rebuilt=rebuilt) for table, live, rebuilt in rows)
