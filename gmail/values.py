"""What Gmail's answers become: plain values, so that nobody outside this room reads Google's JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

INBOX, SENT, DRAFT, SPAM, TRASH, CHAT, UNREAD = "INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "CHAT", "UNREAD"

HeaderPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """users.getProfile. `email` lower case; `history_id` is the mailbox's current one."""

    email: str
    history_id: int
    messages_total: int = 0


class ChangeKind(StrEnum):
    """What a history record says of a message; DELETED is for ever, the trash is a label."""

    ADDED = "added"
    DELETED = "deleted"
    LABELS_ADDED = "labels_added"
    LABELS_REMOVED = "labels_removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one message.

    `label_ids`: the message's labels as the record gives them, None where it does not (never guaranteed).
    `changed`: the labels added or removed.
    """

    kind: ChangeKind
    id: str
    thread_id: str
    label_ids: frozenset[str] | None = None
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One page of history.list, changes in Gmail's order; may be empty and still have a next page.

    `history_id` is the mailbox's current id on every page: it becomes the cursor only after the last page.
    `last_record_id`: of the page's last record, None where it has none; everything up to it is known.
    """

    changes: tuple[Change, ...]
    history_id: int
    next_page_token: str | None = None
    last_record_id: int | None = None

    @property
    def added(self) -> tuple[Change, ...]:
        return self._of(ChangeKind.ADDED)

    @property
    def deleted(self) -> tuple[Change, ...]:
        return self._of(ChangeKind.DELETED)

    @property
    def labels_added(self) -> tuple[Change, ...]:
        return self._of(ChangeKind.LABELS_ADDED)

    @property
    def labels_removed(self) -> tuple[Change, ...]:
        return self._of(ChangeKind.LABELS_REMOVED)

    def _of(self, kind: ChangeKind) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind is kind)


@dataclass(frozen=True, slots=True)
class Stub:
    """A message as lists give it."""

    id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class IdPage:
    """One page of messages.list, newest first."""

    stubs: tuple[Stub, ...]
    next_page_token: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(stub.id for stub in self.stubs)

    def __iter__(self) -> Iterator[Stub]:
        return iter(self.stubs)


@dataclass(frozen=True, slots=True)
class Headline:
    """A message without anything of its body (format=metadata, no snippet).

    `internal_date`: when Gmail took it, Unix time in milliseconds. `size_estimate` in bytes.
    `headers`: name and value as written, in order; repeated names stay repeated.
    """

    id: str
    thread_id: str
    label_ids: frozenset[str]
    internal_date: int
    size_estimate: int
    headers: HeaderPairs = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, compared without case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message with its exact RFC 5322 bytes (format=raw)."""

    id: str
    thread_id: str
    label_ids: frozenset[str]
    internal_date: int
    size_estimate: int
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part of format=full.

    Key attachments by `part_id`, which stays; `attachment_id` is another one at every get, None where `data`
    holds the content or the part has none.
    """

    part_id: str
    mime_type: str
    filename: str
    headers: HeaderPairs = field(repr=False)
    size: int = 0
    data: bytes | None = field(default=None, repr=False)
    attachment_id: str | None = None
    parts: tuple[Part, ...] = ()

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in order."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class FullMessage:
    """A message with its parts, large ones left in Gmail (format=full)."""

    id: str
    thread_id: str
    label_ids: frozenset[str]
    internal_date: int
    size_estimate: int
    payload: Part


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What a send answers: ids only. The Message-ID that Gmail gave it is read with `look`."""

    id: str
    thread_id: str
    label_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft; its message id changes at each save, its own id does not. Headers only where asked for."""

    id: str
    message_id: str
    thread_id: str
    headers: HeaderPairs = field(default=(), repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, compared without case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class DraftPage:
    """One page of drafts.list, newest first."""

    drafts: tuple[Draft, ...]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class WatchState:
    """A live watch: the mailbox's history id at its start, and when it ends (Unix time in milliseconds)."""

    history_id: int
    expiration: int


@dataclass(frozen=True, slots=True)
class SendAs:
    """An address the user may send from. `verified`: the primary one, or an alias that Gmail accepted."""

    email: str
    name: str
    primary: bool
    default: bool
    verified: bool
    reply_to: str = ""
    signature: str = field(default="", repr=False)
    treat_as_alias: bool = True
