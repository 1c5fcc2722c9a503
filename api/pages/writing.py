"""What people type into a form that sends mail, as a mail."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses
from html import escape
from typing import Annotated

from fastapi import Depends, File, Form, UploadFile
from pydantic import ValidationError

from api.context import Context
from api.problems import Problem
from api.routes.messages import NewMessage

UNDO_S = 10.0
"""Seconds in which a person can take back what they just sent; the setting of the same name may ask for more."""
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")


@dataclass(frozen=True, slots=True)
class Written:
    """The fields that each form for a mail has, as they were typed."""

    to: str
    cc: str
    bcc: str
    subject: str
    text: str
    files: Sequence[UploadFile]


def _written(
    to: Annotated[str, Form(max_length=20_000)],
    text: Annotated[str, Form(max_length=1_000_000)],
    subject: Annotated[str, Form(max_length=1000)] = "",
    cc: Annotated[str, Form(max_length=20_000)] = "",
    bcc: Annotated[str, Form(max_length=20_000)] = "",
    files: Annotated[list[UploadFile] | None, File()] = None,
) -> Written:
    return Written(to=to, cc=cc, bcc=bcc, subject=subject, text=text, files=files or ())


WrittenForm = Annotated[Written, Depends(_written)]


def new_message(
    user_id: str,
    written: Written,
    *,
    send_at: datetime,
    html: str | None = None,
    reply_to_message_id: str | None = None,
) -> NewMessage:
    """The mail that a form describes.

    Raises:
        Problem: 422, in words for the person who wrote it.
    """
    if not written.text.strip():
        raise Problem(422, "invalid-request", "Write something first; the mail is empty.")
    attachments = [
        {
            "filename": file.filename,
            "content_type": file.content_type or "application/octet-stream",
            "content_base64": base64.b64encode(file.file.read()).decode(),
        }
        for file in written.files
        if file.filename
    ]
    fields = {
        "user_id": user_id,
        "to": addresses_in(written.to),
        "cc": addresses_in(written.cc),
        "bcc": addresses_in(written.bcc),
        "subject": written.subject,
        "text": written.text,
        "html": html,
        "reply_to_message_id": reply_to_message_id,
        "send_at": send_at,
        "attachments": attachments,
    }
    try:
        return NewMessage.model_validate(fields)
    except ValidationError as error:
        raise Problem(422, "invalid-request", _told(error, fields)) from None


def _told(error: ValidationError, fields: Mapping[str, object]) -> str:
    first = error.errors()[0]
    place = first["loc"]
    written = fields.get(str(place[0]))
    if place[0] in ("to", "cc", "bcc") and isinstance(written, list) and len(place) > 1:
        return f"“{written[int(place[1])]['email']}” is not an e-mail address such as ann@example.com."
    if place[0] == "to":
        return "Say to whom the mail goes."
    return f"{str(place[0]).capitalize()}: {str(first['msg']).removeprefix('Value error, ')}."


def addresses_in(text: str) -> list[dict[str, str]]:
    """Addresses as people write them: `Ann Archer <ann@example.com>; bob@example.com`, also on several lines."""
    found = getaddresses([re.sub(r"[;\r\n]+", ",", text)])
    people = [{"name": name, "email": email} for name, email in found if name or email]
    # Newer Pythons give nothing for what they doubt: it is to be complained about, not left out.
    unread = "" if people else text.strip(" ,;\r\n\t")
    return [{"name": "", "email": unread}] if unread else people


def leaves_at(context: Context, chosen: datetime | None) -> datetime:
    """When a mail from a page leaves: at the chosen moment, and never before it can be taken back."""
    soonest = datetime.now(UTC) + timedelta(seconds=max(UNDO_S, context.settings.undo_window_s))
    return max(chosen, soonest) if chosen else soonest


def html_of(text: str) -> str:
    """Plain text as html: line for line, with links that can be clicked (and counted)."""
    out, at = [], 0
    for link in _LINK.finditer(text):
        address = escape(link.group())
        out += [escape(text[at : link.start()]), f'<a href="{address}">{address}</a>']
        at = link.end()
    out.append(escape(text[at:]))
    return "<div>" + "".join(out).replace("\r\n", "\n").replace("\n", "<br>\n") + "</div>"
