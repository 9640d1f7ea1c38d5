"""One owner at a time: a lease on a row of ``consumers``, with a fencing token.

Two rules make it safe. Whatever is written to the database under the lease starts with a statement that names the
token and finds no row once another has taken over: the row lock puts the take-over before or after the whole
transaction. And work whose effects lie outside the database is cancelled before the lease can run out: the local
deadline counts from *before* the last successful renewal was sent, the database's from when it arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from projections.statements import Connection, Pool, statement
from projections.trouble import TROUBLE

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a lease lasts and how often one tries, in seconds.

    A dead owner is replaced within ``lasts + retry``, one that left properly within ``retry``.
    """

    lasts: float = 2.4
    renew: float = 0.6
    retry: float = 0.2


TERMS = Terms()


class LeaseLost(Exception):
    """Another owner has taken over, or the lease could not be renewed in time."""


@dataclass(slots=True, kw_only=True)
class Lease:
    """The right to act as ``name`` until it is lost; ``version`` as found when it was taken.

    ``position`` is the checkpoint as its owner knows it: found when the lease was taken, then moved by each committed
    ``fenced`` transaction. A checkpoint is committed without waiting for the disk, so a crash of the database may take
    the last ones back, together with the rows that belong to them, while the owner lives on and reads ahead. So every
    next step names the position that it continues from, and an owner that remembers more than the database is fenced
    off: it takes the lease anew, and does again what was lost.

    ``fenced`` counts our open transactions that hold the consumer's row. Meanwhile nobody can take the lease, however
    long they last, and a renewal could only wait for them.
    """

    name: str
    owner: str
    token: int
    version: int
    position: int
    terms: Terms
    good_until: float = field(default=0.0)
    fenced: int = field(default=0)

    def renewed(self, asked_at: float) -> None:
        """Note a renewal that was sent at ``asked_at`` (monotonic) and succeeded."""
        self.good_until = max(self.good_until, asked_at + self.terms.lasts)

    @property
    def holds(self) -> bool:
        """Whether nobody else can own it yet."""
        return time.monotonic() < self.good_until


async def take(pool: Pool, name: str, *, version: int, owner: str, terms: Terms = TERMS) -> Lease:
    """Wait until the lease is free and take it; a consumer that is new starts at position 0 with ``version``."""
    await pool.execute(statement("register_consumer"), name, version)
    while True:
        asked_at = time.monotonic()
        row = await pool.fetchrow(statement("take_lease"), name, owner, terms.lasts)
        if row is not None:
            lease = Lease(name=name, owner=owner, terms=terms, **row)
            lease.renewed(asked_at)
            return lease
        await asyncio.sleep(terms.retry)


async def release(pool: Pool, lease: Lease) -> None:
    """Give the lease back. A database that cannot be reached is left alone: the lease runs out by itself."""
    try:
        async with asyncio.timeout(lease.terms.lasts):
            await pool.execute(statement("release_lease"), lease.name, lease.token)
    except TROUBLE as trouble:
        log.info("lease_not_released", consumer=lease.name, reason=str(trouble))


async def keep(pool: Pool, lease: Lease) -> None:
    """Renew for ever; raises ``LeaseLost`` when another owner was seen or time ran out."""
    while True:
        await asyncio.sleep(min(lease.terms.renew, max(lease.good_until - time.monotonic(), 0.01)))
        if lease.fenced:
            continue
        asked_at = time.monotonic()
        if asked_at >= lease.good_until:
            raise LeaseLost(lease.name)
        if lease.good_until - asked_at > lease.terms.lasts - lease.terms.renew / 2:
            continue
        try:
            async with asyncio.timeout(lease.good_until - asked_at):
                kept = await pool.fetchval(statement("renew_lease"), lease.name, lease.token, lease.terms.lasts)
        except TROUBLE as trouble:
            log.warning("lease_renewal_failed", consumer=lease.name, reason=str(trouble))
            continue
        if kept is not None:
            lease.renewed(asked_at)
        elif not lease.fenced:
            raise LeaseLost(lease.name)


@asynccontextmanager
async def fenced(pool: Pool, lease: Lease, position: int) -> AsyncIterator[Connection]:
    """A transaction that ends with the checkpoint at ``position``, or leaves no trace.

    Raises ``LeaseLost`` before the body if another owner has taken over, or if the database has lost what this one did
    before. The checkpoint comes first, because it locks
    the consumer's row: owners never write at the same time, and a take-over or swap waits for the end or comes before.
    """
    async with fenced_together(pool, [(lease, position)]) as connection:
        yield connection


@asynccontextmanager
async def fenced_together(pool: Pool, moves: Sequence[tuple[Lease, int]]) -> AsyncIterator[Connection]:
    """``fenced`` for several consumers, all or none, each with the position at which its checkpoint ends."""
    async with pool.acquire() as connection:
        for lease, _ in moves:
            lease.fenced += 1
        try:
            async with connection.transaction():
                for lease, position in moves:
                    await advance(connection, lease, position, continues=lease.position)
                yield connection
                for lease, position in moves:
                    if time.monotonic() > lease.good_until - lease.terms.renew:
                        await advance(connection, lease, position, continues=position)
            for lease, position in moves:
                lease.position = position
        finally:
            for lease, _ in moves:
                lease.fenced -= 1


async def advance(connection: Connection, lease: Lease, position: int, *, continues: int) -> None:
    """Move the checkpoint on from ``continues`` in the connection's transaction; raises ``LeaseLost`` if fenced off."""
    asked_at = time.monotonic()
    kept = await connection.fetchval(
        statement("advance_checkpoint"), lease.name, lease.token, position, lease.terms.lasts, continues
    )
    if kept is None:
        raise LeaseLost(lease.name)
    lease.renewed(asked_at)


async def work_under(pool: Pool, lease: Lease, work: Callable[[Lease], Awaitable[T]]) -> T:
    """Run ``work(lease)`` while the lease lasts and release it afterwards.

    Raises ``LeaseLost`` after cancelling the work when the lease is lost, else what the work raises. The work is a
    task of its own rather than a body that gets cancelled from outside: so a cancellation of the caller and a lost
    lease can never be taken for one another.
    """
    working = asyncio.ensure_future(work(lease))
    keeping = asyncio.ensure_future(keep(pool, lease))
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.wait({working})
        if not working.cancelled() and (error := working.exception()) is not None:
            log.info("work_ended_badly_after_lease", consumer=lease.name, reason=str(error))
        return keeping.result()  # type: ignore[return-value]  # it can only raise
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)
        await release(pool, lease)
