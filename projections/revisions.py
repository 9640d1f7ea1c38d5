"""Counters: revision, created, modified and number of events, per entity and per namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore.events import RecordedEvent, StreamName
from projections.grouping import by_entity, namespace_of
from projections.statements import Connection, statement

Groups = Mapping[StreamName, list[RecordedEvent]]


class RevisionsProjection:
    """Keeps ``entity_revisions`` and ``namespace_revisions``; needs no state, only what each event says of itself."""

    name = "revisions"
    version = 1
    tables = ("entity_revisions", "namespace_revisions")

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Add the events to the counters: one row per entity and per namespace touched."""
        groups = by_entity(events)
        if groups:
            await connection.execute(statement("upsert_entity_revisions"), *zip(*_entity_rows(groups), strict=True))
            await connection.execute(statement("upsert_namespace_revisions"), *zip(*_sums(groups), strict=True))

    def forget(self) -> None:
        """Nothing is remembered."""


def _entity_rows(groups: Groups) -> Iterable[tuple[object, ...]]:
    for stream, events in groups.items():
        created_at: datetime | None = None
        deleted: bool | None = None
        for event in events:
            if event.path == "/" and event.type in _TURNS:
                deleted = event.type == "deleted"
                created_at = created_at if deleted else event.recorded_at
        last = events[-1]
        yield stream, namespace_of(stream), last.revision, len(events), created_at, last.recorded_at, deleted


_TURNS = {"created": 1, "deleted": -1}
"""What an event at the root does to the number of entities."""


@dataclass(slots=True)
class _Sum:
    first: RecordedEvent
    last: RecordedEvent
    entities: int = 0
    events: int = 0


def _sums(groups: Groups) -> Iterable[tuple[object, ...]]:
    sums: dict[tuple[str, str], _Sum] = {}
    for stream, events in groups.items():
        category, namespace, _ = stream.split(":", 2)
        total = sums.setdefault((namespace, category), _Sum(events[0], events[-1]))
        total.events += len(events)
        total.entities += sum(_TURNS.get(event.type, 0) for event in events if event.path == "/")
        total.first = min(total.first, events[0], key=_position)
        total.last = max(total.last, events[-1], key=_position)
    for (namespace, category), total in sums.items():
        last = total.last
        first_at = total.first.recorded_at
        yield namespace, category, total.entities, total.events, last.position, first_at, last.recorded_at


def _position(event: RecordedEvent) -> int:
    return event.position
