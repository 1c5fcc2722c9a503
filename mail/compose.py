"""A mail to send, from its values: shown and threaded well by every client, checked before it leaves (S22).

`parse(compose(x))` gives x back. Lines end with CRLF and stay 7 bit. Pure: the date and ids come from the caller.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mail.encode import (
    AddressError,
    ComposeError,
    HeaderInjectionError,
    address_field,
    checked,
    date_field,
    ids_field,
    parameter,
    text_field,
)
from mail.htmltext import text_of
from mail.message import Address
from mail.references import cap

__all__ = ["AddressError", "ComposeError", "HeaderInjectionError", "OutgoingFile", "OversizeError", "compose"]

# The contract's rule for attachments, decoded and together (S22).
MAX_ATTACHMENT_BYTES = 25 * 2**20
# Gmail API: maximum size of a message in users.messages.send and users.drafts.create.
MAX_MAIL_BYTES = 36_700_160
# Only Gmail's own limit: a mail has at most this many recipients in its headers.
MAX_RECIPIENTS = 2_000

# RFC 8058 asks for https; on the machine itself (development) there is none.
_ONE_CLICK = ("https://", "http://127.0.0.1:", "http://localhost:")
_OWN_FIELDS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references"}
    | {"mime-version", "list-unsubscribe", "list-unsubscribe-post"}
)
_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}\Z")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}\Z")


class OversizeError(ComposeError):
    """The mail is larger than what may be sent (S22). `limit` and `size` are bytes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size:,} bytes is over the limit of {limit:,} bytes; nothing was sent")
        self.size = size
        self.limit = limit


class File(Protocol):
    """What compose needs of an attachment: `Attachment` and `OutgoingFile` have it."""

    @property
    def filename(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...
    @property
    def content_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """An attachment to send; one with a Content-ID (without brackets) that the html shows is an inline image."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None


def compose(
    *,
    from_: Address,
    to: Sequence[Address] = (),
    cc: Sequence[Address] = (),
    bcc: Sequence[Address] = (),
    reply_to: Sequence[Address] = (),
    subject: str = "",
    text: str | None = None,
    html: str | None = None,
    attachments: Sequence[File] = (),
    date: datetime | None = None,
    message_id: str | None = None,
    in_reply_to: str | None = None,
    references: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    list_unsubscribe: Sequence[str] = (),
    one_click: bool = False,
) -> bytes:
    """The mail as bytes. Without `text` one is made of the html; without both the body is empty.

    `in_reply_to` and `references` are the real ids with brackets (`mail.answer` finds them). `headers` are
    further fields, such as an opaque X- stamp. `list_unsubscribe` are URLs (https:, mailto:); `one_click`
    adds the field of RFC 8058.
    Bcc stays in the headers: Gmail delivers by it and takes it out.

    Raises `OversizeError` (S22), `HeaderInjectionError` (a line break in a value), `AddressError` and their
    base `ComposeError`.
    """
    check_sizes(attachments)
    if len(to) + len(cc) + len(bcc) > MAX_RECIPIENTS:
        raise ComposeError(f"more than {MAX_RECIPIENTS} recipients")
    head = [address_field("From", (from_,))]
    head.extend(
        address_field(name, addresses)
        for name, addresses in (("To", to), ("Cc", cc), ("Bcc", bcc), ("Reply-To", reply_to))
        if addresses
    )
    head.append(text_field("Subject", subject))
    if date is not None:
        head.append(date_field(date))
    head.extend(
        ids_field(name, ids)
        for name, ids in (
            ("Message-ID", (message_id,) if message_id else ()),
            ("In-Reply-To", (in_reply_to,) if in_reply_to else ()),
            ("References", cap(tuple(references))),
        )
    )
    for name, value in headers:
        if name.lower() in _OWN_FIELDS or name.lower().startswith("content-"):
            raise ComposeError(f"{name} is written by compose itself")
        head.append(text_field(name, value))
    head.extend(_unsubscribe(list_unsubscribe, one_click))
    head.append("MIME-Version: 1.0\r\n")
    mail = "".join(head).encode("ascii") + _body(text, html, attachments)
    if len(mail) > MAX_MAIL_BYTES:
        raise OversizeError("the encoded mail", len(mail), MAX_MAIL_BYTES)
    return mail


def check_sizes(attachments: Sequence[File]) -> None:
    """Raises `OversizeError` where the attachments are larger than a mail may carry (S22)."""
    total = sum(len(attachment.content) for attachment in attachments)
    if total > MAX_ATTACHMENT_BYTES:
        raise OversizeError("attachments", total, MAX_ATTACHMENT_BYTES)


def _unsubscribe(urls: Sequence[str], one_click: bool) -> list[str]:
    if not urls:
        return []
    for url in urls:
        if not checked("List-Unsubscribe", url).isascii() or set(url) & set("<> ,"):
            raise ComposeError("an unsubscribe address must be an encoded URL")
    fields = ["List-Unsubscribe: " + ",\r\n ".join(f"<{url}>" for url in urls) + "\r\n"]
    if one_click:
        if not any(url.startswith(_ONE_CLICK) for url in urls):
            raise ComposeError("one-click unsubscribe needs an https URL")
        fields.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    return fields


def _body(text: str | None, html: str | None, attachments: Sequence[File]) -> bytes:
    """The MIME entity: mixed(alternative(text, related(html, inline)), attachments), only what is needed."""
    inline = [file for file in attachments if html is not None and _is_shown(file, html)]
    others = [file for file in attachments if file not in inline]
    if text is None:
        text = text_of(html) if html is not None else ""
    entity = _text_entity("plain", text)
    if html is not None:
        shown = _text_entity("html", html)
        if inline:
            shown = _multipart("related", [shown, *(_file_entity(file, "inline") for file in inline)])
        entity = _multipart("alternative", [entity, shown])
    if others:
        entity = _multipart("mixed", [entity, *(_file_entity(file, "attachment") for file in others)])
    return entity


def _is_shown(file: File, html: str) -> bool:
    return bool(file.content_id) and f"cid:{file.content_id}" in html


def _multipart(kind: str, entities: list[bytes]) -> bytes:
    digest = hashlib.sha256()
    for entity in entities:
        digest.update(entity[:4096] + str(len(entity)).encode())
    boundary = f"=_{digest.hexdigest()[:32]}"
    while any(boundary.encode() in entity for entity in entities):
        boundary = f"=_{hashlib.sha256(boundary.encode()).hexdigest()[:32]}"
    mark = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(mark + b"\r\n" + entity + b"\r\n" for entity in entities) + mark + b"--\r\n"


def _text_entity(kind: str, text: str) -> bytes:
    lines = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    data = lines.encode("utf-8", "replace")
    if data.isascii() and _fits_lines(data):
        return (
            f"Content-Type: text/{kind}; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n".encode()
            + (data.replace(b"\n", b"\r\n"))
        )
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if sum(map(data.count, b"etaoinsr ")) * 6 > len(data):
        encoded = binascii.b2a_qp(data, istext=True).replace(b"\n", b"\r\n")
        return f"{head}quoted-printable\r\n\r\n".encode() + encoded
    return f"{head}base64\r\n\r\n".encode() + _base64(data)


def _fits_lines(data: bytes) -> bool:
    """Whether text may go as 7 bit: no long lines, and nothing that relays are known to change."""
    return (
        all(len(line) <= 900 for line in data.split(b"\n"))
        and b"\nFrom " not in b"\n" + data
        and b" \n" not in data + b"\n"
        and not any(byte in data for byte in (b"\x1b", b"\x0b", b"\x0c", b"\x7f"))
    )


def _file_entity(file: File, disposition: str) -> bytes:
    content_type = checked("content type", file.content_type).strip().lower()
    if _CONTENT_TYPE.match(content_type) is None or content_type.startswith(("multipart/", "message/")):
        content_type = "application/octet-stream"
    filename = checked("file name", file.filename)
    head = f"Content-Type: {content_type}{parameter('name', filename) if filename else ''}\r\n"
    head += f"Content-Disposition: {disposition}{parameter('filename', filename) if filename else ''}\r\n"
    if file.content_id:
        if _CONTENT_ID.match(file.content_id) is None:
            raise ComposeError("a Content-ID holds characters that it cannot have")
        head += f"Content-ID: <{file.content_id}>\r\n"
    head += "Content-Transfer-Encoding: base64\r\n\r\n"
    return head.encode("ascii") + _base64(file.content)


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
