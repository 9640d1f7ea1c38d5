"""The part of every process: the log, the leases on it, commanding, and the read models where they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eventstore.errors import StoreError
from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from projections.deadlines import DeadlinesProjection, Waking
from projections.freshness import Freshness
from projections.progress import standings
from projections.projection import Projection
from projections.revisions import RevisionsProjection
from projections.runner import ProjectionRunner
from projections.search.projection import SearchProjection
from projections.twins import TwinsProjection, TwinsReader
from protocol.context import Limits
from protocol.policies.expiry import Granularity
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from services.metrics import Metrics
from services.settings import Settings

PROJECTIONS: Final = ("twins", "revisions", "deadlines", "search")
"""The names of all read models: what the projector keeps and ``twinlog rebuild`` rebuilds."""

PAGES: Final = {"twins": 500, "revisions": 500, "deadlines": 300, "search": 100}
"""Events that a projection takes at once: no more than keep the event loop busy for some ten milliseconds."""

LAG_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What the edges of a process share."""

    pool: Pool
    store: PostgresEventStore
    sole_writer: SoleWriter
    commanding: Commanding
    metrics: Metrics
    settings: Settings
    waking: Waking
    searched: Freshness

    def work(self, *, projector: bool) -> Iterator[tuple[str, Coroutine[object, object, None]]]:
        """What has to run for as long as the process does."""
        yield "sole writer", self.sole_writer.run()
        if projector:
            for name, make in projections(self.settings, touched=self.waking.touched).items():
                runner = ProjectionRunner(
                    self.pool,
                    self.store,
                    make,
                    page_size=PAGES[name],
                    freshness=self.searched if name == SearchProjection.name else None,
                    on_applied=self.waking.committed,
                )
                yield f"projection {name}", runner.run()
        yield "lag", self._watch_lag()

    async def _watch_lag(self) -> None:
        """Tell how far every consumer of the log is behind, also while it does nothing."""
        while True:
            with suppress(StoreError):
                found = await standings(self.pool)
                self.metrics.projection_lag.clear()
                for standing in found:
                    self.metrics.projection_lag.labels(standing.name).set(standing.behind_events)
            await asyncio.sleep(LAG_SECONDS)


def projections(
    settings: Settings, *, touched: Callable[[], None] = lambda: None
) -> dict[str, Callable[[], Projection]]:
    """How each of ``PROJECTIONS`` is made; ``touched`` hears of new deadlines before they are committed."""
    return {
        "twins": TwinsProjection,
        "revisions": RevisionsProjection,
        "deadlines": lambda: DeadlinesProjection(randomization=settings.announcement_randomization, touched=touched),
        "search": lambda: SearchProjection(root_policies=settings.root_policies),
    }


async def open_core(stack: AsyncExitStack, settings: Settings, pool: Pool) -> Core:
    """The core over an open pool; the stack stops commanding before it stops following the log."""
    metrics = Metrics()
    store = await stack.enter_async_context(PostgresEventStore(pool))
    sole_writer = SoleWriter(store)
    commanding = Commanding(
        store=store,
        twins=TwinsReader(pool),
        sole_writer=sole_writer,
        clock=now,
        limits=_limits(settings),
        metrics=metrics,
    )
    await stack.enter_async_context(commanding)
    return Core(
        pool=pool,
        store=store,
        sole_writer=sole_writer,
        commanding=commanding,
        metrics=metrics,
        settings=settings,
        waking=Waking(),
        searched=await stack.enter_async_context(Freshness(pool, SearchProjection.name)),
    )


def now() -> datetime:
    """The clock of the service; the core below is handed it."""
    return datetime.now(UTC)


def rules_of(settings: Settings) -> Limits:
    """What the operator decides about things and policies."""
    return Limits(
        thing_characters=settings.thing_max_bytes,
        policy_characters=settings.policy_max_bytes,
        depth=settings.json_max_depth,
        drop_emptied=settings.merge_drop_emptied,
        granularity=Granularity(
            expiry=settings.policy_expiry_granularity, announcement=settings.policy_announcement_granularity
        ),
        root_policies=settings.root_policies,
        integration_subject=settings.integration_subject,
    )


def _limits(settings: Settings) -> CommandingLimits:
    return CommandingLimits(
        group_max=settings.group_max,
        queue_max=settings.queue_max,
        cache_entries=settings.cache_entries,
        stop_seconds=settings.shutdown_seconds,
        rules=rules_of(settings),
    )
