"""A second copy of a projection's tables, in a schema of its own beside the live one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from projections.leases import Lease, LeaseLost, fenced
from projections.projection import Projection
from projections.statements import Connection, Pool, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not the same in both copies, as text; ``None`` where a copy has no such row."""

    table: str
    live: str | None
    rebuilt: str | None


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

    async def prepare(self, lease: Lease) -> int:
        """The position from which to go on: that of a copy left by an earlier try, else 0 with a new, empty one."""
        async with self._pool.acquire() as connection, connection.transaction():
            there = await connection.fetchval(statement("shadow_exists"), self.schema)
            if there and lease.version == self._projection.version:
                return lease.position
            kept = await connection.fetchval(
                statement("restart_consumer"), self.consumer, lease.token, self._projection.version
            )
            if kept is None:
                raise LeaseLost(self.consumer)
            await connection.execute(statement("create_shadow"), self.schema, self._tables)
        lease.position = 0
        return 0

    @asynccontextmanager
    async def writing(self, lease: Lease, position: int) -> AsyncIterator[Connection]:
        """A fenced transaction in which the projection's tables are those of the copy."""
        async with fenced(self._pool, lease, position) as connection:
            await connection.execute(statement("enter_shadow"), self.schema)
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
        rows = await connection.fetch(statement("compare_shadow"), self.schema, self._tables, most)
        return tuple(Difference(table=table, live=live, rebuilt=rebuilt) for table, live, rebuilt in rows)
