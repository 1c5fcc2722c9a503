"""Commands about locations, users and contacts; export and erasure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from starter.door import CommandFailed, Door, console, run
from starter.showing import done, table, text, when

app = typer.Typer()


@app.command()
def locations(context: typer.Context) -> None:
    """List the locations (admin)."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/locations")
        table(
            "Locations",
            ("id", "name", "created"),
            [(row["id"], text(row["name"]), when(row["created_at"])) for row in rows],
            "There is no location yet: `python -m starter location-create NAME` makes one.",
        )

    run(context, work, admin=True)


@app.command("location-create")
def location_create(context: typer.Context, name: str) -> None:
    """Make a location; its API key is shown once (admin)."""

    async def work(door: Door) -> None:
        made = await door.post("/v1/locations", {"name": name})
        done(f"{made['id']}  {text(made['name'])}")
        console.print(f"API key (shown once): [cyan]{made['api_key']}[/]", highlight=False, soft_wrap=True)

    run(context, work, admin=True)


@app.command()
def users(context: typer.Context) -> None:
    """List the location's users."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/users")
        table(
            "Users",
            ("id", "address", "name", "auto-BCC address", "active account"),
            [
                (
                    row["id"],
                    text(row["email"]),
                    text(row["name"]),
                    row["auto_bcc_address"],
                    text(row["active_account_id"]),
                )
                for row in rows
            ],
            "There is no user yet: `python -m starter user-create EMAIL` makes one.",
        )

    run(context, work)


@app.command("user-create")
def user_create(context: typer.Context, email: str, name: Annotated[str, typer.Argument()] = "") -> None:
    """Make a user."""

    async def work(door: Door) -> None:
        made = await door.post("/v1/users", {"email": email, "name": name})
        done(f"{made['id']}  {text(made['email'])}  auto-BCC: {made['auto_bcc_address']}")

    run(context, work)


@app.command()
def session(context: typer.Context, user: str) -> None:
    """Make a link that opens the pages signed in as a user, once."""

    async def work(door: Door) -> None:
        row = await door.user(user)
        answer = await door.post(f"/v1/users/{row['id']}/session")
        console.print(answer["url"], style="cyan", soft_wrap=True, highlight=False)

    run(context, work)


@app.command()
def contacts(
    context: typer.Context, email: Annotated[str | None, typer.Option(help="Only with this address.")] = None
) -> None:
    """List the location's contacts."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/contacts", email=email)
        table(
            "Contacts",
            ("id", "name", "addresses", "source"),
            [(row["id"], text(row["name"]), text(", ".join(row["emails"])), row["source"]) for row in rows],
            "No contact fits: `python -m starter contact-create NAME EMAIL` makes one.",
        )

    run(context, work)


@app.command("contact-create")
def contact_create(context: typer.Context, name: str, emails: list[str]) -> None:
    """Make a contact."""

    async def work(door: Door) -> None:
        made = await door.post("/v1/contacts", {"name": name, "emails": emails})
        done(f"{made['id']}  {text(made['name'])}")

    run(context, work)


Kind = Annotated[Literal["contact", "account"], typer.Argument(help="contact or account.")]


async def _subject(door: Door, kind: str, name: str) -> str:
    row = await (door.contact(name) if kind == "contact" else door.account(name))
    return f"/v1/{kind}s/{row['id']}"


@app.command()
def export(
    context: typer.Context,
    kind: Kind,
    name: Annotated[str, typer.Argument(help="Id or address.")],
    to: Annotated[Path, typer.Option(help="Where the zip goes.")] = Path("export.zip"),
) -> None:
    """Export a contact's or a mailbox's data as a zip (S29)."""

    async def work(door: Door) -> None:
        path = await _subject(door, kind, name)
        content: bytes = await door.get(f"{path}/export")
        to.write_bytes(content)
        done(f"{len(content):,} bytes in {to}")

    run(context, work)


@app.command()
def erase(
    context: typer.Context,
    kind: Kind,
    name: Annotated[str, typer.Argument(help="Id or address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a contact's or a mailbox's data, with a receipt (S29)."""

    async def work(door: Door) -> None:
        path = await _subject(door, kind, name)
        if not yes and not typer.confirm(f"Erase the data of {kind} {name}? It cannot be brought back."):
            raise CommandFailed("Nothing was changed.")
        receipt = await door.call("DELETE", path, erase=True)
        went = ", ".join(f"{count} {what}" for what, count in receipt["counts"].items())
        done(f"Receipt {receipt['receipt_id']}: {went}")

    run(context, work)
