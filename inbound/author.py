"""Who wrote a mail, as its header says: one reading decides who may file and for whom the proofs must speak."""

from __future__ import annotations

import re

from mail import classify
from mail.addresses import read_addresses
from mail.headers import read_fields
from mail.parse import parse_headers

LARGEST_HEAD = 262_144
"""Bytes. Reading a header costs time on every connection's account; a thousand recipients need a quarter of it."""
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class HeadTooLarge(Exception):
    """The header is longer than LARGEST_HEAD."""


def fields_of(content: bytes) -> list[tuple[str, bytes]]:
    """The header fields of a mail.

    Raises:
        HeadTooLarge: they are not looked at.
    """
    end = _END_OF_HEAD.search(content, 0, LARGEST_HEAD)
    if end is None and len(content) > LARGEST_HEAD:
        raise HeadTooLarge
    head = content[: end.start()] if end is not None else content
    fields, _ = read_fields(head + b"\r\n\r\n")
    return fields


def is_automatic_answer(content: bytes) -> bool:
    """Do its headers say that a machine answered, such as an out-of-office assistant (RFC 3834)?

    Raises:
        HeadTooLarge: it is not looked at.
    """
    fields = [(name, value.decode("latin-1")) for name, value in fields_of(content)]
    return classify.kind(parse_headers(fields)) == "auto_reply"


def author_of(content: bytes) -> str | None:
    """The one address of the one From line; None where there is none, or several of either.

    `mail.parse` is kinder: of `Ann <ann@acme.example>, x@evil.example` it makes Ann the sender.

    Raises:
        HeadTooLarge: it is not looked at.
    """
    lines = [value for name, value in fields_of(content) if name.strip().lower() == "from"]
    if len(lines) != 1:
        return None
    written = [address.email for address in read_addresses(lines[0]) if "@" in address.email]
    return written[0] if len(written) == 1 else None
