"""What a user does in Gmail's own pages, without the API: write, reply, forward, file, delete."""

from __future__ import annotations

import html
from typing import Any

from devstack.gmail import arrival, drafts, sending
from devstack.gmail.compose import as_list, build
from devstack.gmail.content import Content, addresses, written
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.world import World, address_key

FORWARD_MARK = "---------- Forwarded message ---------"


def write(
    world: World,
    mailbox: Mailbox,
    fields: dict[str, Any],
    *,
    thread_id: str = "",
    autosaves: int = 0,
    raw: bytes | None = None,
) -> Message:
    """Write and send a mail; with `autosaves` Gmail saves that many drafts on the way."""
    if raw is None:
        fields = {"from": written(mailbox.name, mailbox.email), **fields}
        raw = build(fields, world.clock.now())
    if not autosaves:
        return sending.send(world, mailbox, raw, thread_id=thread_id, via="ui")
    draft_id, message = drafts.create(world, mailbox, raw, thread_id)
    for _ in range(autosaves - 1):
        message = drafts.save(world, mailbox, draft_id, raw, thread_id)
    sent = sending.send(world, mailbox, raw, via="ui", draft=message)
    del mailbox.drafts[draft_id]
    return sent


def answered_chain(content: Content) -> list[str]:
    """The References of an answer to a mail."""
    chain = [reference for reference in dict.fromkeys(content.references) if reference != content.message_id]
    return [*chain, content.message_id]


def answered(message: Message) -> dict[str, Any]:
    """In-Reply-To and References of an answer to a message."""
    content = message.content
    if not content.message_id:
        return {}
    return {"in_reply_to": content.message_id, "references": answered_chain(content)}


def prefixed(subject: str, prefix: str) -> str:
    """The subject with one prefix."""
    return subject if subject.lower().startswith(prefix.lower()) else f"{prefix} {subject}"


def quote(message: Message) -> str:
    """The attribution line and the quoted text below an answer."""
    content = message.content
    lines = "\n".join(f"> {line}" for line in content.text().strip().splitlines())
    return f"\n\nOn {content.get('Date')} {content.get('From')} wrote:\n\n{lines}\n"


def reply(
    world: World,
    mailbox: Mailbox,
    message: Message,
    fields: dict[str, Any],
    *,
    everyone: bool = False,
    autosaves: int = 0,
) -> Message:
    """Answer a message, or all who are in it."""
    content = message.content
    own = {address_key(address) for address in mailbox.send_as}
    asked = content.get_all("Reply-To") or content.get_all("From")
    to = [written(*pair) for pair in addresses(asked) if address_key(pair[1]) not in own]
    if not to:
        to = [written(*pair) for pair in addresses(content.get_all("To")) if address_key(pair[1]) not in own]
    made: dict[str, Any] = {"to": to, "subject": prefixed(content.get("Subject"), "Re:"), **answered(message)}
    if everyone:
        taken = own | {address_key(email) for _, email in addresses(to)}
        others = addresses(content.get_all("To", "Cc"))
        made["cc"] = [written(*pair) for pair in others if address_key(pair[1]) not in taken]
    made |= fields
    made["text"] = f"{fields.get('text', '')}{quote(message)}"
    return write(world, mailbox, made, thread_id=message.thread_id, autosaves=autosaves)


def forward(
    world: World, mailbox: Mailbox, message: Message, fields: dict[str, Any], *, autosaves: int = 0
) -> Message:
    """Forward a message; it stays in its thread."""
    content = message.content
    head = [FORWARD_MARK] + [
        f"{name}: {content.get(name)}"
        for name in ("From", "Date", "Subject", "To", "Cc")
        if content.get(name)
    ]
    text = f"{fields.get('text', '')}\n\n" + "\n".join(head) + f"\n\n{content.text()}"
    made: dict[str, Any] = {
        "subject": prefixed(content.get("Subject"), "Fwd:"),
        **answered(message),
        **fields,
    }
    made["text"] = text
    made["html"] = f'<div dir="ltr">{html.escape(text).replace(chr(10), "<br>")}</div>'
    return write(world, mailbox, made, thread_id=message.thread_id, autosaves=autosaves)


def file(mailbox: Mailbox, messages: list[Message], add: Any, remove: Any) -> None:
    """Change labels."""
    mailbox.change_labels(messages, as_list(add), as_list(remove))


def spam(mailbox: Mailbox, messages: list[Message]) -> None:
    """Report as spam."""
    mailbox.change_labels(messages, ["SPAM"], ["INBOX"])


def not_spam(mailbox: Mailbox, messages: list[Message]) -> None:
    """Take out of spam."""
    mailbox.change_labels(messages, ["INBOX"], ["SPAM"])


def restore(mailbox: Mailbox, messages: list[Message]) -> None:
    """Take out of the trash into the inbox."""
    mailbox.change_labels(messages, ["INBOX"], ["TRASH"])


def trash(mailbox: Mailbox, messages: list[Message]) -> None:
    """Move to the trash."""
    arrival.to_trash(mailbox, messages)
