"""How the store fails, and the one place where the driver's errors become ours.

::

    StoreError
    ├── StoreUnavailable      not now: connection lost, starting or stopping, too busy, a lock not granted
    │   └── AppendUnknown     ... and it happened while an append was under way: it may be in the log or not
    └── UnstorableEvent       never: PostgreSQL cannot keep this text or JSON
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg


class StoreError(Exception):
    """Something that the event store could not do."""


class StoreUnavailable(StoreError):
    """The database cannot be asked now; the same call may succeed later. Nothing was changed."""


class AppendUnknown(StoreUnavailable):
    """The connection was lost during an append: it is in the log whole, or it is not at all.

    Ask ``find_command`` or read the streams to learn which; never append again without asking.
    """


class UnstorableEvent(StoreError):
    """One commit of a group holds text or JSON that PostgreSQL refuses; nothing was appended.

    ``commit`` is its index in the group, or ``None`` when it could not be singled out.
    """

    def __init__(self, reason: str, *, commit: int | None) -> None:
        super().__init__(reason)
        self.commit = commit


LOST: Final = (OSError, asyncio.TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises on our side when a connection goes, was closed under the call, or stays silent too long."""

_UNAVAILABLE: Final = ("08", "53", "57", "40", "55P03", "25006", "25P03", "28", "3D000")
"""SQLSTATE prefixes that pass: connection, resources, operator intervention (shutdown, cancel), rollback (deadlock),
lock not available, read-only after a failover, idle in transaction too long, not let in, no such database."""

_CUT: Final = ("08", "57P")
"""SQLSTATE prefixes after which it is not known whether the statement had been committed: the backend may be ended
between its commit and its answer. All other errors of the server mean that the statement was rolled back."""

_CONSTRAINTS: Final = {
    "events_pkey": "somebody wrote to the stream past the append function",
    "events_position_key": "somebody wrote to the log past the append function",
    "events_command_key": "somebody wrote a command past the append function",
}
"""Violations that the append lock rules out as long as everybody appends through ``append_events``."""


@contextmanager
def translate_errors(*, appending: bool = False) -> Iterator[None]:
    """Raise the store's errors for the driver's, the cause kept; ``appending`` when an append is on its way.

    Errors which say that our own statement is wrong are let through: they are bugs.
    """
    lost = AppendUnknown if appending else StoreUnavailable
    try:
        yield
    except asyncpg.PostgresError as error:
        _raise_for_state(error, lost)
    except LOST as error:
        if isinstance(error, ValueError):  # the driver could not write an argument down; nothing was sent
            raise UnstorableEvent(str(error), commit=None) from error
        raise lost(f"the database connection failed: {error!r}") from error


def _raise_for_state(error: asyncpg.PostgresError, lost: type[StoreUnavailable]) -> None:
    state = error.sqlstate or ""
    constraint = getattr(error, "constraint_name", None)
    if state.startswith(_CUT):
        raise lost(f"the database went away: {error}") from error
    if state.startswith(_UNAVAILABLE):
        raise StoreUnavailable(f"the database cannot answer now: {error}") from error
    if constraint in _CONSTRAINTS:
        raise StoreUnavailable(_CONSTRAINTS[constraint]) from error
    if state.startswith("22"):
        raise UnstorableEvent(str(error), commit=None) from error
    raise error
