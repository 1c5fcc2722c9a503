"""One Gmail account's mail: messages, threads, labels, drafts, and the history of their changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from devstack.gmail import ids
from devstack.gmail.clock import Clock
from devstack.gmail.content import Content
from devstack.gmail.history import Change, History

SYSTEM_LABELS = (
    "CHAT",
    "SENT",
    "INBOX",
    "IMPORTANT",
    "TRASH",
    "DRAFT",
    "SPAM",
    "CATEGORY_FORUMS",
    "CATEGORY_UPDATES",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "STARRED",
    "UNREAD",
)
_label_sets: dict[frozenset[str], frozenset[str]] = {}


def label_set(names: Iterable[str]) -> frozenset[str]:
    """One shared set for each combination of labels."""
    wanted = frozenset(names)
    return _label_sets.setdefault(wanted, wanted)


def place(entry: tuple[int, int, Message]) -> tuple[int, int]:
    """The sort key of an entry of `Mailbox.order`."""
    return entry[0], entry[1]


class Message:
    """A message in one mailbox; `trace` are the header lines of its way here, `content` is shared."""

    __slots__ = ("added_at", "content", "history_id", "id", "internal_date", "labels", "thread_id", "trace")

    def __init__(
        self, message_id: str, content: Content, trace: bytes, internal_date: int, added_at: float
    ) -> None:
        self.id = message_id
        self.thread_id = message_id
        self.content = content
        self.trace = trace
        self.internal_date = internal_date
        self.added_at = added_at
        self.labels: frozenset[str] = frozenset()
        self.history_id = 0

    @property
    def size(self) -> int:
        """Bytes of the mail."""
        return len(self.trace) + len(self.content.raw)

    @property
    def key(self) -> tuple[int, int]:
        """Position in the mailbox: by internal date, then by id."""
        return self.internal_date, int(self.id, 16)


@dataclass(slots=True)
class SendAs:
    """An address that the account may write as. Gmail API: settings.sendAs"""

    email: str
    name: str = ""
    reply_to: str = ""
    signature: str = ""
    primary: bool = False
    default: bool = False
    treat_as_alias: bool = True
    verified: bool = True


@dataclass(slots=True)
class Watch:
    """A live users.watch of one project."""

    topic: str
    expires_at: float
    label_ids: tuple[str, ...] = ()
    exclude: bool = False
    last_push: float = 0.0
    stopped: bool = False


@dataclass(slots=True)
class Rules:
    """Settings that change what happens to arriving mail."""

    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    forward_to: str = ""
    forward_disposition: str = "leaveInInbox"
    vacation: dict[str, Any] = field(default_factory=dict)


class Mailbox:
    """All state of one account. Times are seconds since the epoch, internal dates milliseconds."""

    def __init__(
        self, email: str, name: str, clock: Clock, history_start: int, changed: Callable[[Mailbox], None]
    ) -> None:
        self.email = email
        self.name = name
        self.sub = ""
        self.password = ""
        self.mail_enabled = True
        self.clock = clock
        self.changed = changed
        self.messages: dict[str, Message] = {}
        self.order: list[tuple[int, int, Message]] = []  # by date, then id; ids are unique, so it stops there
        self.threads: dict[str, list[str]] = {}
        self.by_rfc_id: dict[str, list[str]] = {}
        self.drafts: dict[str, str] = {}
        self.labels: dict[str, dict[str, Any]] = {}
        self.next_label = 1
        self.history = History(history_start)
        self.send_as: dict[str, SendAs] = {email.lower(): SendAs(email, name, primary=True, default=True)}
        self.watches: dict[str, Watch] = {}
        self.rules = Rules()
        self.sent_at: list[tuple[float, int]] = []
        self.thread_limit = 100

    # --- reading

    def label_exists(self, label_id: str) -> bool:
        """Whether the id names a system label or one of the user's."""
        return label_id in self.labels or label_id in SYSTEM_LABELS

    def newest_first(self, before: tuple[int, int] | None = None) -> Iterable[Message]:
        """Messages from the newest to the oldest, starting below a position."""
        end = len(self.order) if before is None else bisect_left(self.order, before, key=place)
        for i in range(end - 1, -1, -1):
            yield self.order[i][2]

    def thread(self, thread_id: str) -> list[Message]:
        """The thread's messages, oldest first; empty when there is none."""
        found = [self.messages[message_id] for message_id in self.threads.get(thread_id, [])]
        return sorted(found, key=lambda message: message.key)

    # --- changing

    def new_label(self, name: str, **looks: Any) -> str:
        """A new user label; returns its id."""
        label_id = f"Label_{self.next_label}"
        self.next_label += 1
        self.labels[label_id] = {
            "messageListVisibility": "show",
            "labelListVisibility": "labelShow",
            **looks,
            "name": name,
        }
        return label_id

    def add(
        self,
        content: Content,
        labels: Iterable[str],
        *,
        thread_id: str | None = None,
        trace: bytes = b"",
        internal_date: int | None = None,
    ) -> Message:
        """Put a message in, into the given thread or one of its own, and record it."""
        message = self._store(content, labels, thread_id, trace, internal_date)
        self._record([self._change("messageAdded", message)], [message])
        return message

    def _store(
        self,
        content: Content,
        labels: Iterable[str],
        thread_id: str | None,
        trace: bytes,
        internal_date: int | None,
    ) -> Message:
        now = self.clock.now()
        message = Message(
            ids.message_id(int(now * 1000)), content, trace, internal_date or int(now * 1000), now
        )
        message.labels = label_set(labels)
        message.thread_id = thread_id or message.id
        self.messages[message.id] = message
        insort(self.order, (*message.key, message))
        self.threads.setdefault(message.thread_id, []).append(message.id)
        if content.message_id:
            self.by_rfc_id.setdefault(content.message_id, []).append(message.id)
        return message

    def restore(self, message: Message) -> None:
        """Put a saved message back; the caller sorts `order` when all are in."""
        self.messages[message.id] = message
        self.order.append((*message.key, message))
        self.threads.setdefault(message.thread_id, []).append(message.id)
        if message.content.message_id:
            self.by_rfc_id.setdefault(message.content.message_id, []).append(message.id)

    def remove(self, message_id: str) -> None:
        """Delete a message for ever and record it."""
        message = self._forget(message_id)
        self._record([self._change("messageDeleted", message)], [])

    def _forget(self, message_id: str) -> Message:
        message = self.messages.pop(message_id)
        at = bisect_left(self.order, message.key, key=place)
        del self.order[at]
        thread = self.threads[message.thread_id]
        thread.remove(message_id)
        if not thread:
            del self.threads[message.thread_id]
        same_id = self.by_rfc_id.get(message.content.message_id)
        if same_id:
            same_id.remove(message_id)
            if not same_id:
                del self.by_rfc_id[message.content.message_id]
        return message

    def replace(self, old_id: str, content: Content, labels: Iterable[str], thread_id: str | None) -> Message:
        """Swap a message for a new one with a new id (a draft's save), as one pair of records."""
        old = self._forget(old_id)
        message = self._store(content, labels, thread_id, b"", None)
        self._record([self._change("messageDeleted", old)], [])
        self._record([self._change("messageAdded", message)], [message])
        return message

    def change_labels(self, messages: Iterable[Message], add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove labels; only what really changes is recorded, one record for each direction."""
        gained: list[Change] = []
        lost: list[Change] = []
        touched: list[Message] = []
        adding, removing = frozenset(add), frozenset(remove)
        for message in messages:
            before = message.labels
            after = label_set((before | adding) - (removing - adding))
            if after == before:
                continue
            message.labels = after
            touched.append(message)
            if after - before:
                gained.append(self._change("labelAdded", message, after - before))
            if before - after:
                lost.append(self._change("labelRemoved", message, before - after))
        if gained:
            self._record(gained, touched)
        if lost:
            self._record(lost, touched)

    def _change(self, kind: str, message: Message, labels: Iterable[str] = ()) -> Change:
        return Change(
            kind, message.id, message.thread_id, tuple(sorted(labels)), tuple(sorted(message.labels))
        )

    def _record(self, changes: list[Change], touched: list[Message]) -> None:
        history_id = self.history.append(self.clock.now(), tuple(changes))
        for message in touched:
            message.history_id = history_id
        self.changed(self)

    def swap_content(self, message: Message, content: Content) -> None:
        """Give a message other bytes under the same id (a draft that turns into the sent mail)."""
        same_id = self.by_rfc_id.get(message.content.message_id, [])
        if message.id in same_id:
            same_id.remove(message.id)
            if not same_id:
                del self.by_rfc_id[message.content.message_id]
        message.content = content
        if content.message_id:
            self.by_rfc_id.setdefault(content.message_id, []).append(message.id)
