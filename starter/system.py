"""Commands about the system itself."""

from __future__ import annotations

import os
import sys

import typer

from starter.door import CommandFailed, Door, console, run
from starter.showing import table, text

app = typer.Typer()


@app.command()
def up() -> None:
    """Run the whole system on embedded parts until Ctrl-C (the same as `make up`)."""
    os.execv(sys.executable, [sys.executable, "-m", "devstack", "up"])  # noqa: S606


@app.command()
def ready(context: typer.Context) -> None:
    """Say whether each dependency answers; ends with 1 where one does not."""

    async def work(door: Door) -> None:
        answer = await door.readiness()
        parts = answer["dependencies"]
        table(
            "Dependencies",
            ("part", "state", "what it says"),
            [
                (name, "[green]answers[/]" if part["ok"] else "[bold red]away[/]", text(part["detail"]))
                for name, part in parts.items()
            ],
            "Nothing is needed.",
        )
        if not answer["ready"]:
            raise CommandFailed("Something is away; see above.")

    run(context, work, admin=True)


@app.command()
def events(context: typer.Context) -> None:
    """Show the location's events as they happen, until Ctrl-C."""

    async def work(door: Door) -> None:
        async for event in door.events():
            data = event["data"]
            about = text(data.get("state") or data.get("subject") or data.get("name"))
            line = f"[dim]{event['at']}[/] [bold]{event['type']}[/] {data.get('id')} {about}"
            console.print(line, highlight=False)

    run(context, work)
