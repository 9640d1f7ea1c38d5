"""What the database may throw that passes by itself, and how long to wait before trying again."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg

from eventstore.errors import StoreUnavailable

TROUBLE = (
    StoreUnavailable,
    OSError,  # includes TimeoutError and every refused or broken connection
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
)
"""Connections lost, servers that start or stop, too many connections, deadlocks: try again later."""


# The driver's errors are taken as they are here, because rollback and retry are all that follows from any of them;
# what readers of the read models see is translated by ``eventstore.errors``.


def pauses(first: float = 0.05, longest: float = 2.0) -> Iterator[float]:
    """Seconds to wait before each new attempt: doubling up to ``longest``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)
