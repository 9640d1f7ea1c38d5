"""The SearchIndexes of namespaces, as operators set them and see them.

What an operator sets is an event in the stream ``namespace:<namespace>``: durable before it is answered, with who and
when, and read by the search model in its place in the log like everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventstore.events import Appended, Commit, NewEvent, RecordedEvent, StreamAppend, StreamName
from eventstore.store import EventStore, Selection
from projections.search.fields import EVERYTHING, Fields, restore_fields
from projections.search.progress import IndexProgress, index_progress
from projections.statements import Pool
from protocol.errors import SearchNamespacesInvalid
from protocol.json import JsonObject, dump, parse
from protocol.streams import NAMESPACES, SEARCH_INDEX, settings_of
from protocol.wire.timestamps import iso

NAMESPACE: Final = re.compile(r"[a-zA-Z]\w*(?:[.-][a-zA-Z]\w*)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndex:
    """A namespace's index: what is wanted, since when and by whom, and what the search model has made of it."""

    namespace: str
    fields: Fields
    changed_at: datetime | None
    changed_by: str | None
    position: int
    usable: Fields
    complete: bool
    done: int
    total: int

    def to_json(self) -> JsonObject:
        """As operators are shown it; ``done`` of ``total`` things while the index is made."""
        body: JsonObject = {"namespace": self.namespace, "fields": self.fields.to_json()}
        if self.complete:
            body["state"] = "complete"
        else:
            body |= {
                "state": "indexing",
                "done": self.done,
                "total": self.total,
                "usableFields": self.usable.to_json(),
            }
        if self.changed_at is not None:
            body |= {"changedAt": iso(self.changed_at), "changedBy": self.changed_by}
        return body


class SearchIndexes:
    """Reads and sets them. Everything raises what the store raises."""

    def __init__(self, *, store: EventStore, pool: Pool, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock

    async def read(self, namespace: str) -> SearchIndex:
        """The index of one namespace; one that was never set has everything."""
        last = await self._last(namespace)
        (progress,) = await index_progress(self._pool, [namespace])
        return _joined(last, progress)

    async def listed(self) -> list[SearchIndex]:
        """Every index that was ever set, by namespace."""
        last: dict[str, RecordedEvent] = {}
        async for page in self._store.read(Selection(prefixes=(NAMESPACES,))):
            for event in page:
                if event.path == SEARCH_INDEX:
                    last[event.stream.removeprefix(NAMESPACES)] = event
        found = await index_progress(self._pool, sorted(last))
        return [_joined(last[progress.namespace], progress) for progress in found]

    async def put(self, namespace: str, fields: Fields, *, by: str, correlation_id: str | None = None) -> None:
        """Have these fields indexed, durable on return. What is so already is left alone."""
        while _fields(last := await self._last(namespace)) != fields:
            commit = _commit(namespace, fields, last, by=by, correlation_id=correlation_id)
            if isinstance(await self._store.append([commit], recorded_at=self._clock()), Appended):
                return

    async def _last(self, namespace: str) -> RecordedEvent | None:
        events = await self._store.read_stream(StreamName(settings_of(namespace)))
        return next((event for event in reversed(events) if event.path == SEARCH_INDEX), None)


def check_namespace(text: str) -> str:
    """The namespace, or ``SearchNamespacesInvalid``."""
    if NAMESPACE.fullmatch(text) is None:
        raise SearchNamespacesInvalid(f"'{text[:200]}' is not a namespace.")
    return text


def _commit(
    namespace: str, fields: Fields, last: RecordedEvent | None, *, by: str, correlation_id: str | None
) -> Commit:
    headers: JsonObject = {"ditto-originator": by}
    if correlation_id is not None:
        headers["correlation-id"] = correlation_id
    first = last is None or last.type == "deleted"
    event = NewEvent(
        type="deleted" if fields.everything else "created" if first else "modified",
        path=SEARCH_INDEX,
        value=None if fields.everything else dump(fields.to_json()),
        headers=dump(headers),
    )
    revision = 0 if last is None else last.revision
    stream = StreamName(settings_of(namespace))
    return Commit(appends=(StreamAppend(stream=stream, expected_revision=revision, events=(event,)),))


def _fields(last: RecordedEvent | None) -> Fields:
    return EVERYTHING if last is None or last.value is None else restore_fields(last.value)


def _joined(last: RecordedEvent | None, progress: IndexProgress) -> SearchIndex:
    headers = {} if last is None else parse(last.headers)
    by = headers.get("ditto-originator") if isinstance(headers, dict) else None
    position = 0 if last is None else last.position
    return SearchIndex(
        namespace=progress.namespace,
        fields=_fields(last),
        changed_at=None if last is None else last.recorded_at,
        changed_by=str(by) if by is not None else None,
        position=position,
        usable=progress.usable,
        complete=progress.position >= position and not progress.unfinished,
        done=progress.done,
        total=progress.total,
    )


def spelled_out(fields: Fields) -> Sequence[str]:
    """The fields one by one, for people."""
    found = fields.to_json()
    return [str(field) for field in found] if isinstance(found, list) else [str(found)]
