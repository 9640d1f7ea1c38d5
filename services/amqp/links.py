"""Links as the settings want them."""

from __future__ import annotations

from services.amqp.connection import Link, LinkState
from services.amqp.meters import Meters
from services.amqp.topology import Topology
from services.settings import Settings


def topology_of(settings: Settings) -> Topology:
    """The configured names."""
    return Topology(
        commands=settings.amqp_commands,
        events=settings.amqp_events,
        announcements=settings.amqp_announcements,
        dead_letters=settings.amqp_dead_letters,
    )


def link_of(url: str, topology: Topology, meters: Meters, name: str) -> Link:
    """A link that tells its state in the metrics."""

    def changed(state: LinkState) -> None:
        meters.connected(name, up=state is LinkState.CONNECTED)

    return Link(url, topology, name=name, changed=changed)
