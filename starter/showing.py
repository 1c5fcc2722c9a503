"""Tables and times for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from starter.door import Json, console

COLOURS = {
    "active": "green",
    "sent": "green",
    "synced": "green",
    "done": "green",
    "applied": "green",
    "preview": "blue",
    "looking": "blue",
    "connecting": "blue",
    "sending": "blue",
    "queued": "blue",
    "recovering": "yellow",
    "waiting_for_limit": "yellow",
    "scheduled": "yellow",
    "delayed": "yellow",
    "paused": "dim",
    "disconnected": "dim",
    "cancelled": "dim",
    "undone": "dim",
    "skipped": "dim",
    "reauthorization_required": "bold red",
    "failed": "bold red",
    "held": "bold red",
    "bounced": "bold red",
}

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def coloured(word: str | None) -> str:
    """A state, in its colour."""
    if not word:
        return ""
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/]" if colour else escape(word)


def when(moment: str | None) -> str:
    """A moment, and how long ago or ahead."""
    if not moment:
        return "–"
    at = datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(UTC)
    seconds = (datetime.now(UTC) - at).total_seconds()
    size, unit = next(step for step in _SPANS if abs(seconds) >= step[0] or step[0] == 1)
    span = f"{abs(seconds) / size:.0f} {unit}"
    return f"{at:%Y-%m-%d %H:%M:%S} " + (f"({span} ago)" if seconds >= 0 else f"(in {span})")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Show a table, or the words for an empty one."""
    shown = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    console.print(shown if shown.row_count else f"[dim]{empty}[/]")


def facts(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Show named facts, one a line."""
    shown = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False
    )
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in rows:
        shown.add_row(name, value)
    console.print(shown)


def people(addresses: Sequence[Json]) -> str:
    """Addresses in one line."""
    return escape(", ".join(person["name"] or person["email"] for person in addresses))


def done(text: str) -> None:
    """Say that something was done."""
    console.print(f"[green]✓[/] {text}", highlight=False, soft_wrap=True)


def text(value: Any) -> str:
    """Anything as plain text in a table."""
    return escape("" if value is None else str(value))
