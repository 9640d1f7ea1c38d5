"""Works out what the search model has to write about some things, and writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from eventstore.events import RecordedEvent, StreamName
from projections.events import first_state, followed, freeze
from projections.grouping import namespace_of
from projections.projection import NeedsRebuild
from projections.search.indexes import IndexRow
from projections.search.keys import changed_keys, difference, keys_of
from projections.search.writing import KeyChanges, read_keys, write_rows
from projections.statements import Connection, statement
from protocol.json import JsonObject, parse
from protocol.stored import restore_state
from protocol.things.state import ThingState
from protocol.wire.timestamps import iso

THING: Final = "thing:"

_BEFORE: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for the time of creation that a row has."""


class ThingRow(NamedTuple):
    """A row of ``search_things``, in the order of the statement that writes it."""

    thing_id: str
    namespace: str
    policy_id: str | None
    revision: int
    created: str
    modified: str
    state: bytes


@dataclass(slots=True)
class Part:
    """What has to be written of some things. ``waiting`` are those that have keys which nobody here knows."""

    keys: KeyChanges = field(default_factory=KeyChanges)
    rows: list[ThingRow] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    waiting: dict[str, JsonObject] = field(default_factory=dict)

    async def write(self, connection: Connection, counts: KeyChanges) -> None:
        """Write it, but for the paths, which are added to ``counts``."""
        if self.waiting:
            for thing_id, present in (await read_keys(connection, list(self.waiting))).items():
                self.keys.add(thing_id, difference(present, keys_of(self.waiting[thing_id])))
        counts.paths.update(self.keys.paths)
        await self.keys.write_keys(connection)
        await write_rows(connection, "upsert_search_things", self.rows)
        if self.deleted:
            await connection.execute(statement("delete_search_things"), self.deleted)


def worked_out(
    groups: Iterable[tuple[StreamName, list[RecordedEvent]]],
    before: Mapping[str, ThingRow],
    indexes: Mapping[str, IndexRow],
) -> Part:
    """What follows from the events of some things, by stream, for the rows that these have."""
    part = Part()
    for stream, group in groups:
        thing_id = stream.removeprefix(THING)
        row, was, has = _after(thing_id, before.get(thing_id), group)
        index = indexes.get(namespace_of(stream)) if indexes else None
        if index is None:
            part.keys.add(thing_id, changed_keys(was, has))
        elif index.has_keys_of(thing_id):
            part.keys.add(thing_id, changed_keys(index.fields.cut(was), index.fields.cut(has)))
        else:
            part.waiting[thing_id] = index.fields.cut(has)
        part.keys.paths[""] += (row is not None) - (thing_id in before)
        if row is not None:
            part.rows.append(row)
        elif thing_id in before:
            part.deleted.append(thing_id)
    return part


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
    return _row(state, first.stream, before), _searched(was), _searched(state)


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


def _row(state: ThingState, stream: StreamName, before: ThingRow | None) -> ThingRow:
    return ThingRow(
        thing_id=state.thing_id,
        namespace=namespace_of(stream),
        policy_id=state.policy_id,
        revision=state.revision,
        created=before.created if before is not None and state.created is _BEFORE else iso(state.created),
        modified=iso(state.modified),
        state=freeze(state),
    )


def _thaw(stream: StreamName, row: ThingRow) -> ThingState:
    """The state of the row, but for its times: what becomes of them can be told without reading them."""
    state = restore_state(stream, row.state, revision=row.revision, created=_BEFORE, modified=_BEFORE, deleted=False)
    assert isinstance(state, ThingState)  # noqa: S101 - the stream is that of a thing
    return state
