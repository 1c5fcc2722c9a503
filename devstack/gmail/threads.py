"""Which thread a message joins in a mailbox."""

from __future__ import annotations

from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox


def is_notice(content: Content) -> bool:
    """Whether the mail is a delivery notice, which threads by its references alone."""
    return "mailer-daemon@" in content.get("From").lower()


def find_thread(mailbox: Mailbox, content: Content) -> str | None:
    """The thread that References or In-Reply-To point at, when the subject is the same; None starts a new one.

    Gmail API: "Managing threads". A full thread (100 messages) takes no more.
    """
    exempt: bool | None = None
    for reference in reversed(content.references):
        for message_id in reversed(mailbox.by_rfc_id.get(reference, [])):
            known = mailbox.messages[message_id]
            if len(mailbox.threads[known.thread_id]) >= mailbox.thread_limit:
                continue
            if known.content.subject_key == content.subject_key:
                return known.thread_id
            if exempt is None:
                exempt = is_notice(content)
            if exempt:
                return known.thread_id
    return None
