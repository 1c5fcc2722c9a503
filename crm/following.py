"""Mail that waits while its user changes mailboxes: it follows a switch (S4), and is held at a disconnect (S5)."""

from __future__ import annotations

import secrets

from sqlmodel import Session, col, select

from crm import events
from crm.outbound import set_status
from models import Account, LedgerEntry, Message, Participant, User
from models.columns import now
from models.states import LedgerState, MessageStatus, Role

_MAY_NOT_HAVE_LEFT = (
    MessageStatus.QUEUED,
    MessageStatus.WAITING_FOR_LIMIT,
    MessageStatus.SCHEDULED,
    MessageStatus.SENDING,
)


def may_have_a_draft(message: Message) -> bool:
    """Whether something of it may lie among the drafts of its mailbox."""
    return message.draft_asked_at is not None or message.draft_id is not None


def follow_switch(session: Session, before: str, account: Account) -> None:
    """What has not begun to leave through the mailbox before leaves through this one, from the same moment on (S4).

    A mail with a draft does so once that is taken back.
    """
    for message in _not_asked_to_be_sent(session, before):
        if not may_have_a_draft(message):
            move(session, message, account)


def move(session: Session, message: Message, account: Account) -> None:
    """The message leaves through this account, from its address; nothing of it is in the one before."""
    message.account_id, message.from_email, message.gmail_thread_id = account.id, account.email, None
    message.draft_asked_at = message.draft_id = None
    message.lookups, message.stamp = 0, secrets.token_urlsafe(18)
    entry = session.exec(select(LedgerEntry).where(LedgerEntry.message_id == message.id)).first()
    if entry is not None:
        session.delete(entry)
        session.flush()
    for participant in session.exec(
        select(Participant).where(Participant.message_id == message.id, Participant.role == Role.FROM)
    ):
        participant.email, participant.email_key = account.email, account.email_key
    if message.status != MessageStatus.SCHEDULED:
        set_status(session, message, MessageStatus.QUEUED)
        message.leaves_at = now()
    events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)


def hold_queue(session: Session, account: Account) -> list[str]:
    """Hold what has not left through an account that is disconnected (S5); returns the ids of the messages held.

    What the user had taken along to another mailbox (S4), but for its draft, goes from there.
    """
    active = session.get_one(User, account.user_id).active_account_id
    waiting = _not_asked_to_be_sent(session, account.id)
    if active is not None and active != account.id:
        for message in waiting:
            if not _may_have_left(message):
                move(session, message, session.get_one(Account, active))
        waiting = [message for message in waiting if _may_have_left(message)]
    for message in waiting:
        hold(session, message, account)
    return [message.id for message in waiting]


def hold(session: Session, message: Message, account: Account) -> None:
    """Its mailbox is disconnected: it leaves only from there, when a person says so, or not at all (S5)."""
    give_place_up(session, message)
    words = f"{account.email} was disconnected. Connect it again and choose Try again, or discard the mail."
    if _may_have_left(message):
        words = (
            f"It may have left from {account.email}, which cannot be asked any more. Connect it again and choose "
            "Try again, mark the mail as sent, or discard it."
        )
    set_status(session, message, MessageStatus.HELD, words)
    message.leaves_at = None


def _may_have_left(message: Message) -> bool:
    """Its draft was being taken back: an earlier try may have sent it all the same (`crm.progress`)."""
    return message.draft_id is not None and message.draft_asked_at is None


def give_place_up(session: Session, message: Message) -> None:
    """Its place goes to the next; it gets its old one back when it asks again."""
    entry = session.exec(select(LedgerEntry).where(LedgerEntry.message_id == message.id)).first()
    if entry is not None and entry.state in (LedgerState.WAITING, LedgerState.RESERVED):
        entry.state, entry.at = LedgerState.RELEASED, None


def _not_asked_to_be_sent(session: Session, account_id: str) -> list[Message]:
    return list(
        session.exec(
            select(Message)
            .where(
                Message.account_id == account_id,
                col(Message.status).in_(_MAY_NOT_HAVE_LEFT),
                col(Message.send_asked_at).is_(None),
            )
            .order_by(col(Message.created_at))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
