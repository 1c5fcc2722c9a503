"""messages.list and threads.list: labels, q, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from devstack.gmail.api.call import Call
from devstack.gmail.errors import forbidden, invalid
from devstack.gmail.mailbox import Message
from devstack.gmail.search import Query

HIDDEN = frozenset(("SPAM", "TRASH"))


def page_start(token: str) -> tuple[int, int] | None:
    """The position that a page token stands for."""
    if not token:
        return None
    if not token.isdigit():
        raise invalid("Invalid pageToken")
    value = int(token)
    return value >> 64, value & ((1 << 64) - 1)


def page_token(message: Message) -> str:
    """The token of the page that starts below this message."""
    return str((message.key[0] << 64) | message.key[1])


def chooser(call: Call) -> Callable[[Message], bool]:
    """Whether labelIds, q and includeSpamTrash leave a message."""
    text = call.request.one("q")
    if text and call.metadata_only:
        raise forbidden("Metadata scope does not support 'q' parameter")
    labels = frozenset(call.request.many("labelIds"))
    for label in labels:
        if not call.mailbox.label_exists(label):
            raise invalid(f"Invalid label: {label}")
    query = Query(text, call.mailbox) if text else None
    hidden = HIDDEN - labels - (query.places if query else frozenset())
    if call.flag("includeSpamTrash") or (query and query.anywhere):
        hidden = frozenset()
    indexed_before = call.world.clock.now() - call.world.behaviour.index_lag_s

    def chosen(message: Message) -> bool:
        have = message.labels
        if (labels and not labels <= have) or not hidden.isdisjoint(have):
            return False
        return query is None or (message.added_at <= indexed_before and query.matches(message))

    return chosen


def matching(call: Call, chosen: Callable[[Message], bool]) -> Iterator[Message]:
    """The chosen messages from the page's start on, newest first."""
    start = page_start(call.request.one("pageToken"))
    return (message for message in call.mailbox.newest_first(start) if chosen(message))
