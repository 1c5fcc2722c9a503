"""Commands about mail: send, look, cancel, decide, search."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import Annotated, Literal

import typer

from starter.accounts import User, Wait
from starter.door import Door, Json, run
from starter.showing import coloured, done, facts, people, table, text, when

app = typer.Typer()
SETTLED = frozenset({"sent", "failed", "held", "bounced", "cancelled", "waiting_for_limit", "scheduled"})
MessageId = Annotated[str, typer.Argument(help="Message id.", show_default=False)]


@app.command()
def send(
    context: typer.Context,
    user: User,
    to: Annotated[list[str], typer.Option(help="Recipient; may be given again.")],
    subject: Annotated[str, typer.Option()] = "",
    body: Annotated[str, typer.Option("--text", help="The text; `-` reads it from standard input.")] = "-",
    cc: Annotated[list[str] | None, typer.Option()] = None,
    bcc: Annotated[list[str] | None, typer.Option()] = None,
    reply_to: Annotated[str | None, typer.Option(help="Id of the message that it answers.")] = None,
    at: Annotated[str | None, typer.Option(help="When it leaves, such as 2026-12-01T09:00:00Z.")] = None,
    attach: Annotated[list[Path] | None, typer.Option(exists=True, dir_okay=False)] = None,
    wait: Wait = 60,
) -> None:
    """Send a mail as a user, and wait until it has left or says why not."""
    content = typer.get_text_stream("stdin").read() if body == "-" else body

    async def work(door: Door) -> None:
        row = await door.user(user)
        queued = await door.post(
            "/v1/messages",
            {
                "user_id": row["id"],
                "to": to,
                "cc": cc or [],
                "bcc": bcc or [],
                "subject": subject,
                "text": content,
                "reply_to_message_id": reply_to,
                "send_at": at,
                "attachments": [_attachment(path) for path in attach or []],
            },
        )

        async def look() -> Json | None:
            message: Json = await door.get(f"/v1/messages/{queued['id']}")
            return message if message["status"] in SETTLED else None

        message = await door.until(look, "Sending", wait) if wait > 0 else queued
        leaves = f", leaves {when(message['leaves_at'])}" if message.get("leaves_at") else ""
        done(f"{queued['id']} is {coloured(message['status'])}{leaves}. {text(message.get('status_detail'))}")

    run(context, work)


def _attachment(path: Path) -> Json:
    return {
        "filename": path.name,
        "content_type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "content_base64": base64.b64encode(path.read_bytes()).decode(),
    }


@app.command()
def message(context: typer.Context, message_id: MessageId) -> None:
    """Show a message: who, what, and what became of it."""

    async def work(door: Door) -> None:
        row = await door.get(f"/v1/messages/{message_id}")
        bounce = row["bounce"]
        facts(
            text(row["subject"]) or "(no subject)",
            [
                ("id", row["id"]),
                ("direction", f"{row['direction']}, {row['kind']}"),
                ("from", people([row["from"]] if row["from"] else [])),
                ("to", people(row["to"])),
                ("cc", people(row["cc"]) or "–"),
                ("bcc", people(row["bcc"]) or "–"),
                ("date", when(row["sent_at"])),
                ("status", f"{coloured(row['status'])} {text(row['status_detail'])}"),
                ("leaves", when(row["leaves_at"])),
                ("opened, clicked", f"{row['opens']}, {row['clicks']}"),
                ("answered", when(row["replied_at"])),
                ("bounced", f"{when(bounce['at'])}: {text(bounce['reason'])}" if bounce else "–"),
                ("in Gmail", text(", ".join(copy["gmail_id"] for copy in row["gmail"])) or "–"),
                (
                    "attachments",
                    text(", ".join(f"{a['filename']} ({a['state']})" for a in row["attachments"])) or "–",
                ),
                ("text", text((row["text"] or "")[:2000])),
            ],
        )

    run(context, work)


@app.command()
def cancel(context: typer.Context, message_id: MessageId) -> None:
    """Cancel a mail that has not left."""

    async def work(door: Door) -> None:
        answer = await door.post(f"/v1/messages/{message_id}/cancel")
        done(f"{message_id} is {coloured(answer['status'])}.")

    run(context, work)


@app.command()
def resolve(
    context: typer.Context, message_id: MessageId, action: Literal["look_again", "mark_sent", "discard"]
) -> None:
    """Decide on a mail that is held: look for it in Gmail again, mark it as sent, or discard it."""

    async def work(door: Door) -> None:
        answer = await door.post(f"/v1/messages/{message_id}/resolve", {"action": action})
        done(f"{message_id} is {coloured(answer['status'])}.")

    run(context, work)


@app.command()
def conversations(
    context: typer.Context,
    contact: Annotated[str | None, typer.Option(help="Only of this contact (id or address).")] = None,
) -> None:
    """List the conversations, the one with the newest mail first."""

    async def work(door: Door) -> None:
        contact_id = (await door.contact(contact))["id"] if contact else None
        rows = await door.every("/v1/conversations", most=100, contact_id=contact_id)
        table(
            "Conversations",
            ("id", "with", "newest", "unread", "threads"),
            [
                (
                    row["id"],
                    text(row["contact_name"]),
                    when(row["last_message_at"]),
                    str(row["unread"] or ""),
                    text("; ".join(f"{t['subject']} ({t['message_count']})" for t in row["threads"][:3])),
                )
                for row in rows
            ],
            "There is no conversation yet.",
        )

    run(context, work)


@app.command()
def search(context: typer.Context, words: str) -> None:
    """Search messages and contacts."""

    async def work(door: Door) -> None:
        rows = await door.every("/v1/search", most=50, q=words)
        found = [(row["type"], row[row["type"]]) for row in rows]
        table(
            f"Found for {text(words)}",
            ("kind", "id", "what"),
            [
                (kind, it["id"], text(it["subject"] if kind == "message" else it["name"]))
                for kind, it in found
            ],
            "Nothing fits.",
        )

    run(context, work)
