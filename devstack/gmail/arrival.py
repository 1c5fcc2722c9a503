"""What arriving mail meets in a mailbox: spam, filters, threads, forwarding."""

from __future__ import annotations

from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.threads import find_thread
from devstack.gmail.world import World


def take_in(
    world: World, mailbox: Mailbox, content: Content, trace: bytes, *, spam: bool, mail_from: str
) -> Message | None:
    """Store an arriving mail with the labels that Gmail gives it."""
    labels = {"SPAM", "UNREAD"} if spam else {"INBOX", "UNREAD", "CATEGORY_PERSONAL"}
    return mailbox.add(content, labels, thread_id=find_thread(mailbox, content), trace=trace)


def to_trash(mailbox: Mailbox, messages: list[Message]) -> None:
    """Move messages to the trash: TRASH comes, INBOX and SPAM go."""
    mailbox.change_labels(messages, ["TRASH"], ["INBOX", "SPAM"])


def erase(mailbox: Mailbox, message_id: str) -> None:
    """Delete a message for ever, and the draft that it may be."""
    mailbox.remove(message_id)
    for draft_id in [d for d, m in mailbox.drafts.items() if m == message_id]:
        del mailbox.drafts[draft_id]
