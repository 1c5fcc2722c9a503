"""Commands about connected mailboxes."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from starter.door import CommandFailed, Door, Json, console, run
from starter.showing import coloured, done, facts, table, text, when

app = typer.Typer()
Account = Annotated[str, typer.Argument(help="Account id or Gmail address.", show_default=False)]
User = Annotated[str, typer.Argument(help="User id or login address.", show_default=False)]
Wait = Annotated[float, typer.Option(help="How many seconds to wait until it is done; 0: do not wait.")]


async def _reach(door: Door, account_id: str, state: str, what: str, wait_s: float) -> None:
    """Wait until an account has a state, and show it."""

    async def look() -> Json | None:
        account: Json = await door.get(f"/v1/accounts/{account_id}")
        return account if account["state"] == state else None

    if wait_s > 0:
        account = await door.until(look, what, wait_s)
        done(f"{text(account['email'])} is {coloured(account['state'])}.")


def _send_browser(url: str, open_browser: bool) -> None:
    console.print("Open this address in the user's browser; it serves once, for ten minutes:")
    console.print(url, style="cyan", soft_wrap=True, highlight=False)
    if open_browser:
        webbrowser.open(url)


Browser = Annotated[bool, typer.Option("--open", help="Open the address in this machine's browser.")]


@app.command()
def accounts(
    context: typer.Context, user: Annotated[str | None, typer.Option(help="Only of this user.")] = None
) -> None:
    """List the connected mailboxes: state, when last synced, what is next."""

    async def work(door: Door) -> None:
        user_id = (await door.user(user))["id"] if user else None
        await _list(door, user_id)

    run(context, work)


async def _list(door: Door, user_id: str | None = None) -> None:
    rows = await door.every("/v1/accounts", user_id=user_id)
    table(
        "Mailboxes",
        ("id", "address", "state", "last synced", "missing", "next"),
        [
            (
                row["id"],
                text(row["email"]),
                coloured(row["state"]) + (f" [dim]{text(row['reason'])}[/]" if row["reason"] else ""),
                when(row["last_synced_at"]),
                text(row["completeness"]["missing"]) or "–",
                text(row["next_action"]),
            )
            for row in rows
        ],
        "No mailbox is connected: `python -m starter connect USER` connects one.",
    )


@app.command()
def status(
    context: typer.Context,
    account: Annotated[str | None, typer.Argument(help="Account id or Gmail address; none: all.")] = None,
) -> None:
    """Show where a mailbox stands, and why."""

    async def work(door: Door) -> None:
        if account is None:
            await _list(door)
            return
        row = await door.account(account)
        complete, sends = row["completeness"], row["sends"]
        proof = (
            f"{complete['decided']} of {complete['listed']} decided ({complete['to_retry']} are tried again), "
            f"{complete['missing']} missing; {when(complete['checked_at'])}"
            if complete["checked_at"]
            else "not yet"
        )
        facts(
            text(row["email"]),
            [
                ("id", row["id"]),
                ("user", row["user_id"]),
                ("state", coloured(row["state"])),
                ("reason", text(row["reason"]) or "–"),
                ("connected", when(row["connected_at"])),
                ("last synced", when(row["last_synced_at"])),
                ("Gmail's watch until", when(row["watch_expires_at"])),
                ("next", f"{text(row['next_action']) or '–'}  {when(row['next_action_at'])}"),
                ("proof", proof),
                (
                    "sent in 24 h",
                    f"{sends['used_24h']} of {sends['limit']} recipients, {sends['queued']} mails wait",
                ),
                ("next slot", when(sends["next_slot_at"])),
            ],
        )

    run(context, work)


@app.command()
def connect(context: typer.Context, user: User, wait: Wait = 600, open_browser: Browser = False) -> None:
    """Connect a user's Gmail: shows the address for the browser, and waits until mail syncs."""

    async def work(door: Door) -> None:
        row = await door.user(user)
        before = {
            account["id"]: account["state"] for account in await door.every("/v1/accounts", user_id=row["id"])
        }
        answer = await door.post("/v1/accounts/connect", {"user_id": row["id"]})
        _send_browser(answer["authorization_url"], open_browser)

        async def look() -> Json | None:
            for account in await door.every("/v1/accounts", user_id=row["id"]):
                if account["state"] == "active" and before.get(account["id"]) != "active":
                    return account
            return None

        if wait > 0:
            account = await door.until(look, "Waiting for the consent", wait)
            done(f"{text(account['email'])} is {coloured('active')} ({account['id']}).")

    run(context, work)


@app.command()
def reauthorize(context: typer.Context, account: Account, open_browser: Browser = False) -> None:
    """Ask for consent again, with the same address; what was missed is then synced."""

    async def work(door: Door) -> None:
        row = await door.account(account)
        answer = await door.post(f"/v1/accounts/{row['id']}/reauthorize")
        _send_browser(answer["authorization_url"], open_browser)

    run(context, work)


@app.command()
def switch(
    context: typer.Context,
    user: User,
    to: Annotated[
        str | None, typer.Option(help="A paused account (id or address); none: a new address.")
    ] = None,
    wait: Wait = 60,
    open_browser: Browser = False,
) -> None:
    """Move a user to another Gmail address without disconnecting the old one."""

    async def work(door: Door) -> None:
        row = await door.user(user)
        path = f"/v1/users/{row['id']}/switch"
        if to is None:
            _send_browser((await door.post(path))["authorization_url"], open_browser)
            return
        target = await door.account(to)
        await door.post(path, {"account_id": target["id"]})
        await _reach(door, target["id"], "active", f"Switching to {target['email']}", wait)

    run(context, work)


@app.command()
def disconnect(
    context: typer.Context,
    account: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Wait = 60,
) -> None:
    """Stop sync both ways and forget the credentials; everything synced stays."""

    async def work(door: Door) -> None:
        row = await door.account(account)
        if not yes and not typer.confirm(f"Disconnect {row['email']}? Mail that waits to leave is held."):
            raise CommandFailed("Nothing was changed.")
        await door.post(f"/v1/accounts/{row['id']}/disconnect")
        await _reach(door, row["id"], "disconnected", f"Disconnecting {row['email']}", wait)

    run(context, work)


@app.command()
def sync(context: typer.Context, account: Account, wait: Wait = 60) -> None:
    """Look now, and prove that nothing is missing."""

    async def work(door: Door) -> None:
        row = await door.account(account)
        before = row["completeness"]["checked_at"]
        await door.post(f"/v1/accounts/{row['id']}/sync")

        async def look() -> Json | None:
            now: Json = await door.get(f"/v1/accounts/{row['id']}")
            return now if now["completeness"]["checked_at"] != before else None

        if wait > 0:
            proof = (await door.until(look, "Syncing and checking", wait))["completeness"]
            done(f"{proof['decided']} of {proof['listed']} mails decided, {proof['missing']} missing.")

    run(context, work)


@app.command()
def why(
    context: typer.Context,
    account: Account,
    gmail_id: Annotated[str | None, typer.Argument(help="One Gmail id; none: the newest.")] = None,
    outcome: Annotated[str | None, typer.Option(help="synced, skipped or failed.")] = None,
    most: Annotated[int, typer.Option(help="How many.")] = 30,
) -> None:
    """Say what was done with each mail of a mailbox, and by which rule."""

    async def work(door: Door) -> None:
        row = await door.account(account)
        found = await door.every(
            f"/v1/accounts/{row['id']}/decisions", most=most, gmail_id=gmail_id, outcome=outcome
        )
        table(
            f"What synced and why: {text(row['email'])}",
            ("Gmail id", "at", "outcome", "rule", "why"),
            [
                (d["gmail_id"], when(d["at"]), coloured(d["outcome"]), d["rule"], text(d["detail"]))
                for d in found
            ],
            "Nothing was decided that fits.",
        )

    run(context, work)


@app.command()
def timeline(
    context: typer.Context, account: Account, most: Annotated[int, typer.Option(help="How many.")] = 30
) -> None:
    """Show what happened to a mailbox, newest first."""

    async def work(door: Door) -> None:
        row = await door.account(account)
        entries = await door.every(f"/v1/accounts/{row['id']}/timeline", most=most)
        table(
            f"Timeline: {text(row['email'])}",
            ("at", "kind", "what"),
            [(when(e["at"]), text(e["kind"]), text(e["detail"])) for e in entries],
            "Nothing has happened yet.",
        )

    run(context, work)
