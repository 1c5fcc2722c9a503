"""`make bench`, or `python -m bench NAME...`: the budgets of the design, each with its floor from the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from bench import catch_up, fairness, growth, idle, mail_speed, push
from bench.result import Result, show, write

BENCHES: dict[str, Callable[[], list[Result]]] = {
    "push": push.measure,
    "catch_up": catch_up.measure,
    "growth": growth.measure,
    "fairness": fairness.measure,
    "mail": mail_speed.measure,
    "idle": idle.measure,
}


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Some of: {', '.join(BENCHES)}. None: all.")
    ] = None,
) -> None:
    """Measure budgets, print a table, write bench/results.json."""
    console = Console()
    unknown = set(names or ()) - set(BENCHES)
    if unknown:
        console.print(
            f"[red]No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}[/red]"
        )
        raise typer.Exit(2)
    results: list[Result] = []
    for name in names or BENCHES:
        started = time.monotonic()
        console.print(f"[dim]{name} ...[/dim]")
        results += BENCHES[name]()
        console.print(f"[dim]{name}: {time.monotonic() - started:.0f} s[/dim]")
        write(results)
    show(results, console)
    if not all(result.ok for result in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
