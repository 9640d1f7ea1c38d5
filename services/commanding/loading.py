"""States that are true: from memory where the lease vouches for them, else compared with the log."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent, StreamName
from projections.twins import Loaded, Snapshot
from protocol.entities import EntityState
from protocol.json import MISSING, Missing
from protocol.stored import restore_state
from services.commanding.errors import StoreDown
from services.commanding.rules import replayed
from services.commanding.states import NO_EPOCH, StateCache
from services.commanding.trust import Trust


class Twins(Protocol):
    """The part of ``projections.twins.TwinsReader`` that loads states."""

    async def load(self, known: Mapping[StreamName, int]) -> Mapping[StreamName, Loaded]:
        """Snapshot and tail for every stream in one round trip; the tail alone where a revision is known."""
        ...

    async def list_things(
        self, namespaces: tuple[str, ...], after_stream: str | None, limit: int
    ) -> list[StreamName]:
        """Streams of living things in order of their names."""
        ...


class States:
    """The current states of entities.

    Why a state from memory is exact while the lease holds. Its epoch says that it was compared with the log, or appended,
    while the lease of this very epoch held. Since then nobody else could append, and every append of this process puts
    its result here before it is answered. What is left is an append of this process that the log has and this cache has
    not yet: another process could already have read it. Therefore nothing is answered from memory about an entity that
    this process is just about to change (``Commanding`` queues such a read behind the change), nor about a stream in
    doubt, that is one whose last append got lost on the way and may still reach the log.
    """

    def __init__(
        self, *, twins: Twins, trust: Trust, cache: StateCache[EntityState], store_seconds: float
    ) -> None:
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
            state = found[stream] = _brought_up(stream, base, loaded.get(stream))
            if state is not None:
                self.put(stream, state, epoch)
        return found

    def put(self, stream: StreamName, state: EntityState, epoch: int) -> None:
        """Keep a durable state that is current in this epoch."""
        doubted = self._doubted.get(stream)
        if doubted is not None and state.revision > doubted:
            del self._doubted[stream]
        self._cache.put(stream, state, epoch)

    def doubt(self, stream: StreamName, expected_revision: int) -> None:
        """An append on this revision got lost: until the stream is seen beyond it, memory does not count.

        Once the stream has moved on, the lost append can no longer succeed, wherever it may still be waiting.
        """
        self._doubted[stream] = expected_revision

    def suspect(self, stream: StreamName) -> None:
        """Compare the stream's state with the log before it counts again."""
        kept = self._cache.get(stream)
        if kept is not None:
            kept.epoch = NO_EPOCH

    def forget(self, stream: StreamName) -> None:
        """Drop what is known about a stream."""
        self._cache.forget(stream)


def _brought_up(stream: StreamName, base: EntityState | None, loaded: Loaded | None) -> EntityState | None:
    if loaded is None:
        return base
    state = base
    if loaded.snapshot is not None and (state is None or loaded.snapshot.revision > state.revision):
        state = restored(stream, loaded.snapshot)
    return brought_up(state, loaded.tail)


def brought_up(state: EntityState | None, tail: Iterable[RecordedEvent]) -> EntityState | None:
    """The state after those events of the tail that it does not know yet."""
    for event in tail:
        if state is None or event.revision > state.revision:
            state = replayed(state, event)
    return state


def restored(stream: StreamName, snapshot: Snapshot) -> EntityState:
    """The state that a snapshot of the read model holds."""
    return restore_state(
        stream,
        snapshot.state,
        revision=snapshot.revision,
        created=snapshot.created,
        modified=snapshot.modified,
        deleted=snapshot.deleted,
    )
