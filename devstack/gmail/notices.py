"""Delivery notices as Gmail's own daemon and other mail servers write them, and vacation replies."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from devstack.gmail.content import Content, addresses, written
from devstack.gmail.mailbox import Mailbox

DAEMON = "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"
ICON = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
RETRY_HOURS = 47
TRUNCATE_AT = 30_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail did not reach somebody: an enhanced status such as 5.1.1, and what the other server said.

    Without `report` the notice's delivery-status part is empty, as Google sometimes sends it.
    """

    recipient: str
    status: str
    said: str
    delayed: bool = False
    report: bool = True

    @property
    def heading(self) -> str:
        """The line that Gmail shows in large letters."""
        if self.delayed:
            return "Delivery incomplete"
        return "Address not found" if self.status.startswith("5.1.") else "Message not delivered"

    @property
    def sentence(self) -> str:
        """What Gmail tells the user."""
        if self.delayed:
            return (
                f"There was a temporary problem delivering your message to {self.recipient}. "
                f"Gmail will retry for {RETRY_HOURS} more hours. You'll be notified if it fails permanently."
            )
        if self.status.startswith("5.1."):
            return (
                f"Your message wasn't delivered to {self.recipient} because the address couldn't be found, "
                "or is unable to receive mail."
            )
        return f"There was a problem delivering your message to {self.recipient}."


def stamp(now: float) -> str:
    """An RFC 5322 date in UTC."""
    return format_datetime(datetime.fromtimestamp(now, UTC))


def google_report(mailbox: Mailbox, original: Content, failure: Failure, now: float) -> bytes:
    """Gmail's failure or delay notice: multipart/report in the thread of the mail that it is about."""
    outer, related, alternative = (secrets.token_hex(14) for _ in range(3))
    kind = "Delay" if failure.delayed else "Failure"
    text = f"\r\n** {failure.heading} **\r\n\r\n{failure.sentence}\r\n\r\n"
    if failure.said:
        text += f"The response was:\r\n{failure.said}\r\n"
    markup = f"<html><body><h2>{failure.heading}</h2><p>{html.escape(failure.sentence)}</p></body></html>"
    failed = "" if failure.delayed else f"X-Failed-Recipients: {failure.recipient}\r\n"
    status = [
        "Reporting-MTA: dns; googlemail.com",
        f"Arrival-Date: {stamp(now)}",
        f"X-Original-Message-ID: {original.message_id}",
        "",
        f"Final-Recipient: rfc822; {failure.recipient}",
        f"Action: {'delayed' if failure.delayed else 'failed'}",
        f"Status: {failure.status}",
        f"Diagnostic-Code: smtp; {failure.said or failure.status}",
        f"Last-Attempt-Date: {stamp(now)}",
    ]
    if failure.delayed:
        status.append(f"Will-Retry-Until: {stamp(now + RETRY_HOURS * 3600)}")
    returned = original.raw
    if len(returned) > TRUNCATE_AT:
        returned = returned[:TRUNCATE_AT] + b"\r\n----- Message truncated -----\r\n"
    head = (
        f"From: {DAEMON}\r\nTo: {mailbox.email}\r\nAuto-Submitted: auto-replied\r\n"
        f"Subject: Delivery Status Notification ({kind})\r\n{failed}"
        f"In-Reply-To: {original.message_id}\r\nReferences: {original.message_id}\r\n"
        f"Message-ID: <{secrets.token_hex(12)}.GMR@mx.google.com>\r\nDate: {stamp(now)}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; boundary="{outer}"; report-type=delivery-status\r\n\r\n'
        f'--{outer}\r\nContent-Type: multipart/related; boundary="{related}"\r\n\r\n'
        f'--{related}\r\nContent-Type: multipart/alternative; boundary="{alternative}"\r\n\r\n'
        f'--{alternative}\r\nContent-Type: text/plain; charset="UTF-8"\r\n\r\n{text}\r\n'
        f'--{alternative}\r\nContent-Type: text/html; charset="UTF-8"\r\n\r\n{markup}\r\n--{alternative}--\r\n'
        f'--{related}\r\nContent-Type: image/png; name="icon.png"\r\n'
        f'Content-Disposition: attachment; filename="icon.png"\r\nContent-Transfer-Encoding: base64\r\n'
        f"Content-ID: <icon.png>\r\n\r\n{ICON}\r\n--{related}--\r\n"
        f"--{outer}\r\nContent-Type: message/delivery-status\r\n\r\n"
        + ("\r\n".join(status) if failure.report else "")
        + "\r\n"
        f"\r\n--{outer}\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + returned + f"\r\n--{outer}--\r\n".encode()


def limit_notice(mailbox: Mailbox, refused: Content, now: float) -> bytes:
    """ "You have reached a limit for sending mail", in the thread of the mail that was not sent."""
    recipients = ", ".join(email for _, email in addresses(refused.get_all("To", "Cc", "Bcc")))
    return (
        f"From: {DAEMON}\r\nTo: {mailbox.email}\r\nAuto-Submitted: auto-replied\r\n"
        f"Subject: Delivery Status Notification (Failure)\r\nX-Failed-Recipients: {recipients}\r\n"
        f"Message-ID: <{secrets.token_hex(12)}.GMRIR@mx.google.com>\r\n"
        f"In-Reply-To: {refused.message_id}\r\nReferences: {refused.message_id}\r\nDate: {stamp(now)}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
        "You have reached a limit for sending mail. Your message was not sent.\r\n"
    ).encode()


def remote_bounce(recipient: str, sender: str, original: Content, failure: Failure, now: float) -> bytes:
    """A failure notice as a Postfix server at the recipient's domain writes it."""
    boundary = secrets.token_hex(12)
    host = f"mail.{recipient.rpartition('@')[2]}"
    returned = original.head()
    head = (
        f"Return-Path: <>\r\nFrom: MAILER-DAEMON@{host} (Mail Delivery System)\r\nTo: {sender}\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nDate: {stamp(now)}\r\n"
        f"Message-Id: <{secrets.token_hex(8)}@{host}>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n\r\n'
        f"--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        f"This is the mail system at host {host}.\r\n\r\nI'm sorry to have to inform you that your message\r\n"
        f"could not be delivered to one or more recipients.\r\n\r\n<{recipient}>: {failure.said}\r\n\r\n"
        f"--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {host}\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {failure.status}\r\n"
        f"Diagnostic-Code: smtp; {failure.said}\r\n\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    )
    return head.encode() + returned + f"\r\n\r\n--{boundary}--\r\n".encode()


def holiday_reply(name: str, email: str, original: Content, text: str, now: float) -> bytes:
    """An automatic answer as Exchange writes it: null sender, Auto-Submitted, X-Auto-Response-Suppress."""
    to = (original.get_all("Reply-To") or original.get_all("From") or [""])[0]
    return (
        f"From: {written(name, email)}\r\nTo: {to}\r\nSubject: Automatic reply: {original.get('Subject')}\r\n"
        f"Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\nPrecedence: bulk\r\n"
        f"In-Reply-To: {original.message_id}\r\nReferences: {original.message_id}\r\n"
        f"Message-ID: <{secrets.token_hex(10)}@{email.rpartition('@')[2]}>\r\nDate: {stamp(now)}\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    ).encode()


def is_automatic(content: Content, mail_from: str) -> bool:
    """Whether a mail must not be answered by a machine."""
    submitted = content.get("Auto-Submitted").lower()
    lists = content.get("List-Id") or content.get("Precedence").lower() in ("bulk", "list", "junk")
    return not mail_from or (submitted not in ("", "no")) or bool(lists)
