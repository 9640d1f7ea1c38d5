"""The SearchIndexes of namespaces: what operators want of them, and how far the keys of the things have come.

A namespace without a row has everything indexed. An event that sets an index marks the row as unfinished, from the
first thing on; then slices of things get their keys anew, in the order of their ids, each slice in a transaction of the
projection like any batch. So there is one writer of keys, and how far it has come is in the same commit as the keys.

Things up to ``reached`` have the keys of ``fields``. What those behind it have depends on how many changes they waited
through: their keys are read before they are changed. Both come to the same rows in the end, whatever was done when,
which is why a rebuild can be compared with the live rows, once nothing is owed.

While keys are made, ``usable`` is what the old index and the new one have in common: things have the keys for it before
and after their turn. Once all had it, ``usable`` is ``fields``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from asyncpg import Record

from eventstore.events import RecordedEvent
from projections.search.fields import EVERYTHING, Fields, restore_fields
from projections.search.keys import difference, keys_of
from projections.search.writing import KeyChanges, read_keys, write_rows
from projections.statements import Connection, statement
from protocol.json import dump, parse
from protocol.streams import NAMESPACES, SEARCH_INDEX

SLICE: Final = 100
"""Things that get their keys in one transaction: some ten milliseconds of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """A row of ``search_indexes``; ``reached`` is ``None`` when nothing is owed."""

    namespace: str
    position: int
    fields: Fields = EVERYTHING
    usable: Fields = EVERYTHING
    reached: str | None = None
    done: int | None = None
    total: int | None = None

    @property
    def needless(self) -> bool:
        """Whether no row says the same."""
        return self.reached is None and self.fields.everything

    def has_keys_of(self, thing_id: str) -> bool:
        """Whether the thing has exactly the keys that ``fields`` ask for."""
        return self.reached is None or thing_id <= self.reached

    def changed(self, fields: Fields, position: int) -> IndexRow:
        """The row after an operator has asked for other fields."""
        if self.reached is None and fields.of_keys == self.fields.of_keys:
            return replace(self, position=position, fields=fields, usable=fields)
        begin = f"{self.namespace}:"
        usable = self.usable.meet(fields)
        return replace(self, position=position, fields=fields, usable=usable, reached=begin, done=None, total=None)


class IndexRows:
    """Keeps ``search_indexes``, and the keys of the things in these namespaces when the index has changed."""

    def __init__(self, slice_things: int) -> None:
        self._slice_things = slice_things
        self._rows: dict[str, IndexRow] | None = None

    def forget(self) -> None:
        """Drop the remembered rows."""
        self._rows = None

    async def known(self, connection: Connection) -> Mapping[str, IndexRow]:
        """The rows by namespace."""
        if self._rows is None:
            records = await connection.fetch(statement("read_search_indexes"))
            self._rows = {record["namespace"]: _read(record) for record in records}
        return self._rows

    async def apply(self, connection: Connection, events: Iterable[RecordedEvent]) -> None:
        """Follow what operators have set; what was looked at ahead of its time counts once."""
        last = {event.stream: event for event in events if event.path == SEARCH_INDEX}
        known = await self.known(connection)
        changed: list[IndexRow] = []
        for stream, event in last.items():
            namespace = stream.removeprefix(NAMESPACES)
            before = known.get(namespace, IndexRow(namespace=namespace, position=0))
            if event.position <= before.position:
                continue
            fields = EVERYTHING if event.value is None else restore_fields(event.value)
            changed.append(before.changed(fields, event.position))
        await self._put(connection, changed)

    async def owes(self, connection: Connection) -> bool:
        """Whether things wait for their keys."""
        return any(row.reached is not None for row in (await self.known(connection)).values())

    async def work(self, connection: Connection) -> int:
        """Make the keys of some more things; how many."""
        owed = [row for row in (await self.known(connection)).values() if row.reached is not None]
        if not owed:
            return 0
        row, things = await _slice(connection, min(owed, key=lambda row: row.position), self._slice_things)
        await self._put(connection, [row])
        return things

    async def _put(self, connection: Connection, rows: Sequence[IndexRow]) -> None:
        kept = [row for row in rows if not row.needless]
        needless = [row.namespace for row in rows if row.needless]
        await write_rows(connection, "upsert_search_indexes", [_written(row) for row in kept])
        if needless:
            await connection.execute(statement("delete_search_indexes"), needless)
        assert self._rows is not None  # noqa: S101 - the callers have loaded them
        self._rows.update({row.namespace: row for row in kept})
        for name in needless:
            self._rows.pop(name, None)


async def _slice(connection: Connection, row: IndexRow, most: int) -> tuple[IndexRow, int]:
    """Give the next things their keys: how far that has come, and how many things it were."""
    reached, behind = row.reached or "", f"{row.namespace};"
    total, done = row.total, row.done or 0
    if total is None:
        total = await connection.fetchval(statement("count_search_things"), reached, behind)
    states = await connection.fetch(statement("read_search_states"), reached, behind, most)
    present = await read_keys(connection, [thing_id for thing_id, _ in states])
    changes = KeyChanges()
    for thing_id, state in states:
        document = parse(state, max_depth=1_000)
        wanted = keys_of(row.fields.cut(document)) if isinstance(document, dict) else set()
        changes.add(thing_id, difference(present[thing_id], wanted))
    await changes.write(connection)
    if len(states) < most:
        return replace(row, usable=row.fields, reached=None, done=None, total=None), len(states)
    return replace(row, reached=states[-1]["thing_id"], done=done + len(states), total=total), len(states)


def _read(record: Record) -> IndexRow:
    fields, usable = restore_fields(record["fields"]), restore_fields(record["usable"])
    return IndexRow(**{**record, "fields": fields, "usable": usable})


def _written(row: IndexRow) -> tuple[object, ...]:
    fields, usable = dump(row.fields.to_json()), dump(row.usable.to_json())
    return row.namespace, row.position, fields, usable, row.reached, row.done, row.total
