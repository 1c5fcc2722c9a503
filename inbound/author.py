"""Who wrote a mail, as its From line says: one reading decides who may file and for whom the proofs must speak."""

from __future__ import annotations

import re

from mail.parse import parse

LARGEST_HEAD = 262_144
"""Bytes. Reading a header costs time on every connection's account; a thousand recipients need a quarter of it."""
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_FROM = re.compile(rb"(?im)^from[ \t]*:")


class HeadTooLarge(Exception):
    """The header is longer than LARGEST_HEAD."""


def author_of(content: bytes) -> str | None:
    """The one address of the one From line; None where there is none, or several of either.

    Raises:
        HeadTooLarge: it is not looked at.
    """
    end = _END_OF_HEAD.search(content, 0, LARGEST_HEAD)
    if end is None and len(content) > LARGEST_HEAD:
        raise HeadTooLarge
    head = content[: end.start()] if end is not None else content
    if len(_FROM.findall(head)) != 1:
        return None
    mail = parse(head + b"\r\n\r\n")
    return mail.from_[0].email if len(mail.from_) == 1 else None
