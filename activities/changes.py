"""What a page of Gmail's history asks us to do, per message id, in the order in which Gmail tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gmail.values import CHAT, DRAFT, SENT, SPAM, TRASH, UNREAD, Change, ChangeKind

_ASIDE = {DRAFT: "a draft", CHAT: "a chat", SPAM: "in spam", TRASH: "in the trash"}
_BACK = frozenset({SPAM, TRASH})


@dataclass(slots=True)
class Changes:
    """`fresh`: ids to look at. `again`: ids to look at also where they were set aside before (S31).

    `aside`: ids that their own labels set aside, with the words of why. `deleted`: gone for ever. `unread` and
    `trashed`: the last that the page says.
    """

    fresh: dict[str, None] = field(default_factory=dict)
    again: dict[str, None] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, None] = field(default_factory=dict)
    unread: dict[str, bool] = field(default_factory=dict)
    trashed: dict[str, bool] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    drafts: bool = False

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Changes:
        """Read a page.

        A draft that is sent becomes a message by "label SENT added", and mail leaves spam or the trash by "label
        removed", both without being added again (Gmail API: users.history.list).
        """
        found = cls()
        for change in changes:
            found._take(change)
        for message_id in found.deleted:
            found.fresh.pop(message_id, None)
            found.again.pop(message_id, None)
        for message_id in found.again:
            found.aside.pop(message_id, None)
            found.fresh.pop(message_id, None)
        return found

    @property
    def to_look(self) -> tuple[str, ...]:
        return (*self.fresh, *self.again)

    @property
    def all(self) -> tuple[str, ...]:
        """Every id that the page names."""
        names = (self.fresh, self.again, self.aside, self.deleted, self.unread, self.trashed)
        return tuple(dict.fromkeys(message_id for ids in names for message_id in ids))

    def _take(self, change: Change) -> None:
        message_id = change.id
        self.threads[message_id] = change.thread_id
        match change.kind:
            case ChangeKind.ADDED:
                self._added(change)
            case ChangeKind.DELETED:
                self.deleted[message_id] = None
            case ChangeKind.LABELS_ADDED:
                if SENT in change.changed:
                    self.again[message_id] = None
                if UNREAD in change.changed:
                    self.unread[message_id] = True
                if TRASH in change.changed:
                    self.trashed[message_id] = True
            case ChangeKind.LABELS_REMOVED:
                if change.changed & _BACK:
                    self.again[message_id] = None
                if UNREAD in change.changed:
                    self.unread[message_id] = False
                if TRASH in change.changed:
                    self.trashed[message_id] = False

    def _added(self, change: Change) -> None:
        labels = change.label_ids or frozenset()
        aside = next((words for label, words in _ASIDE.items() if label in labels), None)
        self.drafts = self.drafts or DRAFT in labels
        if aside is None:
            self.fresh[change.id] = None
        else:
            self.aside[change.id] = aside
