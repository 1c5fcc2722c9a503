"""What Gmail's labels and deletions say of copies that we have: read state (S24) and deletion (S32)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import and_, func
from sqlalchemy import select as plain_select
from sqlalchemy import text as sql
from sqlmodel import Session, col, select, update

from crm import events
from models import Account, GmailMessage, Message
from models.columns import now


def set_unread(session: Session, account: Account, unread: Mapping[str, bool]) -> None:
    """The read state of copies in one mailbox, by Gmail id; ids that we do not have are passed over.

    What was marked here and is still to be told to Gmail stays as it was marked, and is told after this: ours is the
    newer word.
    """
    changed: list[str] = []
    for copy in _copies(session, account, unread):
        if copy.unread == unread[copy.gmail_id]:
            continue
        if copy.marked_at is not None:
            copy.marked_at = now()
        else:
            copy.unread = unread[copy.gmail_id]
            changed.append(copy.message_id)
    session.flush()
    _tell(session, account, changed)


def set_deleted(session: Session, account: Account, deleted: Mapping[str, bool]) -> None:
    """Copies that went to the trash, out of it, or for ever; the CRM keeps its own.

    A message shows as deleted in Gmail once no mailbox has a copy left.
    """
    changed: list[str] = []
    for copy in _copies(session, account, deleted):
        if copy.deleted != deleted[copy.gmail_id]:
            copy.deleted = deleted[copy.gmail_id]
            changed.append(copy.message_id)
    session.flush()
    if not changed:
        return
    left = (
        plain_select(func.count())
        .where(and_(col(GmailMessage.message_id) == col(Message.id), col(GmailMessage.deleted).is_(False)))
        .scalar_subquery()
    )
    session.execute(
        update(Message).where(col(Message.id).in_(changed)).values(deleted_in_gmail=left == 0),
        execution_options={"synchronize_session": False},
    )
    _tell(session, account, changed)


def copies_until(session: Session, account: Account, until: datetime, limit: int) -> list[GmailMessage]:
    """What a mailbox has of mail that came up to a moment, the newest first."""
    query = (
        select(GmailMessage)
        .where(GmailMessage.account_id == account.id, col(GmailMessage.internal_date) <= until)
        .order_by(col(GmailMessage.internal_date).desc())
        .limit(limit)
    )
    return list(session.exec(query))


# OFFSET 0 and || '': one probe of the primary key per id, also before a young table has statistics (see crm.facts).
_COPIES = sql(
    "SELECT g.* FROM unnest(CAST(:gmail_ids AS text[])) AS i(id) CROSS JOIN LATERAL"
    " (SELECT * FROM gmail_messages WHERE gmail_id = i.id AND account_id || '' = :account_id"
    "  OFFSET 0 FOR UPDATE) g"
)


def _copies(session: Session, account: Account, gmail_ids: Iterable[str]) -> list[GmailMessage]:
    """The mailbox's copies with these ids, for this transaction alone."""
    query = plain_select(GmailMessage).from_statement(_COPIES)
    wanted = {"account_id": account.id, "gmail_ids": sorted(gmail_ids)}
    return list(session.execute(query, wanted, execution_options={"populate_existing": True}).scalars())


def _tell(session: Session, account: Account, message_ids: Iterable[str]) -> None:
    ids = list(dict.fromkeys(message_ids))
    if not ids:
        return
    rows = session.exec(select(Message.id, Message.conversation_id).where(col(Message.id).in_(ids)))
    for message_id, conversation_id in rows:
        events.emit(session, account.location_id, events.MESSAGE_UPDATED, message_id)
        events.emit(session, account.location_id, events.CONVERSATION_UPDATED, conversation_id)
