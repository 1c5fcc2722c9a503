"""What Gmail's labels and deletions say of copies that we have: read state (S24) and deletion (S32)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import and_, func
from sqlalchemy import select as plain_select
from sqlmodel import Session, col, select, update

from crm import events
from models import Account, GmailMessage, Message


def set_unread(session: Session, account: Account, unread: Mapping[str, bool]) -> None:
    """The read state of copies in one mailbox, by Gmail id; ids that we do not have are passed over."""
    changed: list[str] = []
    for value in (True, False):
        ids = [gmail_id for gmail_id, is_unread in unread.items() if is_unread is value]
        if ids:
            changed += session.execute(
                update(GmailMessage)
                .where(
                    col(GmailMessage.account_id) == account.id,
                    col(GmailMessage.gmail_id).in_(ids),
                    col(GmailMessage.unread) != value,
                )
                .values(unread=value)
                .returning(col(GmailMessage.message_id))
            ).scalars()
    _tell(session, account, changed)


def set_deleted(session: Session, account: Account, deleted: Mapping[str, bool]) -> None:
    """Copies that went to the trash, out of it, or for ever; the CRM keeps its own.

    A message shows as deleted in Gmail once no mailbox has a copy left.
    """
    changed: list[str] = []
    for value in (True, False):
        ids = [gmail_id for gmail_id, is_deleted in deleted.items() if is_deleted is value]
        if ids:
            changed += session.execute(
                update(GmailMessage)
                .where(
                    col(GmailMessage.account_id) == account.id,
                    col(GmailMessage.gmail_id).in_(ids),
                    col(GmailMessage.deleted) != value,
                )
                .values(deleted=value)
                .returning(col(GmailMessage.message_id))
            ).scalars()
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


def _tell(session: Session, account: Account, message_ids: Iterable[str]) -> None:
    ids = list(dict.fromkeys(message_ids))
    if not ids:
        return
    rows = session.exec(select(Message.id, Message.conversation_id).where(col(Message.id).in_(ids)))
    for message_id, conversation_id in rows:
        events.emit(session, account.location_id, events.MESSAGE_UPDATED, message_id)
        events.emit(session, account.location_id, events.CONVERSATION_UPDATED, conversation_id)
