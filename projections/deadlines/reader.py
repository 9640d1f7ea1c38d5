"""Reads the deadlines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from eventstore.errors import translate_errors
from eventstore.events import StreamName
from eventstore.reader import events_of
from projections.deadlines.following import after, read_watched
from projections.statements import Pool, statement
from protocol.announcements.evolve import DEFAULT_RANDOMIZATION, Watching
from protocol.announcements.watch import Watch, from_json
from protocol.json import parse
from protocol.streams import announcements_of, entity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A watch and the policy that it belongs to."""

    policy_id: str
    watch: Watch


class DeadlinesReader:
    """Raises ``StoreUnavailable`` when the database cannot be asked."""

    def __init__(self, pool: Pool, *, randomization: timedelta = DEFAULT_RANDOMIZATION) -> None:
        self._pool = pool
        self._randomization = randomization

    async def load(self, streams: Iterable[StreamName]) -> dict[StreamName, Watching]:
        """The watched subjects of some policies as they are in the log, however far the read model is behind.

        Rows first, then what the log has beyond them. A policy that never had a row is left out.
        """
        with translate_errors():
            kept_rows = await read_watched(self._pool, streams)
            found = {stream: kept.watching for stream, kept in kept_rows.items()}
            names: list[str] = []
            known: list[int] = []
            for stream, watching in found.items():
                names += [stream, announcements_of(stream)]
                known += [0 if watching.policy is None else watching.policy.revision, watching.told_revision]
            rows = await self._pool.fetch(statement("read_after"), names, known) if names else []
        owner = {announcements_of(stream): stream for stream in found}
        for event in events_of(rows):
            stream = owner.get(event.stream, event.stream)
            found[stream] = after(found[stream], event, randomization=self._randomization)
        return found

    async def list(self, *, namespace: str | None = None, ended: bool = True, limit: int = 1_000) -> list[Listed]:
        """Watches in the order in which something is due; those that have ended last, the latest first."""
        with translate_errors():
            rows = await self._pool.fetch(statement("list_deadlines"), namespace, ended, limit)
        listed: list[Listed] = []
        for stream, kept in rows:
            facts = parse(kept)
            if isinstance(facts, dict):
                listed.append(Listed(policy_id=entity_of(stream), watch=from_json(facts)))
        return listed
