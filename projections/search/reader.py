"""Asks the search model: every question is one statement, in which all that it looks at is of one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final, Protocol

from sqlalchemy import and_, exists, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from eventstore.errors import StoreUnavailable, translate_errors
from projections.cache import BoundedCache
from projections.search.aggregates import Aggregates
from projections.search.aggregates import Group as AggregateGroup
from projections.search.binding import Given, Parameters, Rows, Statement, written
from projections.search.comparing import Condition
from projections.search.paging import Order, Pages, Place, SortValue, complete
from projections.search.readers import Readers
from projections.search.restrictions import refusal
from projections.search.shapes import Shape, shaped
from projections.search.slow import SlowQueries
from projections.search.sql import RANGES, Compiler, in_namespaces
from projections.search.standing import Standing, Standings, stale
from projections.search.tables import things
from projections.statements import Connection, Pool
from protocol.rql.printing import print_shape
from protocol.rql.tree import Property, Query, properties

SESSION: Final = {
    # How many things have a value decides over the plan, so a plan without the values is worth little.
    "plan_cache_mode": "force_custom_plan",
    # Pages are small and indexes warm; workers cost more to start than most queries take, and commands need the cores.
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "32MB",
}
"""Settings of the sessions in which the search model is asked."""

REMEMBERED: Final = 8 << 20
"""Bytes of statements that are kept, about."""


class QueryTimeExceeded(Exception):
    """The query was stopped because it took longer than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who asks for what: things of some namespaces (``None``: all) for which the query holds (``None``: all)."""

    subjects: tuple[str, ...]
    now: datetime
    query: Query | None = None
    namespaces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """A page: thing ids in order, and the place behind the last one if there are more."""

    thing_ids: tuple[str, ...]
    next: Place | None


class Asked(Protocol):
    """What is asked of the things that fulfil a condition; equal ones have the same statement."""

    @property
    def used(self) -> frozenset[Property]:
        """The properties of things that it looks at."""
        ...

    def rows(self, compiler: Compiler, condition: Condition) -> Rows:
        """The rows of the answer, in order; columns have names."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are."""

    used: ClassVar[frozenset[Property]] = frozenset()

    def rows(self, compiler: Compiler, condition: Condition) -> Rows:
        """One row with the number."""
        del compiler
        return select(func.count().label("things")).select_from(things).where(condition)


@dataclass(frozen=True, slots=True)
class Inhabited:
    """Which of the given namespaces have any."""

    used: ClassVar[frozenset[Property]] = frozenset()

    def rows(self, compiler: Compiler, condition: Condition) -> Rows:
        """A row for each that has."""
        names = compiler.parameters.bind(ARRAY(Text), lambda given: list(given.namespaces))
        named = func.unnest(names).table_valued("name", name="named").render_derived()
        first, behind = named.c.name.concat(":").collate("C"), named.c.name.concat(";").collate("C")
        inside = and_(things.c.thing_id >= first, things.c.thing_id < behind, condition)
        return select(named.c.name).where(exists(select(literal(1)).select_from(things).where(inside).correlate(named)))


class SearchReader:
    """Questions to the search model. A pool of its own keeps slow ones away from the commands.

    Raises ``QueryTimeExceeded``, ``SearchFieldNotIndexed`` for what some namespace cannot be asked, and
    ``StoreUnavailable`` when the database cannot be asked.
    """

    def __init__(self, pool: Pool, *, slow: SlowQueries | None = None) -> None:
        self._pool = pool
        self._slow = slow or SlowQueries()
        self._standings = Standings()
        self._statements: BoundedCache[Statement] = BoundedCache(REMEMBERED)

    async def page(
        self,
        question: Question,
        *,
        orders: Sequence[Order] = (),
        after: Place | None = None,
        offset: int = 0,
        size: int = 25,
        timeout: float = 10.0,  # noqa: ASYNC109 - it ends the query in the database
    ) -> Hits:
        """The hits behind a place or offset, at most ``size``; one more is looked for to know whether there are."""
        place = () if after is None else (*after.values, after.thing_id)
        behind = None if after is None else tuple([value is None for value in place])
        asked = Pages(complete(orders), behind, skipping=offset > 0)
        given = _given(question, place=place, offset=offset, most=size + 1)
        columns = await self.ask(question, asked, given, timeout=timeout)
        if columns is None or columns[0] is None:
            return Hits(thing_ids=(), next=None)
        thing_ids, *values = columns
        if len(thing_ids) <= size:
            return Hits(thing_ids=tuple(thing_ids), next=None)
        last = Place(values=tuple([column[size - 1] for column in values]), thing_id=thing_ids[size - 1])
        return Hits(thing_ids=tuple(thing_ids[:size]), next=last)

    async def count(self, question: Question, *, timeout: float = 10.0) -> int:  # noqa: ASYNC109 - as above
        """How many hits there are."""
        columns = await self.ask(question, Counted(), _given(question), timeout=timeout)
        return 0 if columns is None else int(columns[0][0])

    async def aggregate(
        self,
        question: Question,
        asked: Aggregates,
        *,
        size: int,
        timeout: float = 10.0,  # noqa: ASYNC109 - as above
    ) -> tuple[list[AggregateGroup], bool]:
        """The groups of most things, at most ``size``, and whether these are all. Without groups it is always one."""
        columns = await self.ask(question, asked, _given(question, most=size + 1), timeout=timeout)
        if columns is None or columns[0] is None:
            return ([] if asked.groups else [asked.nothing()]), True
        groups = asked.read(columns)
        return groups[:size], len(groups) <= size

    async def ask(
        self,
        question: Question,
        asked: Asked,
        given: Given,
        *,
        timeout: float,  # noqa: ASYNC109 - it ends the query in the database
    ) -> list[Any] | None:
        """The columns of the answer, each with its values in the order of the rows (``None`` where there is no row).

        Nothing is asked on behalf of a caller who may read nothing.
        """
        async with self._asking() as connection:
            standing = self._standings.known(question.subjects)
            while True:
                standing = standing or await self._standings.read(connection, question.subjects)
                if not standing.readers.classes:
                    return None
                columns = await self._answer(connection, standing, question, asked, given, timeout)
                if columns is not None:
                    return columns
                standing = None

    async def _answer(
        self,
        connection: Connection,
        standing: Standing,
        question: Question,
        asked: Asked,
        given: Given,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> list[Any] | None:
        """The columns of the answer; ``None`` if it does not count, because the standing is another by now."""
        restrictions = standing.restrictions.within(question.namespaces)
        if restrictions.usable and (refusing := restrictions.refusing(_used(question, asked))):
            everywhere = replace(question, query=None, namespaces=None)
            those = replace(given, namespaces=list(refusing))
            columns = await self._row(connection, standing, everywhere, Inhabited(), those, timeout)
            if columns is None:
                return None
            if (error := refusal(refusing, columns[0] or ())) is not None:
                raise error
        return await self._row(connection, standing, question, asked, given, timeout)

    async def _row(
        self,
        connection: Connection,
        standing: Standing,
        question: Question,
        asked: Asked,
        given: Given,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> list[Any] | None:
        statement, filled = self._filled(standing, question, asked, given)
        arguments = statement.arguments(filled)
        async with self._slow.watching(connection, statement.text, arguments, partial(_told, question, asked)):
            row = await connection.fetchrow(statement.text, *arguments, timeout=timeout)
        if row is None:
            raise AssertionError("an answer is one row")
        no_longer_so, *columns = row.values()
        return None if no_longer_so else columns

    async def plan(
        self,
        question: Question,
        asked: Asked,
        given: Given,
    ) -> list[str]:
        """How the database would answer, in its own words, one line after the other."""
        async with self._asking() as connection:
            standing = await self._standings.read(connection, question.subjects)
            statement, filled = self._filled(standing, question, asked, given)
            arguments = statement.arguments(filled)
            return [row[0] for row in await connection.fetch(f"EXPLAIN {statement.text}", *arguments)]

    def _filled(self, standing: Standing, question: Question, asked: Asked, given: Given) -> tuple[Statement, Given]:
        """The statement of a question, composed when it is the first of its shape, and all that it is asked with."""
        shape, slots = (None, ()) if question.query is None else shaped(question.query, question.now)
        scopes = None if question.namespaces is None else min(len(question.namespaces), RANGES + 1)
        alone = len(question.subjects) == 1
        readers, restrictions = standing.readers, standing.restrictions.within(question.namespaces)
        partly = bool(restrictions.usable)
        key = (readers, asked, shape, scopes, alone, partly)
        statement = self._statements.get(key)
        if statement is None:
            statement = compose(readers, asked, shape, scopes=scopes, alone=alone, partly=partly)
            self._statements.put(key, statement, statement.size)
        return statement, replace(given, slots=slots, partly=tuple(restrictions.usable), mark=restrictions.mark)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        try:
            with translate_errors():
                async with self._pool.acquire() as connection:
                    yield connection
        except StoreUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise QueryTimeExceeded from error
            raise


def compose(
    readers: Readers, asked: Asked, shape: Shape | None, *, scopes: int | None, alone: bool, partly: bool
) -> Statement:
    """The statement for what is asked of the things of ``scopes`` namespaces (``None``: of all) that fit the shape.

    Its one row says first whether the answer counts for nothing, because the caller may read more by now, or other
    fields are indexed. ``partly``: in some of these namespaces not everything is.
    """
    parameters = Parameters()
    compiler = Compiler(readers, parameters, alone=alone, partly=partly)
    scope = true() if scopes is None else in_namespaces(scopes, parameters)
    filtered = true() if shape is None else compiler.condition(shape)
    rows = asked.rows(compiler, and_(compiler.candidate(), scope, filtered)).subquery("answer")
    columns = [func.array_agg(column) for column in rows.c]
    return written(select(stale(readers, parameters), *columns).select_from(rows), parameters)


def _told(question: Question, asked: Asked) -> dict[str, str]:
    """What of a question may be told: the shape of its filter and what is asked, but no value."""
    filtered = "" if question.query is None else print_shape(question.query)
    return {"asked": type(asked).__name__, "filter": filtered, "sort": str(asked) if isinstance(asked, Pages) else ""}


def _used(question: Question, asked: Asked) -> frozenset[Property]:
    return asked.used if question.query is None else properties(question.query) | asked.used


def _given(question: Question, *, place: Sequence[SortValue] = (), offset: int = 0, most: int = 0) -> Given:
    return Given(
        subjects=question.subjects, namespaces=question.namespaces or (), place=place, offset=offset, most=most
    )
