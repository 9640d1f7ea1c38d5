"""One measurement beside its floor: the figures of every round, their medians, and the ratio of the medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from rich.table import Table

Figures = list[float]


@dataclass(slots=True, kw_only=True)
class Measure:
    """A path, what it is measured in, and the yardsticks of the design that it should reach.

    ``least_ratio`` is Twinlog over floor, ``least`` an absolute rate, ``most`` an absolute bound where less is better.
    """

    name: str
    unit: str
    least_ratio: float | None = None
    least: float | None = None
    most: float | None = None
    floor: Figures = field(default_factory=list)
    twinlog: Figures = field(default_factory=list)
    notes: str = ""

    @property
    def ratio(self) -> float | None:
        """Twinlog's median over the floor's."""
        return statistics.median(self.twinlog) / statistics.median(self.floor) if self.floor else None

    @property
    def reached(self) -> bool:
        """Whether every yardstick is reached."""
        median = statistics.median(self.twinlog)
        return (
            (self.least_ratio is None or (self.ratio or 0.0) >= self.least_ratio)
            and (self.least is None or median >= self.least)
            and (self.most is None or median <= self.most)
        )

    def to_json(self) -> dict[str, object]:
        """Everything that was measured."""
        return {
            "name": self.name,
            "unit": self.unit,
            "floor": self.floor,
            "twinlog": self.twinlog,
            "medianFloor": statistics.median(self.floor) if self.floor else None,
            "medianTwinlog": statistics.median(self.twinlog),
            "ratio": self.ratio,
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
        return ", ".join(parts)


def report(measures: list[Measure]) -> Table:
    """All measures as a table: medians, spread, ratio, yardstick, and whether it is reached."""
    table = Table(title="Twinlog beside the bare libraries, medians of the rounds", header_style="bold")
    for column in ("path", "unit", "floor", "twinlog", "spread", "ratio", "yardstick", "reached", "notes"):
        table.add_column(column, justify="right" if column in {"floor", "twinlog", "ratio"} else "left")
    for measure in measures:
        low, high = min(measure.twinlog), max(measure.twinlog)
        table.add_row(
            measure.name,
            measure.unit,
            f"{statistics.median(measure.floor):,.2f}" if measure.floor else "",
            f"{statistics.median(measure.twinlog):,.2f}",
            f"{low:,.0f} … {high:,.0f}",
            "" if measure.ratio is None else f"{measure.ratio:.0%}",
            measure.yardstick(),
            "yes" if measure.reached else "NO",
            measure.notes,
        )
    return table
