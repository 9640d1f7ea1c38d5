"""What the announcer counts."""

from __future__ import annotations

from prometheus_client import Counter

from services.metrics import Metrics


class Meters:
    """Counters in the service's registry."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self.announced = Counter(
            "twinlog_announcements_published_total", "Announcements that the broker confirmed.", registry=registry
        )
        self.unpublished = Counter(
            "twinlog_announcements_unconfirmed_total",
            "Announcements that the broker did not confirm.",
            registry=registry,
        )
        self.failed = Counter(
            "twinlog_announcements_unanswered_total",
            "Attempts that were not acknowledged as asked.",
            registry=registry,
        )
        self.acknowledged = Counter(
            "twinlog_announcements_acknowledged_total", "Acknowledgements that were recorded.", registry=registry
        )
        self.ignored = Counter(
            "twinlog_announcements_acknowledgements_ignored_total",
            "Acknowledgements that nobody waited for.",
            registry=registry,
        )
        self.removed = Counter(
            "twinlog_subjects_removed_total", "Expired subjects removed from policies.", registry=registry
        )
        self.overtaken = Counter(
            "twinlog_announcer_overtaken_total", "Decisions dropped because the policy moved on.", registry=registry
        )
