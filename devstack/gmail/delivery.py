"""Where a mail goes: into local mailboxes, on to persons outside, and on from there by forwarding and vacation."""

from __future__ import annotations

import random
from typing import Any

from devstack.gmail import arrival, notices
from devstack.gmail.compose import build
from devstack.gmail.content import Content, written
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.threads import find_thread
from devstack.gmail.world import Outgoing, World, address_key

MAX_HOPS = 10
VACATION_S = 4 * 86_400


def trace_lines(world: World, content: Content, recipient: str, mail_from: str, auth: str) -> bytes:
    """The header lines that Google's servers put before a mail that they take in."""
    if not world.behaviour.trace_headers:
        return b""
    now = notices.stamp(world.clock.now())
    host = f"2002:a05:{random.getrandbits(16):x}:{random.getrandbits(16):x}:b0"
    domain = mail_from.rpartition("@")[2] or "mx.google.com"
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
    """Put an arriving mail into a mailbox; None when Gmail suppresses it as a duplicate."""
    if world.behaviour.suppress_duplicates and is_duplicate(mailbox, content):
        return None
    trace = trace_lines(world, content, recipient, mail_from, auth)
    placed = arrival.sort(mailbox, content, trace, spam=spam)
    message = mailbox.add(content, placed.labels, thread_id=find_thread(mailbox, content), trace=trace)
    for target in placed.forward_to:
        forward(world, mailbox, content, recipient, target)
    if mailbox.rules.vacation.get("enableAutoReply") and not spam:
        answer_vacation(world, mailbox, content, mail_from)
    return message


def is_duplicate(mailbox: Mailbox, content: Content) -> bool:
    """Whether the mailbox already holds this very mail: same Message-ID and subject."""
    known = mailbox.by_rfc_id.get(content.message_id, []) if content.message_id else []
    return any(
        mailbox.messages[message_id].content.subject_key == content.subject_key
        and "DRAFT" not in mailbox.messages[message_id].labels
        for message_id in known
    )


def forward(world: World, mailbox: Mailbox, content: Content, recipient: str, target: str) -> None:
    """Auto-forwarding: the mail as it is, with X-Forwarded-To and -For, under a caf_ envelope."""
    hops = content.get_all("X-Forwarded-For")
    if len(hops) >= MAX_HOPS or any(mailbox.email in hop for hop in hops):
        return
    newline = b"\r\n" if b"\r\n" in content.raw[:2000] else b"\n"
    added = f"X-Forwarded-To: {target}".encode() + newline
    added += f"X-Forwarded-For: {recipient} {target}".encode() + newline
    added += f"Delivered-To: {recipient}".encode() + newline
    local, _, domain = mailbox.email.partition("@")
    envelope = f"{local}+caf_={target.replace('@', '=')}@{domain}"
    deliver(world, Content(added + content.raw), [target], envelope)


def answer_vacation(world: World, mailbox: Mailbox, content: Content, mail_from: str) -> None:
    """Gmail's vacation responder: at most one answer to a sender in four days, none to machines."""
    if notices.is_automatic(content, mail_from):
        return
    answered: dict[tuple[str, str], float] = world.extensions.setdefault("vacation_answers", {})
    key = (mailbox.email, address_key(mail_from))
    now = world.clock.now()
    if now - answered.get(key, -VACATION_S) < VACATION_S:
        return
    answered[key] = now
    rules = mailbox.rules.vacation
    fields: dict[str, Any] = {
        "from": written(mailbox.name, mailbox.email),
        "to": mail_from,
        "subject": str(rules.get("responseSubject") or f"Re: {content.get('Subject')}"),
        "text": str(rules.get("responseBodyPlainText") or ""),
        "in_reply_to": content.message_id,
        "references": content.message_id,
        "headers": {"Auto-Submitted": "auto-replied", "Precedence": "bulk", "X-Autoreply": "yes"},
    }
    deliver(world, Content(build(fields, now)), [mail_from], "")


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
        for carrier in world.carriers:
            carrier(outgoing, sending)
    return arrived


def report(world: World, mailbox: Mailbox, original: Content, failure: notices.Failure) -> None:
    """Tell a user that a mail did not arrive, or not yet."""
    raw = notices.google_report(mailbox, original, failure, world.clock.now())
    receive(world, mailbox, Content(raw), mailbox.email, "")


def limit_notice(world: World, mailbox: Mailbox, refused: Content) -> None:
    """Tell the user afterwards that the day's limit stopped a mail."""
    raw = notices.limit_notice(mailbox, refused, world.clock.now())
    receive(world, mailbox, Content(raw), mailbox.email, "")
