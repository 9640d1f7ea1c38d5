"""Writes how the cost of search grows with the fleet into its README, as tables and a plot, from benchmark figures.

``python -m tests.benchmarks.growth figures.json more.json``: the files are what ``--json`` wrote; of a fleet that was
measured more than once the last file counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import matplotlib as mpl
import orjson
import typer
from matplotlib.figure import Figure

FOLDER: Final = Path("projections/search")
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
POLICIES: Final = {"own": "a policy each", "shared": "one policy"}
Fleet: TypeAlias = dict[str, Any]
"""What the benchmark wrote about one fleet."""
Found: TypeAlias = dict[tuple[int, str], Fleet]


def main(
    figures: Annotated[list[Path], typer.Argument(help="Files that --json wrote.")],
    folder: Annotated[Path, typer.Option(help="Where README.md and growth.svg are.")] = FOLDER,
) -> None:
    """Replace the measured part of the README and the plot beside it."""
    found = _read(figures)
    readme = folder / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(before + BEGIN + "\n" + "\n".join(_tables(found)) + "\n" + END + after)
    _plot(found, folder / "growth.svg")


def _read(files: Iterable[Path]) -> Found:
    found: Found = {}
    for file in files:
        for entry in orjson.loads(file.read_bytes()):
            if fleet := entry.get("search"):
                found[fleet["things"], fleet["policies"]] = fleet
    return dict(sorted(found.items()))


def _tables(found: Found) -> Iterator[str]:
    sizes = sorted({size for size, _ in found})
    for kind, words in POLICIES.items():
        fleets = [found.get((size, kind)) for size in sizes]
        yield ""
        yield f"**{words.capitalize()}** (p50 / p95, milliseconds over HTTP)"
        yield ""
        yield from _table(["things", *(f"{size:,}" for size in sizes)], _rows(fleets))
    yield ""


def _rows(fleets: Sequence[Fleet | None]) -> Iterator[list[str]]:
    for question in dict.fromkeys(name for fleet in fleets if fleet for name in fleet["answers"]):
        yield [question, *(_pair(*fleet["answers"][question]) if fleet else "" for fleet in fleets)]
    for words, name in RATES.items():
        yield [words, *(f"{fleet[name]:,.0f}" if fleet else "" for fleet in fleets)]
    floors = [f"{fleet['page_rate'] / fleet['page_floor']:.0%}" if fleet else "" for fleet in fleets]
    yield ["page of 25: of asyncpg", *floors]
    fresh = [_pair(fleet["fresh_p50"], fleet["fresh_p99"]) if fleet else "" for fleet in fleets]
    yield ["change → found while half as many are made, p50 / p99", *fresh]


RATES: Final = {
    "pages of 25 whole things per second": "page_rate",
    "pages of 25 ids per second": "page_ids_rate",
    "asyncpg with the same SQL, per second": "page_floor",
    "`eq(thingId)` per second": "by_id_rate",
    "changes by HTTP PUT per second": "write_rate",
    "events per second when built anew": "rebuild_rate",
    "bytes per thing, indexes included": "bytes_per_thing",
}


def _pair(*figures: float) -> str:
    return " / ".join(f"{each:.1f}" if each < 100 else f"{each:,.0f}" for each in figures)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" + "|---:" * (len(head) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _plot(found: Found, file: Path) -> None:
    """Median answer times over the size of the fleet, both axes logarithmic; the same figures give the same bytes."""
    mpl.rcParams.update({"svg.hashsalt": "twinlog", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, (kind, words) in zip((left, right), POLICIES.items(), strict=True):
        fleets = [fleet for (_, of), fleet in found.items() if of == kind]
        for question in dict.fromkeys(name for fleet in fleets for name in fleet["answers"]):
            points = [
                (fleet["things"], fleet["answers"][question][0]) for fleet in fleets if question in fleet["answers"]
            ]
            axes.plot(
                *zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=question.replace("`", "")
            )
        axes.set(xscale="log", yscale="log", title=words, xlabel="things")
        axes.grid(visible=True, which="major", linewidth=0.3)
    left.set_ylabel("median answer time over HTTP, ms")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    figure.savefig(file, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    typer.run(main)
