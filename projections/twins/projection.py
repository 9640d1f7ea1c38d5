"""Writes the twins: the latest state of every entity, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore.events import RecordedEvent, StreamName
from projections.cache import BoundedCache
from projections.events import EntityState, follow, freeze, thaw
from projections.grouping import by_entity, namespace_of
from projections.projection import NeedsRebuild
from projections.statements import Connection, statement


class TwinsProjection:
    """Keeps ``twins``. States that do not fit into ``cache_bytes`` are read back, in one statement per batch."""

    name = "twins"
    version = 1
    tables = ("twins",)

    def __init__(self, *, cache_bytes: int = 16 << 20) -> None:
        self._cache: BoundedCache[EntityState] = BoundedCache(cache_bytes)

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Follow the events and write one row per entity that they touch."""
        groups = by_entity(events)
        if not groups:
            return
        states = await self._states(connection, [group[0] for group in groups.values()])
        rows = [self._row(states.get(stream), group) for stream, group in groups.items()]
        await connection.execute(statement("upsert_twins"), *zip(*rows, strict=True))

    def forget(self) -> None:
        """Drop the remembered states."""
        self._cache.clear()

    async def _states(self, connection: Connection, firsts: Iterable[RecordedEvent]) -> dict[StreamName, EntityState]:
        """The states before these events, of those entities that had one."""
        states: dict[StreamName, EntityState] = {}
        missing: list[StreamName] = []
        for event in firsts:
            if event.revision > 1:
                state = self._cache.get(event.stream)
                if state is None:
                    missing.append(event.stream)
                else:
                    states[event.stream] = state
        if missing:
            for row in await connection.fetch(statement("read_twins"), missing):
                states[row["stream"]] = thaw(**row)
        return states

    def _row(self, state: EntityState | None, events: Sequence[RecordedEvent]) -> tuple[object, ...]:
        stream = events[0].stream
        for event in events:
            if event.revision != (state.revision if state is not None else 0) + 1:
                raise NeedsRebuild(f"the row of {stream} does not lead to revision {event.revision}")
            state = follow(state, event)
        if state is None:
            raise ValueError(f"no events of {stream}")
        frozen = freeze(state)
        self._cache.put(stream, state, len(frozen))
        return (
            stream,
            namespace_of(stream),
            state.revision,
            events[-1].position,
            state.created,
            state.modified,
            state.deleted,
            frozen,
        )
