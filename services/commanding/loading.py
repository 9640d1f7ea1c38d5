"""Current states of entities: from the cache while the sole-writer lease holds, else compared with the log."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from eventstore.errors import StoreUnavailable
from eventstore.events import StreamAppend, StreamName
from projections.events import follow, thaw
from projections.twins import Loaded, Twins
from protocol.entities import EntityState
from protocol.json import MISSING, Missing
from services.commanding.enforcers import Enforcers
from services.commanding.errors import StoreDown
from services.commanding.sharing import SharedEntries
from services.commanding.states import NO_EPOCH, StateCache
from services.commanding.trust import Trust


class States:
    """The current states of entities.

    Why a state from memory is exact while the lease holds. Its epoch says that it was compared with the log, or
    appended, while the lease of this very epoch held. Since then nobody else could append, and every append of this
    process puts its result here before it is answered. What is left is an append of this process that the log has and
    this cache has not yet: another process could already have read it. Therefore nothing is answered from memory about
    an entity that this process is just about to change (``Commanding`` queues such a read behind the change), nor about
    a stream in doubt, that is one whose last append got lost on the way and may still reach the log.
    """

    def __init__(
        self,
        *,
        twins: Twins,
        trust: Trust,
        cache: StateCache[EntityState],
        store_seconds: float,
        enforcers: Enforcers,
        shared: SharedEntries,
    ) -> None:
        """``enforcers`` are of policies in these states; what policies have in common is ``shared``."""
        self._share = shared.share
        self.compile = enforcers.compile
        self._twins = twins
        self._trust = trust
        self._cache = cache
        self._store_seconds = store_seconds
        self._doubted: dict[StreamName, int] = {}

    def epoch(self) -> int:
        """The epoch of the lease if it holds now, else ``NO_EPOCH``."""
        return self._trust.epoch if self._trust.holds() else NO_EPOCH

    def trusted(self, stream: StreamName, epoch: int) -> EntityState | Missing:
        """The state in memory if it is known to be current in this epoch, which must be the present one."""
        kept = self._cache.get(stream)
        if kept is None or kept.epoch != epoch or epoch == NO_EPOCH or stream in self._doubted:
            return MISSING
        return kept.state

    def remembered(self, stream: StreamName) -> EntityState | None:
        """The state in memory, which may be an old one: good for guesses."""
        kept = self._cache.get(stream)
        return None if kept is None else kept.state

    async def verified(
        self, streams: Iterable[StreamName], *, distrusted: Collection[StreamName] = ()
    ) -> dict[StreamName, EntityState | None]:
        """The current states of the streams, at most one round trip; ``None`` where there never was anything.

        ``distrusted`` streams are compared with the log in any case. Raises ``StoreDown``.
        """
        epoch = self.epoch()
        found: dict[StreamName, EntityState | None] = {}
        bases: dict[StreamName, EntityState | None] = {}
        for stream in streams:
            state = MISSING if stream in distrusted else self.trusted(stream, epoch)
            if isinstance(state, Missing):
                kept = self._cache.get(stream)
                bases[stream] = None if kept is None else kept.state
            else:
                found[stream] = state
        if bases:
            found.update(await self._load(bases, epoch))
        return found

    async def _load(
        self, bases: dict[StreamName, EntityState | None], epoch: int
    ) -> dict[StreamName, EntityState | None]:
        known = {stream: 0 if base is None else base.revision for stream, base in bases.items()}
        try:
            async with asyncio.timeout(self._store_seconds):
                loaded = await self._twins.load(known)
        except (StoreUnavailable, TimeoutError) as error:
            raise StoreDown from error
        epoch = epoch if self.epoch() == epoch else NO_EPOCH
        found: dict[StreamName, EntityState | None] = {}
        for stream, base in bases.items():
            state = _caught_up(base, loaded[stream])
            found[stream] = None if state is None else self.put(stream, state, epoch)
        return found

    def put(self, stream: StreamName, state: EntityState, epoch: int) -> EntityState:
        """Keep a durable state that is current in this epoch, and answer it as it is kept."""
        doubted = self._doubted.get(stream)
        if doubted is not None and state.revision > doubted:
            del self._doubted[stream]
        state = self._share(state)
        self._cache.put(stream, state, epoch)
        return state

    def doubt(self, append: StreamAppend) -> None:
        """An append got lost on its way: memory does not count until the stream is seen beyond the expected revision.

        Once the stream has moved on, the lost append can no longer succeed, wherever it may still be waiting.
        """
        self._doubted[append.stream] = append.expected_revision

    def suspect(self, stream: StreamName) -> None:
        """Compare the stream's state with the log before it counts again."""
        kept = self._cache.get(stream)
        if kept is not None:
            kept.epoch = NO_EPOCH

    def clear(self) -> None:
        """Drop everything, after it turned out that memory may be wrong."""
        self._cache.clear()


def _caught_up(base: EntityState | None, loaded: Loaded) -> EntityState | None:
    state = base
    row = loaded.snapshot
    if row is not None and (state is None or row.revision > state.revision):
        state = thaw(row)
    for event in loaded.tail:
        if state is None or event.revision > state.revision:
            state = follow(state, event)
    return state
