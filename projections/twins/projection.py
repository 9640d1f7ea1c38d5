"""Writes the twins: the latest state of every entity, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from eventstore.events import RecordedEvent, StreamName
from projections.cache import BoundedCache
from projections.events import first_state, followed, freeze, thaw
from projections.grouping import by_entity, namespace_of
from projections.lives import Life
from projections.projection import NeedsRebuild, Rows
from projections.statements import Connection, statement


class Row(NamedTuple):
    """A row of ``twins``, in the order of the statement that writes it."""

    stream: StreamName
    namespace: str
    revision: int
    position: int
    created_at: datetime
    modified_at: datetime
    deleted: bool
    state: bytes


class TwinsProjection:
    """Keeps ``twins``. Rows that do not fit into ``cache_bytes`` are read back, in one statement per batch.

    It remembers rows, not parsed states: bytes take a tenth of the memory, and the collector need not look at them,
    which costs more than parsing a state once per batch.
    """

    name = "twins"
    version = 1
    tables = ("twins",)
    streams = ()
    bare = tables

    def __init__(self, *, cache_bytes: int = 16 << 20) -> None:
        self._cache: BoundedCache[Row] = BoundedCache(cache_bytes)

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Follow the events and write one row per entity that they touch."""
        groups = by_entity(events)
        if not groups:
            return
        before = await self._rows_before(connection, [group[0] for group in groups.values()])
        rows = [_row_after(before.get(stream), group) for stream, group in groups.items()]
        await connection.execute(statement("upsert_twins"), *zip(*rows, strict=True))
        for row in rows:
            self._cache.put(row.stream, row, len(row.state))

    def forget(self) -> None:
        """Drop the remembered rows."""
        self._cache.clear()

    async def begin_load(self, connection: Connection) -> None:
        """Nothing has to be known."""

    def load(self, lives: Sequence[Life]) -> Rows:
        """A row for each, deleted ones too."""
        return {
            "twins": [
                Row(
                    life.stream,
                    life.namespace,
                    life.revision,
                    life.position,
                    life.created,
                    life.modified,
                    deleted=life.gone,
                    state=life.frozen,
                )
                for life in lives
            ]
        }

    async def sum_up(self, connection: Connection) -> None:
        """Nothing was kept."""

    async def settle(self, connection: Connection) -> None:
        """Every entity stands for itself."""

    async def _rows_before(self, connection: Connection, firsts: Iterable[RecordedEvent]) -> dict[StreamName, Row]:
        """The rows that these events build on, of those entities that have one."""
        rows: dict[StreamName, Row] = {}
        missing: list[StreamName] = []
        for event in firsts:
            if event.revision > 1:
                row = self._cache.get(event.stream)
                if row is None:
                    missing.append(event.stream)
                else:
                    rows[event.stream] = row
        if missing:
            for record in await connection.fetch(statement("read_twins"), missing):
                rows[record["stream"]] = Row(namespace=namespace_of(record["stream"]), **record)
        return rows


def _row_after(before: Row | None, events: Sequence[RecordedEvent]) -> Row:
    first, last = events[0], events[-1]
    stream = first.stream
    known = 0 if before is None else before.revision
    if first.revision != known + 1 or last.revision != known + len(events):
        raise NeedsRebuild(f"the row of {stream} at revision {known} does not lead to revision {first.revision}")
    if last.revision == 1 and (verbatim := first_state(first)) is not None:
        at = first.recorded_at
        return Row(stream, namespace_of(stream), 1, first.position, at, at, deleted=False, state=verbatim)
    state = followed(None if before is None else thaw(before), events)
    return Row(
        stream=stream,
        namespace=namespace_of(stream),
        revision=last.revision,
        position=last.position,
        created_at=state.created,
        modified_at=state.modified,
        deleted=state.deleted,
        state=freeze(state),
    )
