"""The twins without a database: no rows, every state follows from the whole stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eventstore.events import StreamName
from eventstore.store import EventStore, Selection
from projections.events import EntityState, follow, freeze
from projections.twins.loading import Loaded, Snapshot


class InMemoryTwins:
    """``Twins`` over any event store, for tests and trials."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def load(self, known: Mapping[StreamName, int]) -> dict[StreamName, Loaded]:
        """See ``Twins.load``; there is never a snapshot."""
        return {
            stream: Loaded(snapshot=None, tail=tuple(await self._store.read_stream(stream, after_revision=revision)))
            for stream, revision in known.items()
        }

    async def read(self, streams: Iterable[StreamName]) -> dict[StreamName, Snapshot]:
        """See ``Twins.read``."""
        return {stream: found for stream in streams if (found := await self._snapshot(stream)) is not None}

    async def list_things(
        self, namespaces: Sequence[str] | None = None, *, after_stream: StreamName | None = None, limit: int = 200
    ) -> list[Snapshot]:
        """See ``Twins.list_things``."""
        prefixes = ("thing:",) if namespaces is None else tuple(f"thing:{namespace}:" for namespace in namespaces)
        if not prefixes:
            return []
        pages = [page async for page in self._store.read(Selection(prefixes=prefixes))]
        streams = {event.stream for page in pages for event in page}
        things = [await self._snapshot(stream) for stream in sorted(streams) if stream > (after_stream or "")]
        return [thing for thing in things if thing is not None and not thing.deleted][:limit]

    async def _snapshot(self, stream: StreamName) -> Snapshot | None:
        state: EntityState | None = None
        position = 0
        for event in await self._store.read_stream(stream):
            state = follow(state, event)
            position = event.position
        return None if state is None else snapshot_of(stream, position, state)


def snapshot_of(stream: StreamName, position: int, state: EntityState) -> Snapshot:
    """The row that the read model keeps of a state."""
    return Snapshot(
        stream=stream,
        revision=state.revision,
        position=position,
        created_at=state.created,
        modified_at=state.modified,
        deleted=state.deleted,
        state=freeze(state),
    )
