"""The lease under which a process may answer from its cached states without asking the log."""

# Why this is safe
# ----------------
# A cached state is exact as long as nobody else has appended to its stream. With several processes that must be asked
# of the log each time; a process that is alone should not have to. So one process may hold a lease, and the append
# function refuses everybody else while a lease is in force. Four times matter:
#
#   take     A takes the lease under the append's lock. An append of B that found no lease has committed by then, so it
#            is in whatever A loads afterwards; an append of B that comes later finds the lease. Hence a state that A
#            loads after taking the lease, and keeps up to date with its own appends, is exact until the lease is over.
#            States from before are not, which is what `epoch` is for: it is the lease's token, and a state is trusted
#            only in the epoch that was already current when its loading began.
#   renew    A asks whether its token stands uncontested. If so, A trusts the lease until `sent + term - margin`, where
#            `sent` was read from A's own clock *before* the question was sent.
#   contest  B's append is refused and marks the lease contested, in the same transaction. From its commit on no renewal
#            succeeds. Every renewal that succeeded took its snapshot before that commit, so it was sent before it, and
#            A's trust ends before `commit + term`.
#   break    B may end the lease when A has given it up, which A does as soon as it hears of the contest, having stopped
#            trusting it first; or `term` after B *learned* of its commit, on B's own clock. By then A's trust has run
#            out. Only then does B's append pass.
#
# So at no moment does B append while A trusts. Nothing compares clocks of two machines and nobody uses the time of day:
# both sides measure one length, and `margin` (a fifth of the term) covers clocks that run at different speeds. A clock
# that stands still while the process is suspended would break it, hence `elapsed`. A paused A (SIGSTOP, a swapped-out
# machine) finds its trust run out when it looks at the clock, and it looks every time: `holds` is synchronous, so
# nothing comes between looking and reading the cache. An answer that was on its way when the pause began is a read that
# happened before B's append, which is allowed while it has not been delivered. Writes need none of this: they are
# guarded by expected revision and unique keys.
#
# What a lease costs others: the first append of a second process waits a few milliseconds for the holder to hear of it,
# or `term` if the holder is dead. What it costs the holder: one short read each `beat`. After a contest everybody
# shares, each checking the log's tail, until one process has seen nobody else append for `quiet` seconds.
#
# The renewal must see the primary's present, not a replica's past. A failover to an asynchronous replica that has lost
# commits loses events too, and is out of reach of any lease.

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from eventstore.errors import StoreUnavailable
from eventstore.handover import elapsed
from eventstore.listening import SOLE_WRITER
from eventstore.postgres import PostgresEventStore
from eventstore.reader import LogReader

log = logging.getLogger(__name__)


class SoleWriter:
    """The lease of ``store``'s process; its owner keeps ``run`` going in a task.

    ``term``: how long a lease is trusted after it was last made sure of. ``beat``: how often that is done. ``quiet``:
    how long nobody else must have appended before the lease is taken. All in seconds of ``clock``, which must never
    jump.
    """

    def __init__(
        self,
        store: PostgresEventStore,
        *,
        term: float = 1.5,
        beat: float = 0.3,
        quiet: float = 3.0,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._reader = LogReader(store.pool)
        self._writer = store.writer
        self._term = term
        self._margin = term / 5
        self._beat = beat
        self._quiet = quiet
        self._clock = clock
        self._token: int | None = None
        self._epoch = 0
        self._trusted_until = float("-inf")
        self._contested = asyncio.Event()
        self._others = _Others(clock())
        store.observe_appends(self._others.appended_here)
        store.feed.listener.register(SOLE_WRITER, self._heard)

    @property
    def epoch(self) -> int:
        """Changes whenever trust starts anew.

        A cached state may be trusted while ``holds()`` is true and the epoch is the one in which its loading *began*.
        Between two epochs others may have appended; a lapse of ``holds()`` within one epoch is only a doubt that was
        dispelled.
        """
        return self._epoch

    @property
    def seen(self) -> int:
        """How far the log reached when the lease was last looked after."""
        return self._others.head

    def holds(self) -> bool:
        """Whether cached states of this epoch are exact at this moment; ask right before each use, keep no answer."""
        return self._clock() < self._trusted_until

    async def run(self) -> None:
        """Take the lease when nobody else appends, keep it, give it up when contested; until cancelled."""
        try:
            while True:
                try:
                    await (self._keep(self._token) if self._token else self._try())
                except StoreUnavailable:  # trust runs out by itself
                    await asyncio.sleep(self._beat)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._beat):
                        await self._contested.wait()
        finally:
            self._distrust()
            if self._token:
                with suppress(StoreUnavailable, TimeoutError):
                    async with asyncio.timeout(self._term):
                        await self._release(self._token)

    async def _try(self) -> None:
        self._contested.clear()
        _, head = await self._state(0)
        self._others.look(head, self._clock())
        if self._clock() - self._others.last_seen < self._quiet:
            return
        sent = self._clock()
        token = (await self._reader.rows("lease_take", self._writer, self._term))[0][0]
        if token is None:
            return
        self._token = self._epoch = token
        self._trust(sent)
        log.info("sole_writer_trusts_its_cache", extra={"epoch": token})

    async def _keep(self, token: int) -> None:
        sent = self._clock()
        stands, head = await self._state(token)
        self._others.look(head, self._clock())
        if stands and not self._contested.is_set():
            self._trust(sent)
            return
        self._distrust()  # before the release: after it others append at once
        await self._release(token)
        self._contested.clear()
        log.info("sole_writer_shares_the_log")

    async def _release(self, token: int) -> None:
        await self._reader.rows("lease_release", token, self._writer)
        self._token = None
        self._others.seen(self._clock())

    async def _state(self, token: int) -> tuple[bool, int]:
        stands, head = (await self._reader.rows("lease_state", token, self._writer))[0]
        return stands, head

    def _trust(self, sent: float) -> None:
        self._trusted_until = sent + self._term - self._margin

    def _distrust(self) -> None:
        self._trusted_until = float("-inf")

    def _heard(self, payload: str) -> None:
        if payload == str(self._token):
            self._distrust()
            self._contested.set()


class _Others:
    """When somebody else last appended, found by looking: positions that the log has and that we did not append.

    An append of ours may be in the log before we are told so; therefore a head is judged one look after it was seen.
    """

    def __init__(self, now: float) -> None:
        self.last_seen = now
        self._accounted: int | None = None
        self.head = 0
        self._ours: list[tuple[int, int]] = []

    def appended_here(self, first: int, last: int) -> None:
        """Positions that this process appended."""
        if self._ours and self._ours[-1][1] + 1 == first:
            first, _ = self._ours.pop()
        self._ours.append((first, last))

    def look(self, head: int, now: float) -> None:
        """Judge the head seen last time, and remember this one."""
        accounted = head if self._accounted is None else self._accounted
        for first, last in sorted(self._ours):
            if first <= accounted + 1:
                accounted = max(accounted, last)
        if accounted < self.head:
            self.seen(now)
            accounted = self.head
        self._accounted, self.head = accounted, head
        self._ours = [span for span in self._ours if span[1] > accounted]

    def seen(self, now: float) -> None:
        """Somebody else appended, or wants to."""
        self.last_seen = now
