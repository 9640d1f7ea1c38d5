"""Counters: revision, created, modified and number of events, per entity and per namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore.events import RecordedEvent, StreamName
from projections.grouping import by_entity, namespace_of
from projections.lives import TURNS, Life
from projections.projection import Rows
from projections.statements import Connection, statement

Groups = Mapping[StreamName, list[RecordedEvent]]


class RevisionsProjection:
    """Keeps ``entity_revisions`` and ``namespace_revisions``; needs no state, only what each event says of itself."""

    name = "revisions"
    version = 1
    tables = ("entity_revisions", "namespace_revisions")
    streams = ()
    bare = ("entity_revisions",)

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, str], _Sum] = {}

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Add the events to the counters: one row per entity and per namespace touched."""
        groups = by_entity(events)
        if groups:
            await connection.execute(statement("upsert_entity_revisions"), *zip(*_entity_rows(groups), strict=True))
            await connection.execute(statement("upsert_namespace_revisions"), *zip(*_sums(groups), strict=True))

    def forget(self) -> None:
        """Drop the sums of what was loaded."""
        self._loaded = {}

    async def begin_load(self, connection: Connection) -> None:
        """Nothing has to be known."""

    def load(self, lives: Sequence[Life]) -> Rows:
        """A row for each entity; sums of namespaces are kept."""
        rows = []
        for life in lives:
            namespace, events = life.namespace, life.revision
            rows.append((life.stream, namespace, events, events, life.created, life.modified, life.gone))
            _sum_of(self._loaded, life.stream).add(
                entities=life.entities, events=events, position=life.position, began=life.began, modified=life.modified
            )
        return {"entity_revisions": rows}

    async def sum_up(self, connection: Connection) -> None:
        """Write the sums of namespaces."""
        if self._loaded:
            await connection.execute(statement("upsert_namespace_revisions"), *zip(*_rows(self._loaded), strict=True))
        self._loaded = {}

    async def settle(self, connection: Connection) -> None:
        """Every entity stands for itself."""


def _entity_rows(groups: Groups) -> Iterable[tuple[object, ...]]:
    for stream, events in groups.items():
        created_at: datetime | None = None
        deleted: bool | None = None
        for event in events:
            if event.path == "/" and event.type in TURNS:
                deleted = event.type == "deleted"
                created_at = created_at if deleted else event.recorded_at
        last = events[-1]
        yield stream, namespace_of(stream), last.revision, len(events), created_at, last.recorded_at, deleted


@dataclass(slots=True)
class _Sum:
    """Of some events of a namespace; as recorded times rise with positions, it does not matter how they are cut."""

    entities: int = 0
    events: int = 0
    position: int = 0
    began: datetime | None = None
    modified: datetime | None = None

    def add(self, *, entities: int, events: int, position: int, began: datetime, modified: datetime) -> None:
        self.entities += entities
        self.events += events
        self.position = max(self.position, position)
        self.began = began if self.began is None else min(self.began, began)
        self.modified = modified if self.modified is None else max(self.modified, modified)


_Sums = dict[tuple[str, str], _Sum]


def _sum_of(sums: _Sums, stream: StreamName) -> _Sum:
    category, namespace, _ = stream.split(":", 2)
    return sums.setdefault((namespace, category), _Sum())


def _sums(groups: Groups) -> Iterable[tuple[object, ...]]:
    sums: _Sums = {}
    for stream, events in groups.items():
        first, last = events[0], events[-1]
        entities = sum(TURNS.get(event.type, 0) for event in events if event.path == "/")
        _sum_of(sums, stream).add(
            entities=entities,
            events=len(events),
            position=last.position,
            began=first.recorded_at,
            modified=last.recorded_at,
        )
    return _rows(sums)


def _rows(sums: _Sums) -> Iterable[tuple[object, ...]]:
    for (namespace, category), total in sums.items():
        yield namespace, category, total.entities, total.events, total.position, total.began, total.modified
