"""Consumers of the log that keep their place in the database: for side effects, and beneath every projection."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from eventstore.events import RecordedEvent
from eventstore.store import EVERYTHING, EventStore, Selection
from projections.leases import TERMS, Lease, LeaseLost, Terms, fenced, take, work_under
from projections.pages import closing
from projections.statements import Pool
from projections.trouble import TROUBLE, pauses

log = structlog.get_logger(__name__)


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
        selection = replace(self.selection, after_position=max(self.selection.after_position, self.position))
        async with closing(self.store.subscribe(selection, page_size=self.page_size)) as batches:
            async for batch in batches:
                yield batch

    async def advance(self, position: int) -> None:
        """Everything up to ``position`` is dealt with, for good; raises ``LeaseLost`` when fenced off."""
        async with fenced(self.pool, self.lease, position):
            pass
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


_SETTLED = 5.0
"""Seconds of undisturbed work after which the next trouble counts as a new one."""


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
    taken_at = math.inf
    while True:
        try:
            lease = await take(pool, name, version=version, owner=owner, terms=terms)
            taken_at = time.monotonic()
            log.info("lease_taken", consumer=name, turn=lease.token, position=lease.position)
            await work_under(pool, lease, work)
        except LeaseLost as lost:
            if lost.args != (name,):
                raise
            log.warning("lease_lost", consumer=name)
        except TROUBLE as trouble:
            if time.monotonic() - taken_at > _SETTLED:
                waits = pauses()
            pause = next(waits)
            log.warning("consumer_trouble", consumer=name, reason=str(trouble), retry_in=pause)
            await asyncio.sleep(pause)
        else:
            return
