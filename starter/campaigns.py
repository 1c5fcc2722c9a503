"""Commands about campaigns: bulk mail through the location's SMTP provider (S25)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from starter.accounts import User
from starter.door import LOOK_AGAIN_S, Door, Json, console, run
from starter.showing import coloured, done, table, text, when

app = typer.Typer()
CampaignId = Annotated[str, typer.Argument(help="Campaign id.", show_default=False)]
ENDED = frozenset({"done", "cancelled"})


@app.command()
def campaigns(context: typer.Context) -> None:
    """List the campaigns, newest first."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/campaigns", most=100)
        table(
            "Campaigns",
            ("id", "subject", "state", "total", "sent", "failed", "unknown"),
            [
                (
                    row["id"],
                    text(row.get("subject")),
                    coloured(row["state"]),
                    *(str(row[name]) for name in ("total", "sent", "failed", "unknown")),
                )
                for row in rows
            ],
            "There is no campaign yet: `python -m starter campaign-create` makes one.",
        )

    run(context, work)


@app.command("campaign-create")
def create(
    context: typer.Context,
    user: User,
    subject: Annotated[str, typer.Option()],
    contact: Annotated[list[str], typer.Option(help="Contact id or address; may be given again.")],
    body: Annotated[str | None, typer.Option("--text", help="The text.")] = None,
    html: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the html.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show how far it is until it has ended.")] = False,
) -> None:
    """Mail many contacts, each addressed alone and each once."""

    async def work(door: Door) -> None:
        row = await door.user(user)
        made = await door.post(
            "/v1/campaigns",
            {
                "user_id": row["id"],
                "subject": subject,
                "text": body,
                "html": html.read_text("utf-8") if html else None,
                "contact_ids": [(await door.contact(name))["id"] for name in contact],
            },
        )
        done(f"{made['id']} is {coloured(made['state'])}: {made['total']} recipients.")
        if watch:
            await _follow(door, made["id"])

    run(context, work)


@app.command("campaign")
def show(
    context: typer.Context,
    campaign_id: CampaignId,
    watch: Annotated[bool, typer.Option("--watch", help="Show how far it is until it has ended.")] = False,
    state: Annotated[str | None, typer.Option(help="Only recipients in this state.")] = None,
) -> None:
    """Show how far a campaign is, and what became of its recipients."""

    async def work(door: Door) -> None:
        if watch:
            await _follow(door, campaign_id)
        row = await door.get(f"/v1/campaigns/{campaign_id}")
        counts = ", ".join(f"{row[name]} {name}" for name in ("total", "sent", "failed", "unknown"))
        done(f"{campaign_id} is {coloured(row['state'])}: {counts}")
        rows = await door.every(f"/v1/campaigns/{campaign_id}/recipients", most=100, state=state)
        table(
            "Recipients",
            ("contact", "address", "state", "at"),
            [(r["contact_id"], text(r["email"]), coloured(r["state"]), when(r["at"])) for r in rows],
            "None fits.",
        )

    run(context, work)


@app.command("campaign-change")
def change(
    context: typer.Context, campaign_id: CampaignId, action: Literal["pause", "resume", "cancel"]
) -> None:
    """Pause, resume or cancel a campaign."""

    async def work(door: Door) -> None:
        row = await door.post(f"/v1/campaigns/{campaign_id}/{action}")
        done(f"{campaign_id} is {coloured(row['state'])}.")

    run(context, work)


async def _follow(door: Door, campaign_id: str) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Mailing", total=None)

        async def look() -> Json | None:
            row: Json = await door.get(f"/v1/campaigns/{campaign_id}")
            progress.update(task, total=row["total"], completed=row["sent"] + row["failed"] + row["unknown"])
            return row if row["state"] in ENDED else None

        await door.wait_for(look, LOOK_AGAIN_S)
