"""Commands that apply a changed rule or address to earlier mail."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.accounts import Wait
from starter.door import CommandFailed, Door, Json, run
from starter.showing import coloured, done, facts, table, text, when

app = typer.Typer()
ReviewId = Annotated[str, typer.Argument(help="Review id.", show_default=False)]
Show = Annotated[str | None, typer.Option("--show", help="Show this review instead of making one.")]


@app.command()
def review(
    context: typer.Context,
    domain: Annotated[
        list[str] | None, typer.Option(help="A staff domain that was added or taken away.")
    ] = None,
    email: Annotated[
        list[str] | None,
        typer.Option(help="A staff address that was added or taken away, or one that a contact lost."),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(help="Id or address of a contact that is new, was merged or has new addresses."),
    ] = None,
    show: Show = None,
    wait: Wait = 120,
) -> None:
    """See what a changed rule or address would add to earlier mail, and hide in it. Nothing is changed yet."""

    async def work(door: Door) -> None:
        if show:
            _show(await door.get(f"/v1/reviews/{show}"))
            return
        if not (domain or email or contact):
            raise CommandFailed("Say what changed: --domain, --email or --contact (or --show a review).")
        body: Json = {"domains": domain or [], "emails": email or []}
        if contact:
            body["contact_id"] = (await door.contact(contact))["id"]
        made = await door.post("/v1/reviews", body)

        async def look() -> Json | None:
            found: Json = await door.get(f"/v1/reviews/{made['id']}")
            return None if found["state"] == "looking" else found

        _show(await door.until(look, "Asking Gmail", wait) if wait > 0 else made)

    run(context, work)


@app.command("review-apply")
def apply(context: typer.Context, review_id: ReviewId) -> None:
    """Apply a review: hide what the rules no longer let in, and fetch what they let in now."""

    async def work(door: Door) -> None:
        row = await door.post(f"/v1/reviews/{review_id}/apply")
        done(f"{review_id} is {coloured(row['state'])}: {_counts(row, 'to')}. `review-undo` takes it back.")

    run(context, work)


@app.command("review-undo")
def undo(context: typer.Context, review_id: ReviewId) -> None:
    """Take an applied review back."""

    async def work(door: Door) -> None:
        row = await door.post(f"/v1/reviews/{review_id}/undo")
        done(
            f"{review_id} is {coloured(row['state'])}: {row['would_hide']} shown again, {row['would_add']} hidden."
        )

    run(context, work)


@app.command()
def reviews(context: typer.Context) -> None:
    """List the reviews, newest first."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/reviews", most=100)
        table(
            "Reviews",
            ("id", "made", "state", "add", "hide", "show", "of"),
            [
                (
                    row["id"],
                    when(row["created_at"]),
                    coloured(row["state"]),
                    *(str(row[f"would_{what}"]) for what in ("add", "hide", "show")),
                    text(", ".join([*row["domains"], *row["emails"]])),
                )
                for row in rows
            ],
            "There is no review yet: `python -m starter review` makes one.",
        )

    run(context, work)


def _counts(row: Json, word: str) -> str:
    counts = f"{row['would_add']} {word} add, {row['would_hide']} {word} hide"
    return counts + (f", {row['would_show']} {word} show again" if row["would_show"] else "")


def _show(row: Json) -> None:
    facts(
        f"Review {row['id']}",
        [
            ("State", coloured(row["state"])),
            ("Would add", str(row["would_add"])),
            ("Would hide", str(row["would_hide"])),
            ("Would show again", str(row["would_show"])),
            ("Of", text(", ".join([*row["domains"], *row["emails"]]))),
            *(("Could not ask", f"{one['account_id']}: {text(one['reason'])}") for one in row["not_read"]),
        ],
    )
    if row["state"] == "preview":
        done(f"Nothing is changed yet: `python -m starter review-apply {row['id']}` applies it.")
