"""Writes the search model: a row per thing, a row per value that changed, and what policies say about reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from eventstore.events import RecordedEvent, StreamName
from projections.cache import BoundedCache
from projections.events import first_state, followed, freeze
from projections.grouping import by_entity, namespace_of
from projections.projection import NeedsRebuild
from projections.search.indexes import SLICE, IndexRows
from projections.search.keys import changed_keys, difference, keys_of
from projections.search.policies import PolicyRows
from projections.search.writing import KeyChanges, read_keys, write_rows
from projections.statements import Connection, statement
from protocol.context import RootPolicies
from protocol.json import JsonObject, parse
from protocol.stored import restore_state
from protocol.streams import NAMESPACES
from protocol.things.state import ThingState
from protocol.wire.timestamps import iso
from protocol.wire.timestamps import parse as parse_time

_THING = "thing:"


class ThingRow(NamedTuple):
    """A row of ``search_things``, in the order of the statement that writes it."""

    thing_id: str
    namespace: str
    policy_id: str | None
    revision: int
    created: str
    modified: str
    state: bytes


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

    ahead = (NAMESPACES,)

    def __init__(
        self, *, cache_bytes: int = 16 << 20, slice_things: int = SLICE, root_policies: RootPolicies = ()
    ) -> None:
        self._cache: BoundedCache[ThingRow] = BoundedCache(cache_bytes)
        self._policies = PolicyRows(root_policies)
        self._indexes = IndexRows(slice_things)

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Follow the events and write what follows from them."""
        groups = by_entity(events)
        if settings := [event for event in events if event.stream.startswith(NAMESPACES)]:
            await self._indexes.apply(connection, settings)
        things = {stream: group for stream, group in groups.items() if stream.startswith(_THING)}
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

    async def owes(self, connection: Connection) -> bool:
        """Whether things wait for other keys because the SearchIndex of their namespace was changed."""
        return await self._indexes.owes(connection)

    async def work(self, connection: Connection) -> bool:
        """Give some of them their keys; whether more things wait."""
        return await self._indexes.work(connection)

    async def _apply_things(self, connection: Connection, groups: Mapping[StreamName, list[RecordedEvent]]) -> None:
        before = await self._rows_before(connection, [group[0] for group in groups.values()])
        indexes = await self._indexes.known(connection)
        waiting: dict[str, JsonObject] = {}
        keys = KeyChanges()
        rows: list[ThingRow] = []
        deleted: list[str] = []
        for stream, group in groups.items():
            thing_id = stream.removeprefix(_THING)
            row, was, has = _after(thing_id, before.get(thing_id), group)
            index = indexes.get(namespace_of(stream)) if indexes else None
            if index is None:
                keys.add(thing_id, changed_keys(was, has))
            elif index.has_keys_of(thing_id):
                keys.add(thing_id, changed_keys(index.fields.cut(was), index.fields.cut(has)))
            else:
                waiting[thing_id] = index.fields.cut(has)
            keys.paths[""] += (row is not None) - (thing_id in before)
            if row is not None:
                rows.append(row)
            elif thing_id in before:
                deleted.append(thing_id)
        if waiting:
            for thing_id, present in (await read_keys(connection, list(waiting))).items():
                keys.add(thing_id, difference(present, keys_of(waiting[thing_id])))
        await keys.write(connection)
        await write_rows(connection, "upsert_search_things", rows)
        if deleted:
            await connection.execute(statement("delete_search_things"), deleted)
        self._remember(rows, groups)

    def _remember(self, rows: Iterable[ThingRow], groups: Iterable[StreamName]) -> None:
        present = {row.thing_id: row for row in rows}
        for stream in groups:
            row = present.get(stream.removeprefix(_THING))
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
                    missing.append(event.stream.removeprefix(_THING))
                else:
                    rows[row.thing_id] = row
        if missing:
            for record in await connection.fetch(statement("read_search_things"), missing):
                rows[record["thing_id"]] = ThingRow(*record)
        return rows


def _after(
    thing_id: str, before: ThingRow | None, events: Sequence[RecordedEvent]
) -> tuple[ThingRow | None, JsonObject, JsonObject]:
    """The row that the events lead to, none for a deleted thing, and what can be searched before and after them."""
    first, last = events[0], events[-1]
    _check(before, first, last, len(events))
    if last.revision == 1 and (verbatim := first_state(first)) is not None:
        document = parse(verbatim, max_depth=1_000)
        if isinstance(document, dict):
            at = iso(first.recorded_at)
            policy_id = document.get("policyId")
            row = ThingRow(
                thing_id=thing_id,
                namespace=namespace_of(first.stream),
                policy_id=policy_id if isinstance(policy_id, str) else None,
                revision=1,
                created=at,
                modified=at,
                state=verbatim,
            )
            return row, {}, document
    was = None if before is None else _thaw(first.stream, before)
    state = followed(was, events)
    assert isinstance(state, ThingState)  # noqa: S101 - the stream is that of a thing
    if state.deleted:
        return None, _searched(was), {}
    return _row(state, first.stream), _searched(was), _searched(state)


def _check(before: ThingRow | None, first: RecordedEvent, last: RecordedEvent, count: int) -> None:
    """A thing without a row can only begin; one with a row goes on where the row stands."""
    begins = before is None and first.type == "created" and first.path == "/"
    goes_on = before is not None and first.revision == before.revision + 1
    if not (begins or goes_on) or last.revision != first.revision + count - 1:
        known = 0 if before is None else before.revision
        raise NeedsRebuild(f"the row of {first.stream} at revision {known} does not lead to revision {first.revision}")


def _searched(state: ThingState | None) -> JsonObject:
    """What of a thing is taken apart into keys."""
    if state is None:
        return {}
    return {**state.document, "_metadata": state.metadata} if state.metadata else state.document


def _row(state: ThingState, stream: StreamName) -> ThingRow:
    return ThingRow(
        thing_id=state.thing_id,
        namespace=namespace_of(stream),
        policy_id=state.policy_id,
        revision=state.revision,
        created=iso(state.created),
        modified=iso(state.modified),
        state=freeze(state),
    )


def _thaw(stream: StreamName, row: ThingRow) -> ThingState:
    state = restore_state(
        stream,
        row.state,
        revision=row.revision,
        created=_moment(row.created),
        modified=_moment(row.modified),
        deleted=False,
    )
    assert isinstance(state, ThingState)  # noqa: S101 - the stream is that of a thing
    return state


def _moment(text: str) -> datetime:
    return parse_time(text) or datetime.min.replace(tzinfo=UTC)
