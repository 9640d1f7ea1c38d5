"""Asks the search model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from asyncpg import Record
from sqlalchemy import Select, and_, func, select, true
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from eventstore.errors import StoreUnavailable, translated
from projections.search.fields import restore_fields
from projections.search.grants import read_class
from projections.search.keys import path_key
from projections.search.paging import Order, Place, complete, pages, sorted_path
from projections.search.readers import Readers, readers_of
from projections.search.restrictions import Restrictions, refusal
from projections.search.sql import Compiler, Condition, in_namespaces, shown_among
from projections.search.tables import things
from projections.statements import Connection, Pool, statement
from protocol.pointers import Pointer
from protocol.rql.tree import Property, Query, properties

_DIALECT = dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


SESSION: Final = {
    # How many things have a value decides over the plan, so a plan without the values is worth little.
    "plan_cache_mode": "force_custom_plan",
    # Pages are small and indexes warm; workers cost more to start than most queries take, and commands need the cores.
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "32MB",
}
"""Settings of the sessions in which the search model is asked."""


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


class SearchReader:
    """Questions to the search model. A pool of its own keeps slow ones away from the commands.

    Raises ``QueryTimeExceeded``, ``SearchFieldNotIndexed``, and ``StoreUnavailable`` when the database cannot be asked.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

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
        rows: list[Record] = []
        async with self._asking() as connection:
            asked = await self.statements(
                connection, question, complete(orders), after=after, offset=offset, timeout=timeout
            )
            for found in asked:
                rows += await _fetch(connection, found.limit(size + 1 - len(rows)), timeout)
                if len(rows) > size:
                    break
        last = rows[size - 1] if len(rows) > size else None
        place = None if last is None else Place(values=tuple(last)[1:], thing_id=last[0])
        return Hits(thing_ids=tuple(row[0] for row in rows[:size]), next=place)

    async def count(self, question: Question, *, timeout: float = 10.0) -> int:  # noqa: ASYNC109 - as above
        """How many hits there are."""
        async with self._asking() as connection:
            _, condition = await self._prepared(connection, question, timeout=timeout)
            if condition is None:
                return 0
            counting = select(func.count()).select_from(things).where(condition)
            ((number,),) = await _fetch(connection, counting, timeout)
            return int(number)

    async def statements(
        self,
        connection: Connection,
        question: Question,
        orders: Sequence[Order],
        *,
        after: Place | None = None,
        offset: int = 0,
        timeout: float = 10.0,  # noqa: ASYNC109 - as above
    ) -> list[Select[Any]]:
        """What has to be asked, one after the other, until a page is full; ``orders`` is complete."""
        used = frozenset(order.property for order in orders)
        compiler, condition = await self._prepared(connection, question, used, timeout=timeout)
        if condition is None:
            return []
        everywhere = await _all_have(connection, sorted_path(orders))
        return list(pages(compiler, condition, orders, after=after, offset=offset, everywhere=everywhere))

    async def _prepared(
        self,
        connection: Connection,
        question: Question,
        used: Iterable[Property] = (),
        *,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> tuple[Compiler, Condition | None]:
        """What to ask on behalf of the caller; nothing for a caller who may read nothing.

        ``used`` are the properties used beside the query's. Raises ``SearchFieldNotIndexed`` if a namespace that holds
        something the caller may see cannot be asked for one of them all.
        """
        readers, restrictions = await _caller(connection, question.subjects)
        restrictions = restrictions.within(question.namespaces)
        compiler = Compiler(readers, question.now, tuple(restrictions.usable))
        if not readers.trees:
            return compiler, None
        asked = frozenset(used) if question.query is None else properties(question.query).union(used)
        if refusing := restrictions.refusing(asked):
            known = await _fetch(connection, shown_among(compiler, list(refusing)), timeout)
            if (error := refusal(refusing, [name for (name,) in known])) is not None:
                raise error
        scope = true() if question.namespaces is None else in_namespaces(question.namespaces)
        filtered = true() if question.query is None else compiler.condition(question.query)
        return compiler, and_(compiler.candidate(), scope, filtered)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        try:
            with translated():
                async with self._pool.acquire() as connection:
                    yield connection
        except StoreUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise QueryTimeExceeded from error
            raise


async def _fetch(connection: Connection, asked: Select[Any], timeout: float) -> list[Record]:  # noqa: ASYNC109 - the driver's
    text, values = written(asked)
    rows: list[Record] = await connection.fetch(text, *values, timeout=timeout)
    return rows


def written(asked: Select[Any]) -> tuple[str, list[Any]]:
    """The statement as the driver takes it, with its arguments."""
    compiled = asked.compile(dialect=_DIALECT)
    values = compiled.construct_params()
    return str(compiled), [values[name] for name in compiled.positiontup or ()]


async def _all_have(connection: Connection, path: Pointer | None) -> bool:
    if path is None:
        return False
    found: bool = await connection.fetchval(statement("all_have_search_path"), path_key(path))
    return found


async def _caller(connection: Connection, subjects: Sequence[str]) -> tuple[Readers, Restrictions]:
    """What the caller may read, and what of some namespaces nobody can ask for."""
    rows = await connection.fetch(statement("read_search_classes"), list(subjects))
    written = {name: rules for subject, name, rules in rows if subject is not None}
    restrictions = {name: restore_fields(usable) for subject, name, usable in rows if subject is None}
    classes = [read_class(name, rules) for name, rules in written.items()]
    if len(classes) > 1:
        found = await connection.fetch(statement("read_search_combinations"), list(subjects))
        combinations = sorted(tuple(row["classes"]) for row in found)
    else:
        combinations = [(name,) for name in written]
    return readers_of(subjects, classes, combinations), Restrictions(restrictions)
