"""Drafts: how they are saved, by the API and by Gmail's own pages."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from devstack.gmail import ids
from devstack.gmail.content import Content, newline_of, without_headers, written
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.sending import check_thread
from devstack.gmail.threads import find_thread
from devstack.gmail.world import World


def stored_form(world: World, mailbox: Mailbox, raw: bytes) -> Content:
    """The draft's copy with Gmail's own Message-ID, and From and Date where they are missing."""
    content = Content(raw)
    newline = newline_of(raw)
    drop: list[str] = []
    added: list[str] = []
    if not content.get("From"):
        added.append(f"From: {written(mailbox.name, mailbox.email)}")
    if not content.get("Date"):
        added.append(f"Date: {format_datetime(datetime.fromtimestamp(world.clock.now(), UTC))}")
    if world.behaviour.rewrite_message_id or not content.message_id:
        drop.append("Message-ID")
        added.append(f"Message-ID: {ids.rfc_message_id()}")
    body = without_headers(raw, *drop) if drop else raw
    return Content(b"".join(line.encode() + newline for line in added) + body)


def create(world: World, mailbox: Mailbox, raw: bytes, thread_id: str = "") -> tuple[str, Message]:
    """Save a new draft; returns its id and its message."""
    content = stored_form(world, mailbox, raw)
    thread = check_thread(mailbox, thread_id) or find_thread(mailbox, content)
    message = mailbox.add(content, ["DRAFT"], thread_id=thread)
    draft_id = ids.draft_id()
    mailbox.drafts[draft_id] = message.id
    return draft_id, message


def save(world: World, mailbox: Mailbox, draft_id: str, raw: bytes, thread_id: str = "") -> Message:
    """Save an existing draft again: a new message id; another subject leaves the thread."""
    old = mailbox.messages[mailbox.drafts[draft_id]]
    content = stored_form(world, mailbox, raw)
    thread = check_thread(mailbox, thread_id)
    if thread is None:
        thread = (
            old.thread_id if content.subject_key == old.content.subject_key else find_thread(mailbox, content)
        )
    message = mailbox.replace(old.id, content, ["DRAFT"], thread)
    mailbox.drafts[draft_id] = message.id
    return message
