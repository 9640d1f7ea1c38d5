"""One measurement beside its floor: the figures of every round, their medians, and the ratio of the medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from rich.table import Table

Figures = list[float]


@dataclass(slots=True, kw_only=True)
class Measure:
    """A path, what it is measured in, and the yardsticks of the design that it should reach.

    ``least_ratio`` is Twinlog over floor, ``least`` an absolute rate, ``most`` an absolute bound where less is better,
    ``most_cpu`` bounds Twinlog's processor time over the floor's.
    ``*_cpu`` are microseconds of processor time per item in the measured process: they hold still where rates drift
    with whatever else the machine does.
    """

    name: str
    unit: str
    least_ratio: float | None = None
    least: float | None = None
    most: float | None = None
    most_cpu: float | None = None
    floor: Figures = field(default_factory=list)
    twinlog: Figures = field(default_factory=list)
    floor_cpu: Figures = field(default_factory=list)
    twinlog_cpu: Figures = field(default_factory=list)
    notes: str = ""

    @property
    def ratio(self) -> float | None:
        """Twinlog's median over the floor's."""
        return statistics.median(self.twinlog) / statistics.median(self.floor) if self.floor else None

    @property
    def cpu_ratio(self) -> float | None:
        """The median of Twinlog's processor time over the floor's, round by round."""
        pairs = zip(self.twinlog_cpu, self.floor_cpu, strict=False)
        return statistics.median([own / floor for own, floor in pairs]) if self.floor_cpu else None

    @property
    def reached(self) -> bool:
        """Whether every yardstick is reached."""
        median = statistics.median(self.twinlog)
        return (
            (self.least_ratio is None or (self.ratio or 0.0) >= self.least_ratio)
            and (self.least is None or median >= self.least)
            and (self.most is None or median <= self.most)
            and (self.most_cpu is None or (self.cpu_ratio or 0.0) <= self.most_cpu)
        )

    def to_json(self) -> dict[str, object]:
        """Everything that was measured."""
        return {
            "name": self.name,
            "unit": self.unit,
            "floor": self.floor,
            "twinlog": self.twinlog,
            "floorCpuMicroseconds": self.floor_cpu,
            "twinlogCpuMicroseconds": self.twinlog_cpu,
            "medianFloor": statistics.median(self.floor) if self.floor else None,
            "medianTwinlog": statistics.median(self.twinlog),
            "ratio": self.ratio,
            "cpuRatio": self.cpu_ratio,
            "yardstick": self.yardstick(),
            "reached": self.reached,
            "notes": self.notes,
        }

    def yardstick(self) -> str:
        """The yardsticks in words."""
        parts = []
        if self.least_ratio is not None:
            parts.append(f"≥ {self.least_ratio:.0%} of floor")
        if self.least is not None:
            parts.append(f"≥ {self.least:,.0f}")
        if self.most is not None:
            parts.append(f"≤ {self.most:,.0f}")
        if self.most_cpu is not None:
            parts.append(f"CPU ≤ {self.most_cpu:.0%} of floor")
        return ", ".join(parts)


def report(measures: list[Measure]) -> Table:
    """All measures as a table: medians, spread, ratio, yardstick, and whether it is reached."""
    table = Table(title="Twinlog beside the bare libraries, medians of the rounds", header_style="bold")
    table.add_column("path", overflow="fold")
    for column in ("floor", "twinlog", "spread", "ratio", "µs CPU each, floor : twinlog"):
        table.add_column(column, justify="right")
    for column in ("yardstick", "reached", "notes"):
        table.add_column(column)
    for measure in measures:
        low, high = min(measure.twinlog), max(measure.twinlog)
        table.add_row(
            f"{measure.name} [dim]{measure.unit}[/dim]",
            f"{statistics.median(measure.floor):,.0f}" if measure.floor else "",
            f"{statistics.median(measure.twinlog):,.0f}",
            f"{low:,.0f}…{high:,.0f}",
            "" if measure.ratio is None else f"{measure.ratio:.0%}",
            _cpu(measure),
            measure.yardstick(),
            _verdict(measure),
            measure.notes,
        )
    return table


def _cpu(measure: Measure) -> str:
    if not measure.twinlog_cpu:
        return ""
    floor = f"{statistics.median(measure.floor_cpu):,.0f}" if measure.floor_cpu else "-"
    return f"{floor} : {statistics.median(measure.twinlog_cpu):,.0f}"


def _verdict(measure: Measure) -> str:
    if not measure.yardstick():
        return ""
    return "yes" if measure.reached else "[bold red]NO[/bold red]"
