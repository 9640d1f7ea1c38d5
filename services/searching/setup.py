"""Puts search together for one process."""

from __future__ import annotations

from contextlib import AsyncExitStack

from eventstore.pool import create_pool
from projections.search.reader import SESSION, SearchReader
from services.core import Core, now
from services.searching.cursors import cursor_key
from services.searching.searching import Searching
from services.settings import Settings


async def open_searching(stack: AsyncExitStack, settings: Settings, database_url: str, core: Core) -> Searching:
    """Search with connections of its own, so that slow questions never take those of the commands."""
    pool = await create_pool(database_url, size=settings.search_pool_size, settings=SESSION)
    stack.callback(pool.terminate)
    secret = settings.search_cursor_key
    return Searching(
        reader=SearchReader(pool),
        freshness=core.searched,
        commands=core.commanding,
        clock=now,
        metrics=core.metrics,
        key=cursor_key(settings.home) if secret is None else secret.get_secret_value().encode(),
        head=core.store.head,
        limit_seconds=settings.search_seconds,
        solutions=settings.solutions,
    )
