"""A large mail from its parts (Gmail API: format=full), without the attachments that are too large to keep."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from crm.attachments import fitting
from gmail.errors import NotFound
from gmail.mailbox import Mailbox
from gmail.values import Part

BOUNDARY = "part-{}-of-a-rebuilt-mail"
_ENCODING = "content-transfer-encoding"
_TYPE = "content-type"


def without_large_parts(mailbox: Mailbox, message_id: str) -> tuple[bytes, dict[str, Part]]:
    """The mail as bytes, and by part id the attachments that were left out since they are too many bytes together.

    Raises:
        GoogleError: Gmail does not give the mail.
    """
    payload = mailbox.full(message_id).payload
    leaves = [part for part in payload.walk() if not part.parts]
    fits = fitting([part.size if part.attachment_id else 0 for part in leaves])
    contents: dict[str, bytes] = {}
    left: dict[str, Part] = {}
    for part, kept in zip(leaves, fits, strict=True):
        if part.data is not None or part.attachment_id is None:
            contents[part.part_id] = part.data or b""
        elif kept:
            contents[part.part_id] = _content(mailbox, message_id, part)
        else:
            left[part.part_id], contents[part.part_id] = part, b""
    return b"\r\n".join(_lines(payload, contents)), left


def _content(mailbox: Mailbox, message_id: str, part: Part) -> bytes:
    """The id of an attachment is another one at each get, and may no longer be good."""
    assert part.attachment_id is not None
    try:
        return mailbox.attachment(message_id, part.attachment_id)
    except NotFound:
        return mailbox.part_content(message_id, part.part_id)


def _lines(part: Part, contents: dict[str, bytes]) -> Iterator[bytes]:
    boundary = BOUNDARY.format(part.part_id.replace(".", "-") or "0")
    for name, value in part.headers:
        if name.lower() == _ENCODING or (name.lower() == _TYPE and part.parts):
            continue
        yield _header(name, value)
    if part.parts and not part.mime_type.startswith("message/"):
        yield _header("Content-Type", f'{part.mime_type}; boundary="{boundary}"')
        yield b""
        for child in part.parts:
            yield b"--" + boundary.encode()
            yield from _lines(child, contents)
        yield b"--" + boundary.encode() + b"--"
        yield b""
    elif part.parts:
        yield _header("Content-Type", part.mime_type)
        yield b""
        for child in part.parts:
            yield from _lines(child, contents)
    else:
        yield _header("Content-Transfer-Encoding", "base64")
        yield b""
        yield base64.encodebytes(contents[part.part_id]).replace(b"\n", b"\r\n")


def _header(name: str, value: str) -> bytes:
    text = " ".join(value.split("\r\n")).replace("\n", " ")
    return f"{name}: {text}".encode("utf-8", "surrogateescape")
