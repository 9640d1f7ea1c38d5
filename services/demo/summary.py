"""What one run of the demonstration counted, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from rich.console import Console
from rich.table import Table

from eventstore.events import RecordedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The counts of one run.

    ``stored`` readings of those published are in the log now, ``fresh`` events were added by this run where
    ``expected`` were, ``received`` of them reached the audience.
    """

    messages: int
    stored: int
    fresh: int
    expected: int
    received: int
    out_of_order: int
    seconds: float
    latencies: Sequence[float]

    @property
    def agrees(self) -> bool:
        """Every message is one event in the log, none is two, and every new event was received, in order."""
        return self.stored == self.messages and self.fresh == self.expected == self.received and self.out_of_order == 0


def print_summary(out: Console, outcome: Outcome) -> None:
    """The counts as a table."""
    table = Table(title="Two weather stations, hour by hour", show_header=False)
    rows = {
        "messages in": f"{outcome.messages:,}",
        "events stored": f"{outcome.stored:,} ({outcome.fresh:,} of them in this run)",
        "events received": f"{outcome.received:,}",
        "out of order": str(outcome.out_of_order),
        "rate": f"{outcome.messages / max(outcome.seconds, 0.001):,.0f} messages/s",
        "latency p50": _quantile(outcome.latencies, 0.50),
        "latency p99": _quantile(outcome.latencies, 0.99),
        "all counts agree": "yes" if outcome.agrees else "NO",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table)


def print_twin(out: Console, twin: Mapping[str, object], history: Sequence[RecordedEvent]) -> None:
    """A twin as HTTP shows it, and the events that it ended with."""
    out.print_json(orjson.dumps(twin).decode())
    table = Table(title=f"last events of {twin['thingId']}", expand=True)
    for column in ("revision", "position", "recorded", "type"):
        table.add_column(column, no_wrap=True)
    table.add_column("value", overflow="fold", ratio=1)
    for event in history:
        value = (event.value or b"").decode()
        recorded = event.recorded_at.strftime("%H:%M:%S.%f")[:-3]
        table.add_row(str(event.revision), str(event.position), recorded, event.type, value)
    out.print(table)


def _quantile(ordered: Sequence[float], share: float) -> str:
    if not ordered:
        return "no new events in this run"
    return f"{ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1_000:,.0f} ms, published at full speed"
