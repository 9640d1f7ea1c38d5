"""Answers searches: who asks is part of every question, and every hit is shown as its caller may see it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from eventstore.errors import StoreUnavailable
from projections.freshness import Freshness
from projections.search.paging import Order
from projections.search.reader import Hits, QueryTimeExceeded, Question, SearchReader
from protocol.enforcement.auth import AuthContext
from protocol.errors import SearchOptionInvalid, SearchQueryTimeExceeded
from protocol.identifiers import ThingId
from protocol.json import JsonObject, JsonValue
from protocol.rql.parsing import parse_query
from protocol.rql.tree import And, Query
from protocol.selectors import parse_fields
from protocol.signals import Response, RetrieveThings, Signal
from services.commanding.errors import StoreDown
from services.metrics import Metrics
from services.searching.aggregates import read_plan
from services.searching.cursors import Cursor, sealed, unsealed
from services.searching.options import Options, read_options
from services.searching.solutions import Solution, searched_by

NO_SOLUTIONS: Final[Mapping[str, Solution]] = {}
ONLY_ID: Final = frozenset({"thingId", "/thingId"})


class Commands(Protocol):
    """What search needs of ``services.commanding.Commanding``."""

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,  # noqa: ASYNC109 - a Ditto timeout: withdraws rather than cancels
    ) -> Response:
        """Submit and wait, at most ``timeout`` seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search as a client writes it; several filters all have to hold.

    ``seconds`` bounds everything; ``position`` is the place in the log up to which the read model has to have come.
    """

    auth: AuthContext
    filters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    option: str = ""
    fields: str | None = None
    seconds: float | None = None
    position: int | None = None
    edge: str = "internal"


class Searching:
    """Search and count over the read model; items come from ``commands``, as their caller may see them now."""

    def __init__(  # noqa: PLR0913 - what search is made of
        self,
        *,
        reader: SearchReader,
        freshness: Freshness,
        commands: Commands,
        clock: Callable[[], datetime],
        metrics: Metrics,
        key: bytes,
        head: Callable[[], Awaitable[int]],
        limit_seconds: float = 10.0,
        solutions: Mapping[str, Solution] = NO_SOLUTIONS,
    ) -> None:
        """``key`` seals the cursors, ``head`` tells the last position of the log.

        ``solutions`` say where callers search who name no namespaces.

        ``limit_seconds`` is what a query may take that names no timeout.
        """
        self._reader = reader
        self._freshness = freshness
        self._commands = commands
        self._clock = clock
        self._metrics = metrics
        self._key = key
        self._head = head
        self._limit = limit_seconds
        self._solutions = solutions

    async def page(self, search: Search) -> JsonObject:
        """The answer of ``/search/things``: ``items``, and ``cursor`` (or ``nextPageOffset``) if there are more."""
        options = read_options(search.option)
        selects_id = search.fields is not None and search.fields in ONLY_ID
        if search.fields is not None:
            parse_fields(search.fields)
        cursor = None if options.cursor is None else self._resumed(search, options)
        filters = search.filters if cursor is None else cursor.filters
        namespaces = search.namespaces if cursor is None else cursor.namespaces
        sort_text = options.sort_text if cursor is None else cursor.sort
        orders = _orders(sort_text)
        question = self._question(search, filters, namespaces)
        with self._timed(search) as left:
            await self._reach(search, left())
            hits = await self._reader.page(
                question,
                orders=orders,
                after=None if cursor is None else cursor.place,
                offset=options.offset or 0,
                size=options.page_size,
                timeout=left(),
            )
        body: JsonObject = {"items": _ids(hits) if selects_id else await self._items(search, hits)}
        if hits.next is not None and options.offset is not None:
            body["nextPageOffset"] = options.offset + len(hits.thing_ids)
        elif hits.next is not None:
            body["cursor"] = sealed(
                Cursor(filters=filters, namespaces=namespaces, sort=sort_text or "", place=hits.next), self._key
            )
        return body

    async def count(self, search: Search) -> int:
        """The answer of ``/search/things/count``."""
        question = self._question(search, search.filters, search.namespaces)
        with self._timed(search) as left:
            await self._reach(search, left())
            return await self._reader.count(question, timeout=left())

    async def aggregate(self, search: Search, *, group: str = "", select: str = "") -> JsonObject:
        """The answer of ``/search/things/aggregate``: ``items``, and whether these are all (``complete``)."""
        plan = read_plan(group=group, select=select, option=search.option)
        question = self._question(search, search.filters, search.namespaces)
        with self._timed(search) as left:
            await self._reach(search, left())
            groups, complete = await self._reader.aggregate(question, plan.asked, size=plan.size, timeout=left())
        return plan.answer(groups, complete=complete)

    async def persisted(self, position: int | None, seconds: float) -> bool:
        """Whether the read model comes to this place of the log (``None``: where its head is now) in time."""
        target = await self._head() if position is None else position
        return await self._freshness.wait_for(target, timeout=seconds)

    def _question(self, search: Search, filters: Sequence[str], namespaces: tuple[str, ...] | None) -> Question:
        queries = tuple(map(parse_query, filters))
        query: Query | None = And(queries) if len(queries) > 1 else next(iter(queries), None)
        if namespaces is None:
            namespaces = searched_by(search.auth.subjects, self._solutions)
        return Question(subjects=search.auth.subjects, now=self._clock(), query=query, namespaces=namespaces)

    def _resumed(self, search: Search, options: Options) -> Cursor:
        """The cursor, if the query around it is the one that it was made for, or says nothing against it."""
        cursor = unsealed(options.cursor or "", self._key)
        for name, given, was in (
            ("filter", search.filters or None, cursor.filters),
            ("namespaces", search.namespaces, cursor.namespaces),
            ("sort", options.sort_text, cursor.sort),
        ):
            if given is not None and given != was:
                raise SearchOptionInvalid("cursor", f"it belongs to a query with another {name}")
        return cursor

    async def _reach(self, search: Search, seconds: float) -> None:
        if search.position is not None and not await self._freshness.wait_for(search.position, timeout=seconds):
            raise SearchQueryTimeExceeded(seconds)

    async def _items(self, search: Search, hits: Hits) -> list[JsonValue]:
        """The hits as they are now; what is gone or hidden by now is left out."""
        if not hits.thing_ids:
            return []
        wanted = RetrieveThings(thing_ids=tuple(map(ThingId, hits.thing_ids)), fields=search.fields)
        response = await self._commands.execute(wanted, search.auth, edge=search.edge, timeout=search.seconds)
        return response.value if isinstance(response.value, list) else []

    @contextmanager
    def _timed(self, search: Search) -> Iterator[Callable[[], float]]:
        """Measures a query and tells it what time is left."""
        limit = self._limit if search.seconds is None else search.seconds
        began = time.monotonic()
        try:
            yield lambda: max(began + limit - time.monotonic(), 0.001)
        except QueryTimeExceeded:
            raise SearchQueryTimeExceeded(limit) from None
        except StoreUnavailable as error:
            raise StoreDown from error
        finally:
            self._metrics.search_seconds.observe(time.monotonic() - began)


def _orders(text: str | None) -> tuple[Order, ...]:
    return read_options(f"sort({text})").sort or () if text else ()


def _ids(hits: Hits) -> list[JsonValue]:
    return [{"thingId": thing_id} for thing_id in hits.thing_ids]
