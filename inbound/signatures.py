"""DKIM signatures (RFC 6376) through dkimpy, with bounds.

Keys, fields and texts are a stranger's, and some of dkimpy's patterns take quadratic time, in which nobody else is
served. Measured with dkimpy 1.1.8: 35 MB of empty lines take 28 s and 800 MB, 4 kB of folds in `b=` 2 s, and blanks
or keys without end as long as they please.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import dkim

LARGEST_FIELD = 8192
"""Bytes of a DKIM-Signature; real ones have under 2,000."""
LONGEST_BLANK = 64
"""Blanks in a row in one; a fold has two to ten."""
MOST_FIELDS = 10
MOST_SIGNED_NAMES = 200
LARGEST_KEY = 1500
"""Characters of a key's record; RSA with 4,096 bits has 750."""
ONCE = (b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id")
"""Fields that a mail has once (RFC 5322, 3.6): one more, added above the signed one, is signed by nobody."""
BROKEN = (dkim.DKIMException, ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What dkimpy raises at broken mails, signatures and keys."""
Key = Callable[..., bytes | None]

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LONG_BLANK = re.compile(rb"\s{%d}" % (LONGEST_BLANK + 1))
_BARE_LF = re.compile(rb"(?<!\r)\n")
_PIECE = 2**20


def split(content: bytes) -> tuple[bytes, bytes]:
    """Header and body, without the empty line between them."""
    end = _END_OF_HEAD.search(content)
    return (content[: end.start()], content[end.end() :]) if end is not None else (content, b"")


def headers_of(head: bytes) -> Any:
    """dkimpy's reading of a header; what is no plausible signature is left out.

    Raises:
        BROKEN: it is no header.
    """
    mail = dkim.DKIM(head + b"\r\n\r\n")
    mail.headers = [
        (name, value) for name, value in mail.headers if not _is_signature(name) or _is_plausible(value)
    ]
    return mail


def signers(mail: Any) -> list[tuple[int, str]]:
    """The signatures that can be read: their place and their domain."""
    found: list[tuple[int, str]] = []
    for index in range(min(sum(_is_signature(name) for name, _ in mail.headers), MOST_FIELDS)):
        try:
            mail.verify_headerprep(index)
            found.append((index, mail.domain.decode("ascii").lower()))
        except BROKEN:
            continue
    return found


def verify(mail: Any, index: int, body: bytes, key: Key) -> str:
    """`pass`, `fail`, or `policy`: a signature that covers too little to prove anything.

    Args:
        key: looks up the record of a name, given as bytes; may raise what it likes.
    """
    try:
        fields, signed, lines = mail.verify_headerprep(index)
        if fields[b"a"] == b"rsa-sha1" or b"l" in fields:
            return "policy"  # RFC 8301; a length leaves room for a stranger's text
        if (
            b"from" not in signed
            or len(signed) > MOST_SIGNED_NAMES
            or _has_unsigned_copies(mail.headers, signed)
        ):
            return "policy"
        record = key(fields[b"s"] + b"._domainkey." + fields[b"d"] + b".")
        if record is None or len(record) > LARGEST_KEY:
            return "fail"
        if _body_hash(body, fields) != base64.b64decode(b"".join(fields[b"bh"].split())):
            return "fail"
        # Without `bh` dkimpy looks at the header alone: it would put the whole body through its patterns again.
        without_body = {name: value for name, value in fields.items() if name != b"bh"}
        passed = mail.verify_sig(without_body, signed, lines[index], lambda *_, **__: record)
    except BROKEN:
        return "fail"
    return "pass" if passed else "fail"


def _is_signature(name: bytes) -> bool:
    return bool(name.lower() == b"dkim-signature")


def _is_plausible(value: bytes) -> bool:
    return len(value) <= LARGEST_FIELD and _LONG_BLANK.search(value) is None


def _has_unsigned_copies(headers: list[tuple[bytes, bytes]], signed: list[bytes]) -> bool:
    names = [name.lower() for name, _ in headers]
    return any(name in signed and names.count(name) > signed.count(name) for name in ONCE)


def _body_hash(body: bytes, fields: dict[bytes, bytes]) -> bytes:
    canonical = _canonical(body, fields.get(b"c", b""))
    hashed = dkim.HASH_ALGORITHMS[fields[b"a"]]()
    for at in range(0, len(canonical), _PIECE):
        hashed.update(canonical[at : at + _PIECE])
    return bytes(hashed.digest())


def _canonical(body: bytes, algorithms: bytes) -> bytes:
    """The body as it is signed (RFC 6376, 3.4.3 and 3.4.4), in linear time."""
    relaxed = algorithms.strip().lower().endswith(b"/relaxed")
    body = b"".join(_canonical_lines(piece, relaxed) for piece in _pieces(body))
    if body and not body.endswith(b"\r\n"):
        return body + b"\r\n"
    text = body.rstrip(b"\r\n")
    after_bare_returns = body.rfind(b"\r\r", len(text)) + 1
    end = max(len(text), after_bare_returns)
    return b"" if relaxed and not end else body[:end] + b"\r\n"


def _canonical_lines(lines: bytes, relaxed: bool) -> bytes:
    if lines.count(b"\n") != lines.count(b"\r\n"):
        lines = _BARE_LF.sub(b"\r\n", lines)
    if relaxed:
        lines = lines.replace(b"\t", b" ")
        while b"  " in lines:  # halves each run: a pattern would be ten times slower where there are many
            lines = lines.replace(b"  ", b" ")
        lines = lines.replace(b" \r\n", b"\r\n")
    return lines


def _pieces(body: bytes) -> list[bytes]:
    """Cut where lines begin, so that other threads have their turn in between."""
    cuts, at = [], 0
    while at < len(body):
        end = body.find(b"\n", at + _PIECE)
        end = len(body) if end < 0 else end + 1
        cuts.append(body[at:end])
        at = end
    return cuts
