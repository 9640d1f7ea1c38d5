"""Connections to PostgreSQL, set up the way everything here relies on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import asyncpg

from eventstore.errors import StoreError, translate_errors
from eventstore.statements import statement

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

log = logging.getLogger(__name__)

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL that is supported."""


async def create_pool(
    url: str,
    *,
    size: int = 10,
    application_name: str = "twinlog",
    lock_timeout: float = 10.0,
    command_timeout: float = 60.0,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Pool:
    """A pool of at most ``size`` connections for work and one for listening; whoever opens it closes it.

    ``json`` columns are bytes in and bytes out, verbatim. A lock that is not granted within ``lock_timeout`` seconds,
    or an answer that does not come within ``command_timeout``, fails with an error instead of waiting for ever.
    ``settings`` are further parameters of the server for these sessions.

    Raises ``StoreUnavailable`` when the server cannot be reached, ``StoreError`` when it is too old.
    """
    with translate_errors():
        pool: Pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size + 1,
            command_timeout=command_timeout,
            max_inactive_connection_lifetime=300.0,
            init=_prepare,
            reset=_keep,
            server_settings={
                "application_name": application_name,
                "default_transaction_isolation": "read committed",
                "lock_timeout": f"{round(lock_timeout * 1000)}ms",
                # Short statements by key are all we send on the hot paths; compiling them only costs.
                "jit": "off",
                **settings,
            },
        )
        try:
            await _check_server(pool)
        except BaseException:
            pool.terminate()
            raise
    return pool


async def _prepare(connection: Connection | PooledConnection) -> None:
    await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
    # "Acknowledged" means durable. Where a role or a database was told to answer before the log is on disk, our own
    # sessions say otherwise; the stronger settings for standbys (remote_write, remote_apply) stay as they are.
    if await connection.fetchval(statement("insist_on_durability")):
        log.warning("synchronous_commit_switched_on", extra={"reason": "it was off for this role or database"})


async def _keep(connection: Connection | PooledConnection) -> None:
    """Nothing to clean: sessions carry no state here, and the driver's own reset would cost a round trip each time."""


async def _check_server(pool: Pool) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version().major
        if version < OLDEST_SERVER:
            message = f"PostgreSQL {version} is too old; {OLDEST_SERVER} is the oldest that will do"
            raise StoreError(message)
