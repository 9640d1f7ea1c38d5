"""Reads the twins from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asyncpg import Record

from eventstore.errors import translate_errors
from eventstore.events import RecordedEvent, StreamName
from projections.statements import Pool, statement
from projections.twins.loading import NOTHING, Loaded, Snapshot


class TwinsReader:
    """``Twins`` over the read model and the log. Raises ``StoreUnavailable`` when the database cannot be asked."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, known: Mapping[StreamName, int]) -> dict[StreamName, Loaded]:
        """See ``Twins.load``: one statement, hence one snapshot, for the whole group.

        However far the projection is behind, row and tail fit together; a lagging projection only makes tails longer.
        """
        if not known:
            return {}
        with translate_errors():
            rows = await self._pool.fetch(statement("load_twins"), list(known), list(known.values()))
        snapshots: dict[StreamName, Snapshot] = {}
        tails: dict[StreamName, list[RecordedEvent]] = {}
        for row in rows:
            if row[3] is None:
                snapshots[row[0]] = _snapshot_of_load(row)
            else:
                tails.setdefault(row[0], []).append(_event(row))
        return {stream: _loaded(snapshots.get(stream), tails.get(stream)) for stream in known}

    async def read(self, streams: Iterable[StreamName]) -> dict[StreamName, Snapshot]:
        """See ``Twins.read``."""
        with translate_errors():
            rows = await self._pool.fetch(statement("read_twins"), list(streams))
        return {row["stream"]: Snapshot(**row) for row in rows}

    async def list_things(
        self, namespaces: Sequence[str] | None = None, *, after_stream: StreamName | None = None, limit: int = 200
    ) -> list[Snapshot]:
        """See ``Twins.list_things``."""
        within = None if namespaces is None else list(namespaces)
        with translate_errors():
            rows = await self._pool.fetch(statement("list_things"), within, after_stream or "", limit)
        return [Snapshot(**row) for row in rows]


def _loaded(snapshot: Snapshot | None, tail: list[RecordedEvent] | None) -> Loaded:
    if tail is None:
        return NOTHING if snapshot is None else Loaded(snapshot=snapshot, tail=())
    tail.sort(key=_revision)
    return Loaded(snapshot=snapshot, tail=tuple(tail))


def _revision(event: RecordedEvent) -> int:
    return event.revision


def _snapshot_of_load(row: Record) -> Snapshot:
    stream, revision, position, _, _, state, _, modified_at, _, created_at, deleted = row
    return Snapshot(
        stream=stream,
        revision=revision,
        position=position,
        created_at=created_at,
        modified_at=modified_at,
        deleted=deleted,
        state=state,
    )


def _event(row: Record) -> RecordedEvent:
    stream, revision, position, type_, path, value, headers, at, command_id, _, _ = row
    return RecordedEvent(
        position=position,
        stream=stream,
        revision=revision,
        type=type_,
        path=path,
        value=value,
        headers=headers,
        recorded_at=at,
        command_id=command_id,
    )
