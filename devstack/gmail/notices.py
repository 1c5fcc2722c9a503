"""Delivery notices as Gmail's own daemon writes them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from email.utils import format_datetime

from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox


def limit_notice(mailbox: Mailbox, refused: Content, now: float) -> bytes:
    """ "You have reached a limit for sending mail", in the thread of the mail that was not sent."""
    original = refused.message_id
    text = "You have reached a limit for sending mail. Your message was not sent.\r\n"
    return (
        f"From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: {mailbox.email}\r\n"
        f"Auto-Submitted: auto-replied\r\nSubject: Delivery Status Notification (Failure)\r\n"
        f"Message-ID: <{secrets.token_hex(12)}.GMR@mx.google.com>\r\n"
        f"In-Reply-To: {original}\r\nReferences: {original}\r\n"
        f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n{text}"
    ).encode()
