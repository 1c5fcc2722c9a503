"""Where a mail goes: into local mailboxes, to persons outside, and what arriving mail meets on its way."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import format_datetime

from devstack.gmail import arrival, notices, persons
from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.world import Outgoing, World


def trace_lines(world: World, content: Content, recipient: str, mail_from: str, auth: str) -> bytes:
    """The header lines that Google's servers put before a mail that they take in."""
    if not world.behaviour.trace_headers:
        return b""
    now = format_datetime(datetime.fromtimestamp(world.clock.now(), UTC))
    host = f"2002:a05:{random.getrandbits(16):x}:{random.getrandbits(16):x}:b0"
    domain = mail_from.rpartition("@")[2] or "localhost"
    lines = [
        f"Delivered-To: {recipient}",
        f"Received: by {host} with SMTP id {random.getrandbits(48):012x}; {now}",
        f"Return-Path: <{mail_from}>",
        f"Received: from mail.{domain} (mail.{domain}. [192.0.2.7]) by mx.google.com with ESMTPS; {now}",
        f"Authentication-Results: mx.google.com; spf={auth} smtp.mailfrom={mail_from}; "
        f"dkim={auth} header.i=@{domain}; dmarc={auth} header.from={domain}",
    ]
    newline = "\n" if b"\r\n" not in content.raw[:2000] else "\r\n"
    return "".join(line + newline for line in lines).encode("utf-8", "replace")


def receive(
    world: World,
    mailbox: Mailbox,
    content: Content,
    recipient: str,
    mail_from: str,
    *,
    spam: bool = False,
    auth: str = "pass",
) -> Message | None:
    """Put an arriving mail into a mailbox; None when Gmail suppresses it as a duplicate or a filter deletes it."""
    if world.behaviour.suppress_duplicates and is_duplicate(mailbox, content):
        return None
    trace = trace_lines(world, content, recipient, mail_from, auth)
    return arrival.take_in(world, mailbox, content, trace, spam=spam, mail_from=mail_from)


def is_duplicate(mailbox: Mailbox, content: Content) -> bool:
    """Whether the mailbox already holds this very mail: same Message-ID and subject."""
    known = mailbox.by_rfc_id.get(content.message_id, []) if content.message_id else []
    return any(
        mailbox.messages[message_id].content.subject_key == content.subject_key
        and "DRAFT" not in mailbox.messages[message_id].labels
        for message_id in known
    )


def deliver(
    world: World,
    content: Content,
    recipients: list[str],
    mail_from: str,
    *,
    sending: Mailbox | None = None,
    spam: bool = False,
    auth: str = "pass",
) -> dict[str, Message]:
    """Deliver to every recipient; returns the messages that arose, by the local mailbox's address."""
    arrived: dict[str, Message] = {}
    outside: list[str] = []
    seen: set[str] = set()
    for recipient in recipients:
        mailbox = world.find(recipient)
        if mailbox is None:
            outside.append(recipient)
        elif mailbox is not sending and mailbox.email not in seen:
            seen.add(mailbox.email)
            message = receive(world, mailbox, content, recipient, mail_from, spam=spam, auth=auth)
            if message is not None:
                arrived[mailbox.email] = message
    if outside:
        outgoing = Outgoing(world.clock.now(), mail_from, outside, content.raw)
        world.outbox.append(outgoing)
        persons.take(world, outgoing, sending)
    return arrived


def limit_notice(world: World, mailbox: Mailbox, refused: Content) -> None:
    """Tell the user afterwards that the day's limit stopped a mail."""
    raw = notices.limit_notice(mailbox, refused, world.clock.now())
    receive(world, mailbox, Content(raw), mailbox.email, "")
