"""What this edge counts; the numbers of all edges are in ``services.metrics``."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.metrics import Metrics

PUBLISHER = "amqp-publisher"
"""The publisher's name as a reader of the log: its lease, its checkpoint, its lag."""


class Meters:
    """Counters and gauges of AMQP, in the service's registry."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._deliveries = Counter("twinlog_amqp_deliveries_total", "Messages taken from the queue.", registry=registry)
        self._replies = Counter("twinlog_amqp_replies_total", "Answers sent to reply addresses.", registry=registry)
        self._pauses = Counter(
            "twinlog_amqp_pauses_total",
            "Times that consuming paused because commands could not be taken.",
            registry=registry,
        )
        self._connected = Gauge(
            "twinlog_amqp_connected", "1 while the link to the broker is up.", ("link",), registry=registry
        )
        self._dead_letters = metrics.dead_letters
        self.delivered = self._deliveries.inc
        self.replied = self._replies.inc
        self.paused = self._pauses.inc
        self.published = metrics.events_published.inc

    def connected(self, link: str, *, up: bool) -> None:
        """A link came up or went down."""
        self._connected.labels(link).set(up)

    def put_aside(self, reason: str) -> None:
        """A dead letter was confirmed."""
        self._dead_letters.labels(reason).inc()
