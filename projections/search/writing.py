"""Writes what changes in the keys of a batch of things, and how many things have a value at which path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from projections.search.keys import Changes
from projections.statements import Connection, statement


@dataclass(slots=True)
class KeyChanges:
    """Keys that go and come, with their things and features, and by how much the counts of paths change."""

    gone: list[tuple[str, str, str]] = field(default_factory=list)
    come: list[tuple[str, str, str]] = field(default_factory=list)
    paths: Counter[str] = field(default_factory=Counter)

    def add(self, thing_id: str, changes: Changes) -> None:
        """Note what changes of one thing."""
        self.gone.extend((thing_id, key, feature) for key, feature in changes.gone)
        self.come.extend((thing_id, key, feature) for key, feature in changes.come)
        self.paths.update(changes.new_paths)
        self.paths.subtract(changes.lost_paths)

    async def write(self, connection: Connection) -> None:
        """Write it all."""
        await self.write_keys(connection)
        await self.write_counts(connection)

    async def write_keys(self, connection: Connection) -> None:
        """Write the keys, not the counts."""
        await write_rows(connection, "delete_search_keys", self.gone)
        await write_rows(connection, "insert_search_keys", sorted(self.come))

    async def write_counts(self, connection: Connection) -> None:
        """Write by how much the counts of paths change."""
        paths = {path: more for path, more in self.paths.items() if more}
        if paths:
            await connection.execute(statement("count_search_paths"), list(paths), list(paths.values()))
            fewer = [path for path, more in paths.items() if more < 0]
            if fewer:
                await connection.execute(statement("forget_search_paths"), fewer)


async def write_rows(connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement that takes one array per column, if there are rows for it."""
    if rows:
        await connection.execute(statement(name), *zip(*rows, strict=True))


async def read_keys(connection: Connection, thing_ids: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """The keys that things have in the tables, each with its feature column."""
    found: dict[str, set[tuple[str, str]]] = {thing_id: set() for thing_id in thing_ids}
    for thing_id, key, feature in await connection.fetch(statement("read_search_keys"), thing_ids):
        found[thing_id].add((key, feature))
    return found
