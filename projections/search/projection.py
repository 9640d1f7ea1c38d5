"""Writes the search model: a row per thing, a row per value that changed, and what policies say about reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from eventstore.events import RecordedEvent, StreamName
from projections.behind import WritingBehind
from projections.cache import BoundedCache
from projections.grouping import by_entity
from projections.lives import Life
from projections.projection import Rows
from projections.search.indexes import SLICE, IndexRow, IndexRows
from projections.search.loading import LOADED, Loading
from projections.search.parts import THING, ThingRow, worked_out
from projections.search.policies import PolicyRows
from projections.search.writing import KeyChanges
from projections.statements import Connection, statement
from protocol.context import RootPolicies
from protocol.streams import NAMESPACES

PART: Final = 50
"""Things that are worked out, some milliseconds long, while those before them are written."""


class SearchProjection:
    """Keeps the search model. Rows of things that do not fit into ``cache_bytes`` are read back, once per batch.

    An event writes the thing's row and the keys of the values that it changed, nothing else. A policy writes its own
    row and a grant per subject; only the policies that import it are written with it, and never a row of a thing. Where
    a SearchIndex was changed, ``work`` gives the things of the namespace their keys bit by bit.
    """

    name = "search"
    version = 3
    tables = (
        "search_things",
        "search_keys",
        "search_paths",
        "search_policies",
        "search_imports",
        "search_grants",
        "search_indexes",
    )

    streams = ()
    bare = LOADED

    ahead = (NAMESPACES,)

    def __init__(
        self, *, cache_bytes: int = 16 << 20, slice_things: int = SLICE, root_policies: RootPolicies = ()
    ) -> None:
        self._cache: BoundedCache[ThingRow] = BoundedCache(cache_bytes)
        self._policies = PolicyRows(root_policies)
        self._indexes = IndexRows(slice_things)
        self._index_rows: Mapping[str, IndexRow] = {}
        self._loading = Loading(self._policies.rooted)

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Follow the events and write what follows from them."""
        groups = by_entity(events)
        if settings := [event for event in events if event.stream.startswith(NAMESPACES)]:
            await self._indexes.apply(connection, settings)
        things = {stream: group for stream, group in groups.items() if stream.startswith(THING)}
        if things:
            await self._apply_things(connection, things)
        if len(things) < len(groups):
            await self._policies.apply(
                connection, {stream: group for stream, group in groups.items() if stream not in things}
            )

    def forget(self) -> None:
        """Drop the remembered rows."""
        self._cache.clear()
        self._indexes.forget()
        self._loading.counts = KeyChanges()

    async def begin_load(self, connection: Connection) -> None:
        """Know which namespaces have a SearchIndex: they were looked at ahead."""
        self._index_rows = await self._indexes.known(connection)

    def load(self, lives: Sequence[Life]) -> Rows:
        """The rows of things and policies; how many things have which paths is kept."""
        return self._loading.rows(lives, self._index_rows)

    async def sum_up(self, connection: Connection) -> None:
        """Write how many more things have a value at which path."""
        counts, self._loading.counts = self._loading.counts, KeyChanges()
        await counts.write_counts(connection)

    async def settle(self, connection: Connection) -> None:
        """Write the grants of policies that import others or to which root policies are added."""
        await self._policies.settle(connection)

    async def owes(self, connection: Connection) -> bool:
        """Whether things wait for other keys because the SearchIndex of their namespace was changed."""
        return await self._indexes.owes(connection)

    async def work(self, connection: Connection) -> int:
        """Give some of them their keys; how many."""
        return await self._indexes.work(connection)

    async def _apply_things(self, connection: Connection, groups: Mapping[StreamName, list[RecordedEvent]]) -> None:
        before = await self._rows_before(connection, [group[0] for group in groups.values()])
        indexes = await self._indexes.known(connection)
        counts = KeyChanges()
        async with WritingBehind() as behind:
            rest = iter(groups.items())
            while some := list(islice(rest, PART)):
                part = worked_out(some, before, indexes)
                self._remember(part.rows, [stream for stream, _ in some])
                await behind.put(part.write(connection, counts))
        await counts.write_counts(connection)

    def _remember(self, rows: Iterable[ThingRow], groups: Iterable[StreamName]) -> None:
        present = {row.thing_id: row for row in rows}
        for stream in groups:
            row = present.get(stream.removeprefix(THING))
            if row is not None:
                self._cache.put(stream, row, len(row.state))
            else:
                self._cache.drop(stream)

    async def _rows_before(self, connection: Connection, firsts: Iterable[RecordedEvent]) -> dict[str, ThingRow]:
        rows: dict[str, ThingRow] = {}
        missing: list[str] = []
        for event in firsts:
            if event.revision > 1:
                row = self._cache.get(event.stream)
                if row is None:
                    missing.append(event.stream.removeprefix(THING))
                else:
                    rows[row.thing_id] = row
        if missing:
            for record in await connection.fetch(statement("read_search_things"), missing):
                rows[record["thing_id"]] = ThingRow(*record)
        return rows
