"""What Gmail does with a mail that its user sends: checks, rewriting, the SENT copy, delivery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr

from devstack.gmail import delivery, ids, limits
from devstack.gmail.content import Content, addresses, newline_of, without_headers, written
from devstack.gmail.errors import ApiError, invalid, not_found
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.threads import find_thread
from devstack.gmail.world import World, address_key

ADDRESS = re.compile(r"^[^\s@<>,;:\"]+@[^\s@<>,;:\"]+$|^\"[^\"\r\n]+\"@[^\s@]+$")
THREAD_ID = re.compile(r"^[0-9a-f]{1,16}$")
MAX_RECIPIENTS = 500


@dataclass(frozen=True, slots=True)
class Outbound:
    """A mail ready to leave: the sender's copy (with Bcc), what others get, and to whom it goes."""

    kept: Content
    leaving: Content
    recipients: list[str]
    sender: str


def check_recipients(content: Content) -> list[str]:
    """All addresses of To, Cc and Bcc, or 400 as Gmail words it."""
    found: list[str] = []
    for header in ("To", "Cc", "Bcc"):
        values = content.get_all(header)
        listed = addresses(values)
        written = " ".join(values).strip()
        if (written and not listed and ":" not in written) or any(
            not ADDRESS.match(email) for _, email in listed
        ):
            raise invalid(f"Invalid {header} header")
        found += [email for _, email in listed]
    unique = list({address.lower(): address for address in found}.values())
    if not unique:
        raise invalid("Recipient address required")
    if len(unique) > MAX_RECIPIENTS:
        raise invalid("Too many recipients")
    return unique


def allowed_from(world: World, mailbox: Mailbox, email: str) -> bool:
    """Whether the account may write as that address."""
    known = mailbox.send_as.get(email.lower())
    if known is not None:
        return known.verified
    return address_key(email) == address_key(mailbox.email) and world.find(email) is mailbox


def prepare(world: World, mailbox: Mailbox, raw: bytes, *, via: str) -> Outbound:
    """Rewrite the mail as Gmail does; `via` is `api` or `ui`."""
    content = Content(raw)
    recipients = check_recipients(content)
    newline = newline_of(raw)
    drop: list[str] = []
    added: list[bytes] = []
    now = format_datetime(datetime.fromtimestamp(world.clock.now(), UTC))
    if via == "api":
        number = next((c.number for c in world.settings.clients.values()), "1")
        trace = f"Received: from {number} named unknown by gmailapi.google.com with HTTPREST; {now}"
        added.append(trace.encode())
    name, sender = parseaddr(content.get("From"))
    if not sender or (world.behaviour.rewrite_from and not allowed_from(world, mailbox, sender)):
        primary = next((s for s in mailbox.send_as.values() if s.default), None)
        sender = mailbox.email if primary is None or not primary.verified else primary.email
        drop += ["From", "Sender"]
        header = written(name or mailbox.name, sender)
        added.append(b"From: " + header.encode("ascii", "replace"))
    if not content.get("Date"):
        added.append(f"Date: {now}".encode())
    if world.behaviour.rewrite_message_id or not content.message_id:
        drop.append("Message-ID")
        added.append(f"Message-ID: {ids.rfc_message_id()}".encode())
    body = without_headers(raw, *drop) if drop else raw
    kept = b"".join(line + newline for line in added) + body
    kept_content = Content(kept)
    leaving = Content(without_headers(kept, "Bcc")) if content.get_all("Bcc") else kept_content
    return Outbound(kept_content, leaving, recipients, sender)


def check_thread(mailbox: Mailbox, thread_id: str) -> str | None:
    """The thread that the caller names, or None; 400 when malformed, 404 when it is not in this mailbox."""
    if not thread_id:
        return None
    if not THREAD_ID.match(thread_id):
        raise invalid("Invalid thread_id value")
    if thread_id not in mailbox.threads:
        raise not_found()
    return thread_id


def same_subject(mailbox: Mailbox, thread_id: str, content: Content) -> bool:
    """Whether a mail's subject is the thread's."""
    return any(message.content.subject_key == content.subject_key for message in mailbox.thread(thread_id))


def send(
    world: World,
    mailbox: Mailbox,
    raw: bytes,
    *,
    thread_id: str = "",
    via: str = "api",
    draft: Message | None = None,
) -> Message:
    """Send a mail as the mailbox's user; a `draft` message becomes (or is replaced by) the sent one."""
    if not raw.strip():
        raise ApiError(
            400,
            "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
            "invalidArgument",
        )
    behaviour = world.behaviour
    outbound = prepare(world, mailbox, raw, via=via)
    thread = check_thread(mailbox, thread_id)
    if thread is None and draft is None:
        thread = find_thread(mailbox, outbound.kept)
    if draft is not None:
        thread = draft.thread_id
    elif (
        thread is not None
        and behaviour.strict_thread_subject
        and not same_subject(mailbox, thread, outbound.kept)
    ):
        thread = None
    refused_late = limits.charge_send(world, mailbox, len(outbound.recipients))
    labels = {"SENT"}
    if any(world.find(address) is mailbox for address in outbound.recipients):
        labels |= {"INBOX", "UNREAD"}
    behaviour = world.behaviour
    if draft is not None and (
        behaviour.ui_draft_send_keeps_id if via == "ui" else behaviour.draft_send_keeps_id
    ):
        message = draft
        mailbox.swap_content(draft, outbound.kept)
        mailbox.change_labels([draft], labels, ["DRAFT"])
    elif draft is not None:
        message = mailbox.replace(draft.id, outbound.kept, labels, thread)
    else:
        message = mailbox.add(outbound.kept, labels, thread_id=thread)
    mailbox.sent_at.append((world.clock.now(), len(outbound.recipients)))
    if refused_late:
        delivery.limit_notice(world, mailbox, outbound.kept)
    else:
        delivery.deliver(world, outbound.leaving, outbound.recipients, outbound.sender, sending=mailbox)
    return message
