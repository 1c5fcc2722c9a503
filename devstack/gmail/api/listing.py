"""messages.list and threads.list: labels, q, pages."""

from __future__ import annotations

from collections.abc import Iterator

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


def matching(call: Call) -> Iterator[Message]:
    """The messages that labelIds, q and includeSpamTrash leave, newest first."""
    text = call.request.one("q")
    if text and call.metadata_only:
        raise forbidden("Metadata scope does not support 'q' parameter")
    labels = frozenset(call.request.many("labelIds"))
    for label in labels:
        if not call.mailbox.label_exists(label):
            raise invalid(f"Invalid label: {label}")
    query = Query(text, call.mailbox) if text else None
    hidden = HIDDEN - labels
    if call.flag("includeSpamTrash") or (query and query.anywhere):
        hidden = frozenset()
    indexed_before = call.world.clock.now() - call.world.behaviour.index_lag_s if query else None
    for message in call.mailbox.newest_first(page_start(call.request.one("pageToken"))):
        have = message.labels
        if labels and not labels <= have:
            continue
        if query is None:
            if hidden and not hidden.isdisjoint(have):
                continue
        else:
            if hidden and not (hidden - query.places).isdisjoint(have):
                continue
            if indexed_before is not None and message.added_at > indexed_before:
                continue
            if not query.matches(message):
                continue
        yield message
