"""One measured budget, and how it is shown and written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results.json"


@dataclass(frozen=True, slots=True)
class Result:
    """A line of `bench/results.json`: `ratio` is value/floor; `budget` bounds the ratio where there is a floor."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    budget: float
    ok: bool

    @classmethod
    def against_floor(cls, name: str, value: float, unit: str, floor: float, *, at_most: float) -> Result:
        """A cost, at most so many times the floor measured in the same run."""
        ratio = value / floor
        return cls(name, value, unit, floor, ratio, at_most, ratio <= at_most)

    @classmethod
    def speed(cls, name: str, value: float, unit: str, floor: float, *, at_least: float) -> Result:
        """A speed, at least so many times the one measured beside it."""
        ratio = value / floor
        return cls(name, value, unit, floor, ratio, at_least, ratio >= at_least)

    @classmethod
    def bounded(cls, name: str, value: float, unit: str, *, at_most: float) -> Result:
        """A number with a bound of its own."""
        return cls(name, value, unit, None, None, at_most, value <= at_most)


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def write(results: list[Result]) -> None:
    """Write `bench/results.json`, replacing the lines of the same names."""
    known = {line["name"]: line for line in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    known.update({result.name: asdict(result) for result in results})
    RESULTS.write_text(json.dumps(list(known.values()), indent=2) + "\n")


def show(results: list[Result], console: Console) -> None:
    """The table of `make bench`."""
    table = Table(title="Budgets", title_justify="left")
    for heading in ("what", "measured", "floor", "ratio", "budget", ""):
        table.add_column(heading, justify="left" if heading in ("what", "") else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.value:,.2f} {result.unit}",
            "" if result.floor is None else f"{result.floor:,.2f}",
            "" if result.ratio is None else f"{result.ratio:.2f}x",
            f"{result.budget:g}" + ("x" if result.ratio is not None else ""),
            "[green]ok[/green]" if result.ok else "[red]over[/red]",
        )
    console.print(table)
