"""Replies and forwards: subject, the ids that thread them, and the quoted original, as Gmail writes them."""

from __future__ import annotations

import html as html_entities
import re
from datetime import UTC, datetime

from mail.message import Address, Mail
from mail.references import answer_references
from mail.sanitise import safe_html

# A longer original is quoted up to here.
MAX_QUOTED_LENGTH = 500_000

_REPLY = re.compile(
    r"\s*(?:re|aw|sv|antw|vs|odp|ynt|回复|答复|回覆|返信)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
_FORWARD = re.compile(r"\s*(?:fwd?|wg|tr|vb|rv|enc|doorst|转发|轉寄)\s*[:：]", re.IGNORECASE)
_QUOTE_STYLE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"


def reply_subject(subject: str) -> str:
    """The subject of an answer; Gmail keeps the thread only while the rest of the subject stays."""
    return subject if _REPLY.match(subject) else f"Re: {subject}".rstrip()


def forward_subject(subject: str) -> str:
    """The subject of a forward."""
    return subject if _FORWARD.match(subject) else f"Fwd: {subject}".rstrip()


def reply_ids(mail: Mail) -> tuple[str | None, tuple[str, ...]]:
    """In-Reply-To and References of an answer to the mail, from the ids that it really carries."""
    return mail.message_id, answer_references(mail.message_id, mail.references, mail.in_reply_to)


def reply_text(mail: Mail, text: str) -> str:
    """The answer's plain text with the original quoted below it."""
    quoted = "\n".join(
        f">{line}" if line.startswith(">") else f"> {line}".rstrip()
        for line in (mail.text or "")[:MAX_QUOTED_LENGTH].rstrip().split("\n")
    )
    return f"{text.rstrip()}\n\n{_wrote(mail)}\n\n{quoted}\n"


def reply_html(mail: Mail, html: str) -> str:
    """The answer's html with the original, sanitised, quoted below it."""
    return (
        f'{html}<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
        f"{html_entities.escape(_wrote(mail))}<br></div>"
        f'<blockquote class="gmail_quote" style="{_QUOTE_STYLE}">{_original_html(mail)}</blockquote></div>'
    )


def forward_text(mail: Mail, text: str) -> str:
    """The forward's plain text: what the user wrote, then the original under Gmail's marker."""
    head = "\n".join(f"{name}: {value}" for name, value in _forwarded_headers(mail))
    body = (mail.text or "")[:MAX_QUOTED_LENGTH]
    return f"{text.rstrip()}\n\n---------- Forwarded message ---------\n{head}\n\n\n{body}"


def forward_html(mail: Mail, html: str) -> str:
    """The forward's html: what the user wrote, then the original, sanitised, under Gmail's marker."""
    head = "<br>".join(f"{name}: {html_entities.escape(value)}" for name, value in _forwarded_headers(mail))
    return (
        f'{html}<br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
        f"---------- Forwarded message ---------<br>{head}<br></div><br><br>{_original_html(mail)}</div>"
    )


def _wrote(mail: Mail) -> str:
    who = _shown(mail.sender) if mail.sender else "the sender"
    return f"On {_moment(mail.date)}, {who} wrote:" if mail.date else f"{who} wrote:"


def _forwarded_headers(mail: Mail) -> list[tuple[str, str]]:
    pairs = [
        ("From", ", ".join(map(_shown, mail.from_[:20]))),
        ("Date", _moment(mail.date) if mail.date else ""),
        ("Subject", mail.subject),
        ("To", ", ".join(map(_shown, mail.to[:100]))),
        ("Cc", ", ".join(map(_shown, mail.cc[:100]))),
    ]
    return [(name, value) for name, value in pairs if value]


def _shown(address: Address) -> str:
    return f"{address.name} <{address.email}>" if address.name else f"<{address.email}>"


def _moment(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment:%a, %b} {moment.day}, {moment.year} at {moment:%H:%M} UTC"


def _original_html(mail: Mail) -> str:
    if mail.html is not None:
        return safe_html(mail.html[:MAX_QUOTED_LENGTH], remote_images=True)
    return html_entities.escape((mail.text or "")[:MAX_QUOTED_LENGTH], quote=False).replace("\n", "<br>")
