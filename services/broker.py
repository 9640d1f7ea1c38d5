"""The AMQP side of a process: commands in over one link, events out over another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from eventstore.events import RecordedEvent
from projections.consumers import CheckpointedReader
from services.amqp.consumer import CommandConsumer
from services.amqp.envelopes import DittoMapper, envelope_of
from services.amqp.identity import Identity
from services.amqp.links import link_of, topology_of
from services.amqp.meters import PUBLISHER, Meters
from services.amqp.publisher import EventPublisher
from services.amqp.searches import SearchEdge
from services.amqp.visibility import Visibility
from services.announcer.setup import Announcing, open_announcing
from services.core import Core, now, rules_of
from services.searching.keepers import SharedKeeper
from services.searching.searching import Searching
from services.searching.session import Emit, SearchSession
from services.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Consumer and publisher of one process, ready to run."""

    consumer: CommandConsumer
    publisher: EventPublisher
    reader: CheckpointedReader
    announcing: Announcing
    searches: SearchEdge | None
    consumes: bool
    publishes: bool

    def work(self) -> Iterator[tuple[str, Coroutine[object, object, None]]]:
        """What has to run for as long as the process does."""
        if self.consumes:
            yield "acknowledgements", self.announcing.acknowledging.run()
            yield "amqp consumer", self.consumer.run()
            if self.searches is not None:
                yield "searches", self.searches.run()
        if self.publishes:
            yield "amqp publisher", self.reader.run(self.publisher.work)

    async def stop(self, seconds: float) -> None:
        """Take no more messages, and acknowledge those that were taken."""
        await self.consumer.stop(seconds)

    async def problem(self) -> str | None:
        """Why no commands are taken; nothing when they are, or when that is not this process's role.

        The publisher connects only while it is its turn, so that it says nothing about readiness.
        """
        if not self.consumes:
            return None
        return None if self.consumer.ready else self.consumer.link.problem or "is not connected yet"


def open_broker(
    settings: Settings,
    url: str,
    core: Core,
    roles: frozenset[str],
    *,
    api_user: str | None = None,
    searching: Searching | None = None,
) -> Broker | None:
    """The AMQP side over the core, if it is a role of this process; connects when its work runs.

    ``api_user`` is the user of the API whom the broker's own user stands for, see ``known_users``.
    """
    if not roles & {"amqp", "publisher", "announcer"}:
        return None
    meters = Meters(core.metrics)
    topology = topology_of(settings)
    link = partial(link_of, url, topology, meters)
    known = known_users(settings, url, api_user)
    announcing = open_announcing(settings, core, link)
    searches = None if searching is None else SearchEdge(partial(_session, core, searching), topology.names)
    return Broker(
        consumer=CommandConsumer(
            link("commands"),
            commanding=core.commanding,
            mapper=DittoMapper(),
            identity=Identity(settings.amqp_subjects, settings.amqp_default_subjects, known=known),
            clock=now,
            meters=meters,
            prefetch=settings.amqp_prefetch,
            acknowledging=announcing.acknowledging,
            searches=searches,
            index=searching,
        ),
        publisher=EventPublisher(
            link("events"), envelope_of=envelope_of, meters=meters, visible=_visible(settings, core)
        ),
        reader=CheckpointedReader(core.pool, core.store, name=PUBLISHER),
        announcing=announcing,
        searches=searches,
        consumes="amqp" in roles,
        publishes="publisher" in roles,
    )


def _session(core: Core, searching: Searching, emit: Emit) -> SearchSession:
    """Kept in the database: the next request may reach another process."""
    return SearchSession(searching=searching, keeper=SharedKeeper(core.pool), emit=emit, clock=now, edge="amqp")


def _visible(settings: Settings, core: Core) -> Callable[[RecordedEvent], Awaitable[RecordedEvent | None]] | None:
    """What the audience of the exchange may see; nothing to ask when it carries everything."""
    if not settings.amqp_event_subjects:
        return None
    return Visibility(core.store, settings.amqp_event_subjects, rules_of(settings)).of


def known_users(settings: Settings, url: str, api_user: str | None) -> dict[str, tuple[str, ...]]:
    """The broker's users who are somebody of the API: only the made-up one of our own broker.

    On a fresh machine the user of the API and the user of the private broker are both made up on the first start and
    kept in the same data folder, so whoever has one has the other: they are one operator, and a thing created over
    HTTP can be updated over AMQP at once. As soon as a broker or users are set from outside, nothing is assumed:
    policies name ``amqp:<user>``, or ``TWINLOG_AMQP_SUBJECTS`` says otherwise.
    """
    user = urlsplit(url).username
    if api_user is None or user is None or settings.amqp_url is not None:
        return {}
    return {user: (f"{settings.basic_subject_prefix}:{api_user}",)}
