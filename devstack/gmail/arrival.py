"""What arriving mail meets in a mailbox: spam, filters, and what the user does with mail later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.search import Query

NEW = frozenset(("INBOX", "UNREAD", "CATEGORY_PERSONAL"))


@dataclass(frozen=True, slots=True)
class Sorted:
    """The labels of an arriving mail, and where filters and settings forward it."""

    labels: frozenset[str]
    forward_to: tuple[str, ...]


def fits(criteria: dict[str, Any], message: Message, mailbox: Mailbox) -> bool:
    """Whether a filter's criteria hold. Gmail API: settings.filters"""
    sender, to, subject = message.content.search_headers()
    tests: list[tuple[str, Callable[[Any], bool]]] = [
        ("from", lambda value: str(value).lower() in sender),
        (
            "to",
            lambda value: (
                str(value).lower() in to or str(value).lower() in message.trace.decode("latin-1").lower()
            ),
        ),
        ("subject", lambda value: str(value).lower() in subject),
        ("query", lambda value: Query(str(value), mailbox).matches(message)),
        ("negatedQuery", lambda value: not Query(str(value), mailbox).matches(message)),
        ("hasAttachment", lambda value: bool(value) == (b"filename" in message.content.raw)),
    ]
    return all(test(criteria[name]) for name, test in tests if criteria.get(name) not in (None, ""))


def sort(mailbox: Mailbox, content: Content, trace: bytes, *, spam: bool) -> Sorted:
    """Run the mailbox's filters and forwarding over an arriving mail."""
    if spam:
        return Sorted(frozenset(("SPAM", "UNREAD")), ())
    labels = set(NEW)
    rules = mailbox.rules
    forward: list[str] = []
    if rules.filters:
        probe = Message("0", content, trace, mailbox.clock.now_ms(), mailbox.clock.now())
        for rule in rules.filters.values():
            if fits(rule.get("criteria") or {}, probe, mailbox):
                action = rule.get("action") or {}
                labels |= set(action.get("addLabelIds") or [])
                labels -= set(action.get("removeLabelIds") or [])
                if action.get("forward"):
                    forward.append(str(action["forward"]))
        if "TRASH" in labels or "SPAM" in labels:
            labels.discard("INBOX")
    if rules.forward_to:
        forward.append(rules.forward_to)
        labels -= {"archive": {"INBOX"}, "markRead": {"UNREAD"}, "trash": {"INBOX"}}.get(
            rules.forward_disposition, set()
        )
        if rules.forward_disposition == "trash":
            labels.add("TRASH")
    return Sorted(frozenset(labels), tuple(dict.fromkeys(forward)))


def to_trash(mailbox: Mailbox, messages: list[Message]) -> None:
    """Move messages to the trash: TRASH comes, INBOX and SPAM go."""
    mailbox.change_labels(messages, ["TRASH"], ["INBOX", "SPAM"])


def erase(mailbox: Mailbox, message_id: str) -> None:
    """Delete a message for ever, and the draft that it may be."""
    mailbox.remove(message_id)
    for draft_id in [d for d, m in mailbox.drafts.items() if m == message_id]:
        del mailbox.drafts[draft_id]
