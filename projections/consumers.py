"""Consumers of the log that keep their place in the database: for side effects, and beneath every projection."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from eventstore.events import RecordedEvent
from eventstore.store import EVERYTHING, EventStore, Selection
from projections.leases import TERMS, Lease, LeaseLost, Terms, take, work_under
from projections.statements import Connection, Pool, statement
from projections.trouble import TROUBLE, pauses

log = structlog.get_logger(__name__)


async def advance(connection: Connection, lease: Lease, position: int) -> None:
    """Move the checkpoint to ``position``, fenced; raises ``LeaseLost`` if another owner has taken over.

    The first statement of a transaction: it locks the consumer's row, so that owners never work at the same time.
    """
    asked_at = time.monotonic()
    kept = await connection.fetchval(
        statement("advance_checkpoint"), lease.name, lease.token, position, lease.terms.lasts
    )
    if kept is None:
        raise LeaseLost(lease.name)
    lease.renewed(asked_at)


@dataclass(slots=True, kw_only=True)
class Turn:
    """One period of ownership: from taking the lease until it is lost or given back."""

    pool: Pool
    store: EventStore
    lease: Lease
    selection: Selection
    page_size: int
    position: int

    async def batches(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Everything selected after the checkpoint, catching up and then live, for ever."""
        selection = _after(self.selection, self.position)
        async for batch in self.store.subscribe(selection, page_size=self.page_size):
            yield batch

    async def advance(self, position: int) -> None:
        """Everything up to ``position`` is dealt with, for good; raises ``LeaseLost`` when fenced off."""
        async with self.pool.acquire() as connection, connection.transaction():
            await advance(connection, self.lease, position)
        self.position = position


class CheckpointedReader:
    """Reads the log from a durable checkpoint, in one process at a time.

    For consumers with effects outside the database (publishing). What was dealt with after the last ``advance`` is
    read again after a crash or a take-over: at least once, in order::

        async def publish(turn: Turn) -> None:
            async for batch in turn.batches():
                ...  # publish, await the confirms
                await turn.advance(batch[-1].position)

        await CheckpointedReader(pool, store, name="amqp").run(publish)

    ``run`` waits for the lease, calls the work, and starts over when the lease or the database was lost. The work is
    cancelled before another process can begin. Other exceptions of the work, and its normal end, end ``run``.
    """

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        *,
        name: str,
        selection: Selection = EVERYTHING,
        page_size: int = 1_000,
        owner: str | None = None,
        terms: Terms = TERMS,
    ) -> None:
        self.name = name
        self._pool = pool
        self._store = store
        self._selection = selection
        self._page_size = page_size
        self._owner = owner or uuid.uuid4().hex
        self._terms = terms

    async def run(self, work: Callable[[Turn], Awaitable[None]]) -> None:
        """Work for ever, whenever it is this process's turn; returns when the work does. Cancel to stop."""

        async def turn(lease: Lease) -> None:
            await work(self._turn(lease))

        await own(self._pool, self.name, turn, version=1, owner=self._owner, terms=self._terms)

    def _turn(self, lease: Lease) -> Turn:
        return Turn(
            pool=self._pool,
            store=self._store,
            lease=lease,
            selection=self._selection,
            page_size=self._page_size,
            position=lease.position,
        )


async def own(
    pool: Pool,
    name: str,
    work: Callable[[Lease], Awaitable[None]],
    *,
    version: int,
    owner: str,
    terms: Terms = TERMS,
) -> None:
    """Do ``work`` under the lease ``name``, again and again while the lease or the database gets lost."""
    waits = pauses()
    while True:
        try:
            lease = await take(pool, name, version=version, owner=owner, terms=terms)
            log.info("lease_taken", consumer=name, token=lease.token, position=lease.position)
            waits = pauses()
            await work_under(pool, lease, work)
        except LeaseLost:
            log.warning("lease_lost", consumer=name)
        except TROUBLE as trouble:
            pause = next(waits)
            log.warning("consumer_trouble", consumer=name, reason=str(trouble), retry_in=pause)
            await asyncio.sleep(pause)
        else:
            return


def _after(selection: Selection, position: int) -> Selection:
    return Selection(
        after_position=max(selection.after_position, position),
        to_position=selection.to_position,
        from_time=selection.from_time,
        to_time=selection.to_time,
        stream=selection.stream,
        prefixes=selection.prefixes,
        types=selection.types,
    )
