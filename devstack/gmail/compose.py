"""Builds mails from fields, as a mail program would write them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any

ADDRESS_FIELDS = (("from", "From"), ("to", "To"), ("cc", "Cc"), ("bcc", "Bcc"), ("reply_to", "Reply-To"))


def as_list(value: Any) -> list[str]:
    """A field that may be one address, a comma list, or several."""
    if value is None or value == "":
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def one_line(value: Any) -> str:
    """Text that can stand in a header field."""
    return " ".join(str(value).splitlines())


def mailbox_header(values: list[str]) -> str | tuple[Address, ...]:
    """Addresses for a header; plain ones are encoded properly, anything odd is kept as written."""
    out = []
    for value in values:
        name, email = parseaddr(value)
        local, at, domain = email.rpartition("@")
        if not at or "," in value or not email.isascii():
            return ", ".join(values)
        try:
            out.append(Address(name, local, domain))
        except (ValueError, IndexError):
            return ", ".join(values)
    return tuple(out)


def build(fields: dict[str, Any], now: float) -> bytes:
    """A mail from `from, to, cc, bcc, reply_to, subject, text, html, message_id, in_reply_to, references, date,
    headers` (pairs or a mapping) and `attachments` (`filename, content_type, content_base64, content_id?`)."""
    mail = EmailMessage(policy=SMTP)
    for key, header in ADDRESS_FIELDS:
        values = [one_line(value) for value in as_list(fields.get(key))]
        if values:
            mail[header] = mailbox_header(values)
    mail["Subject"] = one_line(fields.get("subject", ""))
    mail["Date"] = str(fields.get("date") or format_datetime(datetime.fromtimestamp(now, UTC)))
    sender = parseaddr(as_list(fields.get("from"))[0])[1] if fields.get("from") else ""
    if fields.get("message_id") != "":
        domain = sender.rpartition("@")[2] or "localhost"
        mail["Message-ID"] = str(fields.get("message_id") or make_msgid(domain=domain))
    if fields.get("in_reply_to"):
        mail["In-Reply-To"] = one_line(fields["in_reply_to"])
    references = as_list(fields.get("references"))
    if references:
        mail["References"] = one_line(" ".join(references))
    extra = fields.get("headers") or []
    for name, value in extra.items() if isinstance(extra, dict) else extra:
        mail[str(name)] = one_line(value)
    text, html = fields.get("text"), fields.get("html")
    mail.set_content(str(text if text is not None else "" if html else "Hello."))
    if html:
        if text is None:
            mail.set_content(str(html), subtype="html")
        else:
            mail.add_alternative(str(html), subtype="html")
    for item in fields.get("attachments") or []:
        main, _, sub = str(item.get("content_type") or "application/octet-stream").partition("/")
        content = base64.b64decode(item.get("content_base64", ""))
        options = {"filename": str(item.get("filename", "file")), "cid": item.get("content_id")}
        mail.add_attachment(content, main, sub or "octet-stream", **{k: v for k, v in options.items() if v})
    return mail.as_bytes()
