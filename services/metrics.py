"""What the service counts, for Prometheus; commands in can be compared with events out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
GROUPS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class FastHistogram(Collector):
    """A histogram without labels and locks for what is observed thousands of times a second on the event loop."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count a value; belongs to the event loop's thread."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @override
    def collect(self) -> Iterable[Metric]:
        """The cumulated buckets as Prometheus wants them."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


class FastCounter(Collector):
    """A labelled counter of the same kind; ``_total`` is added to its name as ever."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def count(self, *labels: str) -> None:
        """One more for these label values; belongs to the event loop's thread."""
        self._counts[labels] = self._counts.get(labels, 0) + 1

    @override
    def collect(self) -> Iterable[Metric]:
        """What was counted."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family


class Metrics:
    """All metrics of one service, registered in a registry of their own unless one is given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.commands = FastCounter(
            "twinlog_commands",
            "Commands answered; outcome is done, repeated, refused (4xx), failed (5xx) or withdrawn.",
            ("edge", "verb", "outcome"),
            self.registry,
        )
        self.events_appended = Counter(
            "twinlog_events_appended_total", "Events made durable by this process.", registry=self.registry
        )
        self.events_published = Counter(
            "twinlog_events_published_total", "Events confirmed by the broker.", registry=self.registry
        )
        self.dead_letters = Counter(
            "twinlog_dead_letters_total", "Messages put aside with a reason.", ("reason",), registry=self.registry
        )
        self.conflicts = Counter(
            "twinlog_append_conflicts_total", "Groups decided again because others wrote.", registry=self.registry
        )
        self.group_commands = FastHistogram(
            "twinlog_group_commands", "Commands decided together.", GROUPS, self.registry
        )
        self.command_seconds = FastHistogram(
            "twinlog_command_seconds", "From submission to answer.", SECONDS, self.registry
        )
        self.search_seconds = FastHistogram(
            "twinlog_search_seconds",
            "From a search to its hits, waiting for the read model included.",
            SECONDS,
            self.registry,
        )
        self.append_seconds = Histogram(
            "twinlog_append_seconds", "From append to commit.", buckets=SECONDS, registry=self.registry
        )
        self.commands_waiting = Gauge(
            "twinlog_commands_waiting", "Commands taken and not yet answered.", registry=self.registry
        )
        self.states_cached = Gauge("twinlog_states_cached", "States kept in memory.", registry=self.registry)
        self.projection_lag = Gauge(
            "twinlog_projection_lag_events",
            "Events between the log's head and the projection.",
            ("projection",),
            registry=self.registry,
        )
