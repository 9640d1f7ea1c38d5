"""The live end of the log, kept once per process and shared by all its subscribers.

A ring holds the newest events without a hole. What this process appends goes straight into it; what others append is
read from the database once, when a notification or, behind it, a regular look says that the log has grown. Positions
are dense, so "the next event" is a number: a subscriber whose place is inside the ring goes on from there, one whose
place is before it reads the database up to where the ring began. There is no seam at which an event could fall out or
come twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent
from eventstore.listening import EVENTS, Listener
from eventstore.pool import Pool
from eventstore.reader import LogReader, events_of

log = logging.getLogger(__name__)

_PAGE: Final = 1_000
_AHEAD: Final = 64
_BACKOFF_SECONDS: Final = 0.2


class Ring:
    """The newest events in log order, without a hole; ``start`` is the position before the first, ``end`` the last."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: list[RecordedEvent] = []
        self.start = 0

    @property
    def end(self) -> int:
        """The last position held, or the place where the ring begins."""
        return self.start + len(self._events)

    def restart(self, position: int) -> None:
        """Hold nothing, and go on after ``position``."""
        self._events.clear()
        self.start = position

    def extend(self, events: Sequence[RecordedEvent]) -> bool:
        """Take what is new of ``events``, if it continues the ring; False if there is a hole between."""
        if not events or events[-1].position <= self.end:
            return True
        known = self.end + 1 - events[0].position
        if known < 0:
            return False
        self._events.extend(events[known:] if known else events)
        if len(self._events) > 2 * self._capacity:
            surplus = len(self._events) - self._capacity
            del self._events[:surplus]
            self.start += surplus
        return True

    def after(self, position: int, limit: int) -> Sequence[RecordedEvent] | None:
        """What follows ``position``, at most ``limit`` events; None if it is no longer here."""
        index = position - self.start
        return self._events[index : index + limit] if index >= 0 else None


class Feed:
    """Keeps the ring at the head of the log while anybody subscribes, and tells other processes what this one appends.

    ``poll_interval`` seconds is the longest that another process's event goes unseen when its notification is lost;
    ``announce_interval`` is how long appends are gathered into one notification (one in every transaction would take
    the server's notification lock in every commit, which was measured to halve the append rate).
    """

    def __init__(
        self,
        pool: Pool,
        *,
        capacity: int = 10_000,
        poll_interval: float = 0.2,
        announce_interval: float = 0.01,
    ) -> None:
        self.ring = Ring(capacity)
        self.listener = Listener(pool, on_connected=self._look)
        self.listener.register(EVENTS, self._heard)
        self._pool = pool
        self._reader = LogReader(pool)
        self._poll_interval = poll_interval
        self._announce_interval = announce_interval
        self._subscribers = 0
        self._ahead: dict[int, Sequence[RecordedEvent]] = {}
        self._changed = asyncio.Event()
        self._due = asyncio.Event()
        self._unsaid = 0
        self._something_to_say = asyncio.Event()
        self._based = False
        self._stopped = True

    async def run(self) -> None:
        """Follow, listen and announce until cancelled."""
        self._stopped = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.listener.run(), name="eventstore listener")
                tasks.create_task(self._follow(), name="eventstore follower")
                tasks.create_task(self._announce(), name="eventstore announcer")
        finally:
            self._stopped = True
            self._wake()

    @property
    def followed(self) -> bool:
        """Whether anybody subscribes and the ring has found its place."""
        return self._based

    @asynccontextmanager
    async def subscribing(self) -> AsyncIterator[None]:
        """While inside, the ring is kept at the head of the log.

        Raises ``StoreUnavailable`` if the database cannot say where that is.
        """
        self._subscribers += 1
        try:
            if not self._based:
                # Nobody followed until now, and the log may be far ahead of the ring.
                head = await self._reader.head()
                if not self._based:
                    self.ring.restart(head)
                    self._based = True
                    self._look()
            yield
        finally:
            self._subscribers -= 1
            if not self._subscribers:
                self._based = False
                self._ahead.clear()
                self.ring.restart(0)

    async def grown(self) -> None:
        """Wait until the ring has changed. Raises ``StoreUnavailable`` when the feed is not running (any more)."""
        if self._stopped:
            message = "the store is closed, so nothing will be heard of the log"
            raise StoreUnavailable(message)
        await self._changed.wait()

    def appended(self, events: Sequence[RecordedEvent]) -> None:
        """What this process has just appended: on to the subscribers and, soon, a word to the other processes."""
        self._unsaid = max(self._unsaid, events[-1].position)
        self._something_to_say.set()
        if not self._based:
            return
        if self.ring.extend(events):
            while following := self._ahead.pop(self.ring.end + 1, None):
                self.ring.extend(following)
            self._wake()
            return
        # Answers of appends that were under way together may come in any order, and other processes append too.
        if len(self._ahead) < _AHEAD:
            self._ahead[events[0].position] = events
        self._look()

    def _heard(self, payload: str) -> None:
        if int(payload) > self.ring.end:
            self._look()

    def _look(self) -> None:
        self._due.set()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval if self._based else None):
                    await self._due.wait()
            self._due.clear()
            try:
                while self._based and await self._catch_up():
                    pass
            except StoreUnavailable as error:
                log.warning("following_interrupted", extra={"reason": str(error)})
                await asyncio.sleep(_BACKOFF_SECONDS)
                self._look()

    async def _catch_up(self) -> bool:
        """Read what the ring lacks; True if there may be more."""
        end = self.ring.end
        events = events_of(await self._reader.rows("read_forwards", end, end + _PAGE, None, None, _PAGE))
        if events and self._based:
            self.ring.extend(events)
            self._ahead = {first: ahead for first, ahead in self._ahead.items() if first > self.ring.end}
            self._wake()
        return len(events) == _PAGE

    async def _announce(self) -> None:
        while True:
            await self._something_to_say.wait()
            await asyncio.sleep(self._announce_interval)
            self._something_to_say.clear()
            try:
                await self._reader.rows("announce", str(self._unsaid))
            except StoreUnavailable as error:
                log.info("not_announced", extra={"position": self._unsaid, "reason": str(error)})
