"""Read state (S24): a mailbox has its own, and what is marked here is noted until Gmail's label has followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, not_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from crm import events
from models import Account, GmailMessage, Message
from models.columns import now
from models.states import AccountState, Direction

REACHABLE = (AccountState.ACTIVE, AccountState.RECOVERING)
"""States in which labels of the mailbox can follow."""


def set_read(
    session: Session, message: Message, read: bool, *, user_id: str | None = None
) -> list[GmailMessage]:
    """Mark a message read or unread, here and on its mailboxes' copies (S24).

    Args:
        user_id: who has seen it: only that user's own copies are marked, and nobody else's mailbox shows it as read.

    Returns:
        the copies whose label in Gmail is still to follow, also from an earlier time. Gmail's echo of that finds
        nothing left to change.
    """
    rows = session.exec(_holders([message.id]).with_for_update(of=GmailMessage)).all()
    copies = _read_by(user_id, rows)
    if copies is None:
        return []
    changed = [copy for copy in copies if copy.unread == read]
    for copy in changed:
        copy.unread, copy.marked_at = not read, now()
        session.add(copy)
    if message.read != read or changed:
        message.read = read
        session.add(message)
        events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)
        events.emit(session, message.location_id, events.CONVERSATION_UPDATED, message.conversation_id)
    return [copy for copy in copies if copy.marked_at is not None and not copy.deleted]


def to_read(session: Session, messages: Sequence[Message], user_id: str) -> list[str]:
    """Which of the messages are new to a user: those that `set_read` would mark for this user, in their order."""
    inbound = [message for message in messages if message.direction == Direction.INBOUND]
    rows: dict[str, list[tuple[GmailMessage, Account]]] = defaultdict(list)
    for copy, account in session.exec(_holders([message.id for message in inbound])):
        rows[copy.message_id].append((copy, account))
    found = []
    for message in inbound:
        copies = _read_by(user_id, rows[message.id])
        if copies is not None and (any(copy.unread for copy in copies) if copies else not message.read):
            found.append(message.id)
    return found


def _holders(message_ids: Sequence[str]) -> Select[GmailMessage, Account]:
    """The copies of messages, with the accounts that hold them."""
    return (
        select(GmailMessage, Account)
        .join(Account, col(Account.id) == col(GmailMessage.account_id))
        .where(col(GmailMessage.message_id).in_(message_ids))
        .order_by(col(GmailMessage.account_id), col(GmailMessage.gmail_id))
    )


def _read_by(user_id: str | None, rows: Sequence[tuple[GmailMessage, Account]]) -> list[GmailMessage] | None:
    """Whose copies are read when a user (None: the location) reads the message; None where that is for others.

    A mailbox keeps its own read state: what only colleagues have in theirs stays unread until one of them has read
    it. What no connected mailbox has any more, whoever opens it here has read.
    """
    own = [copy for copy, account in rows if account.user_id == user_id]
    if own:
        return own
    kept = any(account.state != AccountState.DISCONNECTED and not copy.deleted for copy, account in rows)
    return None if user_id is not None and kept else [copy for copy, _ in rows]


def unfollowed(session: Session, before: datetime, limit: int = 500) -> list[str]:
    """Messages that were marked here before a moment, and whose label in a mailbox that answers has not followed.

    Temporal was away, or Google refused the mailbox until now.
    """
    marked = col(GmailMessage.marked_at)
    return list(
        session.exec(
            select(GmailMessage.message_id)
            .join(Account, col(Account.id) == col(GmailMessage.account_id))
            .where(marked < before, not_(col(GmailMessage.deleted)), col(Account.state).in_(REACHABLE))
            .group_by(col(GmailMessage.message_id))
            .order_by(func.min(marked))
            .limit(limit)
        )
    )
