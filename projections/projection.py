"""What a projection is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from eventstore.events import RecordedEvent
from projections.lives import Life
from projections.statements import Connection


class NeedsRebuild(Exception):
    """The rows of a projection do not fit the events that follow; only a replay can mend them."""


class Projection(Protocol):
    """Events turned into rows.

    It writes nothing but its tables and nothing outside the transaction it is given: so it can be replayed into a copy
    at any time, and no replay is ever seen from outside. Rows depend on the events alone, not on how they were cut into
    batches. An instance may remember what it wrote, serves one copy of the tables at a time, and forgets when told so.
    """

    @property
    def name(self) -> str:
        """The name of its row in ``consumers``; stays the same for ever."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the same events would now give other rows, or the tables changed: leads to a rebuild."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it alone writes; each has a primary key."""
        ...

    @property
    def streams(self) -> tuple[str, ...]:
        """Prefixes of the streams whose events it looks at, if these are a small part of the log; else none."""
        ...

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Write what follows from the events, next in log order, inside the transaction of the connection.

        Tables are named without a schema. Raises ``NeedsRebuild`` when the rows cannot be right.
        """
        ...

    def forget(self) -> None:
        """Drop whatever is remembered: a transaction was rolled back, or others may have written the rows."""
        ...


Rows: TypeAlias = "Mapping[str, Sequence[tuple[object, ...]]]"
"""Rows by table, each with all columns in their order."""


@runtime_checkable
class Loadable(Projection, Protocol):
    """A projection whose tables, while they are empty, can be filled with whole lives: each entity comes once.

    So most rows need no key to be found again by, and keys and indexes can be built when all rows are there.
    """

    @property
    def bare(self) -> tuple[str, ...]:
        """The tables that have neither keys nor indexes while they are filled."""
        ...

    async def begin_load(self, connection: Connection) -> None:
        """Read what ``load`` has to know; called in each transaction before it."""
        ...

    def load(self, lives: Sequence[Life]) -> Rows:
        """The rows of bare tables that follow from these lives. What goes into other tables is kept for ``sum_up``."""
        ...

    async def sum_up(self, connection: Connection) -> None:
        """Write, before the transaction ends, what was kept."""
        ...

    async def settle(self, connection: Connection) -> None:
        """Write what concerns several entities together, when all rows are there and have their indexes.

        May be done again after it was done.
        """
        ...


@runtime_checkable
class Gradual(Projection, Protocol):
    """A projection some of whose events ask for more work than a batch has room for; it is done bit by bit.

    What is not done yet is kept in its tables, so another owner goes on where the last one was stopped. When nothing is
    owed, the rows are those that the events alone decide.
    """

    @property
    def ahead(self) -> tuple[str, ...]:
        """Prefixes of the streams whose events ask for such work.

        An empty copy is given all of these first, and later once more in their place: work that a later event makes
        needless is never done then.
        """
        ...

    async def owes(self, connection: Connection) -> bool:
        """Whether rows wait for such work; may answer from what is remembered."""
        ...

    async def work(self, connection: Connection) -> int:
        """Do some of it inside the transaction of the connection; answers how many entities were worked on."""
        ...
