"""The value that one mail becomes: what `mail.parse` gives and everything else in this room reads.

Every string in it stores in PostgreSQL (no NUL, no lone surrogate) and serialises to JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox as written: display name (may be empty) and address (in broken mail perhaps without @)."""

    name: str
    email: str

    @property
    def key(self) -> str:
        """The address in the form in which two of them compare: lower case."""
        return self.email.lower()


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part that is not the body. `size`: decoded bytes. `part_id`: as Gmail's partId ("0", "1.2")."""

    filename: str
    content_type: str
    size: int
    content_id: str | None
    inline: bool
    content: bytes
    part_id: str


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in their order: (name as written, value unfolded and decoded to Unicode)."""

    items: tuple[tuple[str, str], ...] = ()
    _first: dict[str, str] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        first = {name.lower(): value for name, value in reversed(self.items)}
        object.__setattr__(self, "_first", first)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """From name and value pairs as Gmail's format=metadata lists them; decodes and cleans each value."""
        from mail.headers import decode_pairs

        return cls(decode_pairs(pairs))

    def get(self, name: str) -> str | None:
        """First value of the field, compared without case; None where it is absent."""
        return self._first.get(name.lower())

    def get_all(self, name: str) -> list[str]:
        """All values of the field in their order; empty where it is absent."""
        key = name.lower()
        if key not in self._first:
            return []
        return [value for other, value in self.items if other.lower() == key]

    def has_any(self, names: frozenset[str]) -> bool:
        """Is one of these fields there? Names in lower case."""
        return not names.isdisjoint(self._first)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class EmbeddedMail:
    """A mail inside the mail: headers of a message/rfc822 or text/rfc822-headers part, and its plain text."""

    headers: Headers
    content_type: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. Times are aware UTC, ids keep their brackets, `problems` names what could not be read."""

    headers: Headers = Headers()
    from_: tuple[Address, ...] = ()
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    date: datetime | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    content_type: str = "text/plain"
    parts_info: tuple[tuple[str, dict[str, str]], ...] = ()
    embedded: tuple[EmbeddedMail, ...] = ()
    delivery_status: tuple[tuple[tuple[str, str], ...], ...] = ()
    signed: bool = False
    encrypted: bool = False
    problems: tuple[str, ...] = ()
