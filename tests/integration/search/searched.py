"""A search model that follows events, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete
from sqlalchemy import table as sql_table

from eventstore.events import RecordedEvent, StreamName
from eventstore.pool import Pool
from projections.search.aggregates import Aggregates, Group
from projections.search.binding import Given
from projections.search.paging import Order, Pages, Place, complete
from projections.search.projection import SearchProjection
from projections.search.reader import Hits, Question, SearchReader
from protocol.json import JsonObject, JsonValue
from protocol.rql.parsing import parse_query
from protocol.rql.tree import Property, Query
from protocol.streams import SEARCH_INDEX

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
ALICE = "nginx:alice"
OPEN = "open:policy"


def policy(policy_id: str, *entries: JsonObject, **more: JsonValue) -> JsonObject:
    return {"policyId": policy_id, "entries": {f"e{n}": entry for n, entry in enumerate(entries)}, **more}


def entry(*subjects: str, read: Iterable[str] = (), hide: Iterable[str] = (), **more: JsonValue) -> JsonObject:
    """An entry that lets the subjects read some paths and not others."""
    resources: JsonObject = {f"thing:{path}": {"grant": ["READ"], "revoke": []} for path in read}
    resources |= {f"thing:{path}": {"grant": [], "revoke": ["READ"]} for path in hide}
    return {"subjects": {subject: {"type": "test"} for subject in subjects}, "resources": resources, **more}


OPEN_POLICY = policy(OPEN, entry(ALICE, read=["/"]))


class Searched:
    """Applies events one batch at a time."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.projection = SearchProjection()
        self.reader = SearchReader(pool)
        self._revisions: dict[str, int] = {}
        self._position = 0

    async def clear(self) -> None:
        """Begin anew, with a log of its own."""
        for table in self.projection.tables:
            await self.pool.execute(str(delete(sql_table(table))))
        self.projection.forget()
        self._revisions.clear()

    async def policy(self, *documents: JsonObject) -> None:
        await self.apply(*((f"policy:{document['policyId']}", "created", "/", document) for document in documents))

    async def things(self, *documents: Mapping[str, Any]) -> None:
        """New things; they have the open policy unless they name another."""
        await self.apply(
            *(
                (f"thing:{document['thingId']}", "created", "/", {"policyId": OPEN, **document})
                for document in documents
            )
        )

    async def index(self, namespace: str, fields: list[str] | None) -> None:
        """An operator wants these fields indexed, or everything; the things get their keys later."""
        value: object = ... if fields is None else [*fields, "thingId"]
        await self.apply((f"namespace:{namespace}", "deleted" if fields is None else "modified", SEARCH_INDEX, value))

    async def indexed(self, namespace: str, fields: list[str] | None) -> None:
        """An operator wants these fields indexed, or everything, and it is done."""
        await self.index(namespace, fields)
        while await self.slice():
            pass

    async def slice(self) -> bool:
        """Some things get their keys; whether more have to."""
        async with self.pool.acquire() as connection, connection.transaction():
            await self.projection.work(connection)
            return await self.projection.owes(connection)

    async def apply(self, *changes: tuple[str, str, str, object]) -> None:
        """Stream, type, path, value (``...`` for none) of events that are one batch."""
        async with self.pool.acquire() as connection, connection.transaction():
            await self.projection.apply(connection, self.recorded(*changes))

    def recorded(self, *changes: tuple[str, str, str, object]) -> list[RecordedEvent]:
        return [self._recorded(*change) for change in changes]

    async def plan(self, rql: str | None, sort: str) -> list[str]:
        """The lines of the plan for a page of 25."""
        given = Given(subjects=(ALICE,), most=26)
        return await self.reader.plan(question(rql), Pages(complete(_orders(sort))), given)

    async def find(
        self, rql: str | Query | None = None, *, by: tuple[str, ...] = (ALICE,), sort: str = ""
    ) -> list[str]:
        return list((await self.page(rql, by=by, sort=sort, size=200)).thing_ids)

    async def page(
        self,
        rql: str | Query | None = None,
        *,
        by: tuple[str, ...] = (ALICE,),
        sort: str = "",
        size: int = 25,
        after: Place | None = None,
        namespaces: tuple[str, ...] | None = None,
        offset: int = 0,
    ) -> Hits:
        return await self.reader.page(
            question(rql, by, namespaces), orders=_orders(sort), size=size, after=after, offset=offset
        )

    async def count(
        self,
        rql: str | Query | None = None,
        *,
        by: tuple[str, ...] = (ALICE,),
        namespaces: tuple[str, ...] | None = None,
    ) -> int:
        return await self.reader.count(question(rql, by, namespaces))

    async def aggregate(
        self,
        rql: str | Query | None = None,
        *,
        groups: Sequence[str] = (),
        fields: Sequence[str] = (),
        by: tuple[str, ...] = (ALICE,),
        size: int = 200,
    ) -> tuple[list[Group], bool]:
        asked = Aggregates(tuple(map(prop, groups)), tuple(map(prop, fields)))
        return await self.reader.aggregate(question(rql, by), asked, size=size)

    def _recorded(self, stream: str, type_: str, path: str, value: object) -> RecordedEvent:
        self._position += 1
        self._revisions[stream] = self._revisions.get(stream, 0) + 1
        return RecordedEvent(
            position=self._position,
            stream=StreamName(stream),
            revision=self._revisions[stream],
            type=type_,
            path=path,
            value=None if value is ... else orjson.dumps(value),
            headers=b"{}",
            recorded_at=NOW + timedelta(milliseconds=self._position),
            command_id=None,
        )


def prop(text: str) -> Property:
    return Property(tuple(text.split("/")))


def _orders(sort: str) -> list[Order]:
    return [Order(prop(part[1:]), descending=part[0] == "-") for part in sort.split(",") if part]


def question(
    rql: str | Query | None, by: tuple[str, ...] = (ALICE,), namespaces: tuple[str, ...] | None = None
) -> Question:
    query = parse_query(rql) if isinstance(rql, str) else rql
    return Question(subjects=by, now=NOW, query=query, namespaces=namespaces)
