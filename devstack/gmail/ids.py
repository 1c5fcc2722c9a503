"""Identifiers in the forms that Gmail gives them."""

from __future__ import annotations

import base64
import itertools
import random
import secrets

_random = random.Random()  # shapes only, nothing secret
_sequence = itertools.count(_random.randrange(1 << 18))


def message_id(now_ms: int) -> str:
    """16 hex digits that grow with time, unique in the process."""
    return f"{(now_ms << 20) | (next(_sequence) & 0xFFFFF):016x}"


def draft_id() -> str:
    """`r` and a signed decimal number."""
    return f"r{'-' if _random.random() < 0.5 else ''}{_random.getrandbits(63)}"


def rfc_message_id() -> str:
    """A Message-ID as Gmail writes it on everything that it sends."""
    return f"<CA{b64url(_random.randbytes(38))}@mail.gmail.com>"


def token(prefix: str, size: int = 48) -> str:
    """An unguessable token."""
    return prefix + secrets.token_urlsafe(size)


def api_bytes(data: bytes) -> str:
    """base64url with padding, as the API gives bytes in JSON."""
    return base64.urlsafe_b64encode(data).decode()


def b64url(data: bytes) -> str:
    """base64url without padding, as ids and tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    """Decode base64url or base64 with or without padding; ValueError on anything else."""
    cleaned = "".join(text.split()).replace("+", "-").replace("/", "_").rstrip("=")
    if len(cleaned) % 4 == 1 or not all(c.isascii() and (c.isalnum() or c in "-_") for c in cleaned):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(cleaned + "=" * (-len(cleaned) % 4))


def attachment_id(part_id: str) -> str:
    """A fresh id of a part; another one at every call, as Gmail gives."""
    nonce = _random.randbytes(8)
    plain = part_id.encode()
    masked = bytes(b ^ nonce[i % 8] for i, b in enumerate(plain))
    return "ANGjdJ" + b64url(nonce + bytes([len(plain)]) + masked + _random.randbytes(90))


def part_of_attachment(text: str) -> str | None:
    """The part id inside an attachment id, or None when it is not one."""
    if not text.startswith("ANGjdJ"):
        return None
    try:
        data = from_b64url(text[6:])
        nonce, size = data[:8], data[8]
        return bytes(b ^ nonce[i % 8] for i, b in enumerate(data[9 : 9 + size])).decode()
    except (ValueError, IndexError):
        return None
