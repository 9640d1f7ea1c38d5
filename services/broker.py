"""The AMQP side of a process: commands in over one link, events out over another."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from dataclasses import dataclass

from projections.consumers import CheckpointedReader
from services.amqp.consumer import CommandConsumer
from services.amqp.envelopes import DittoMapper, envelope_of
from services.amqp.identity import Identity
from services.amqp.links import link_of, topology_of
from services.amqp.meters import PUBLISHER, Meters
from services.amqp.publisher import EventPublisher
from services.announcer.setup import Announcing, open_announcing
from services.core import Core, now
from services.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Consumer and publisher of one process, ready to run."""

    consumer: CommandConsumer
    publisher: EventPublisher
    reader: CheckpointedReader
    announcing: Announcing

    def work(self, *, consumer: bool, publisher: bool) -> Iterator[tuple[str, Coroutine[object, object, None]]]:
        """What has to run for as long as the process does."""
        if consumer:
            yield "acknowledgements", self.announcing.acknowledging.run()
            yield "amqp consumer", self.consumer.run()
        if publisher:
            yield "amqp publisher", self.reader.run(self.publisher.work)

    async def stop(self, seconds: float) -> None:
        """Take no more messages, and acknowledge those that were taken."""
        await self.consumer.stop(seconds)

    async def problem(self) -> str | None:
        """Why messages do not flow; nothing when they do."""
        return None if self.consumer.ready else self.consumer.link.problem or "is not connected yet"


def open_broker(settings: Settings, url: str, core: Core) -> Broker:
    """The AMQP side over the core; connects when its work runs."""
    meters = Meters(core.metrics)
    topology = topology_of(settings)
    announcing = open_announcing(settings, core, lambda name: link_of(url, topology, name, meters))
    consumer = CommandConsumer(
        link_of(url, topology, "commands", meters),
        commanding=core.commanding,
        mapper=DittoMapper(),
        identity=Identity(settings.amqp_subjects, settings.amqp_default_subjects),
        clock=now,
        meters=meters,
        prefetch=settings.amqp_prefetch,
        acknowledging=announcing.acknowledging,
    )
    publisher = EventPublisher(
        link_of(url, topology, "events", meters), envelope_of=envelope_of, head=core.store.head, meters=meters
    )
    reader = CheckpointedReader(core.pool, core.store, name=PUBLISHER)
    return Broker(consumer=consumer, publisher=publisher, reader=reader, announcing=announcing)
