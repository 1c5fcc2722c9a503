"""What a mail of ours answers: it leaves after that, names it by the id that it really has, and in its thread."""

from __future__ import annotations

from sqlmodel import Session, col, select

from models import GmailMessage, Message
from models.states import Direction, MessageStatus

_STILL_LEAVES = (
    MessageStatus.QUEUED,
    MessageStatus.WAITING_FOR_LIMIT,
    MessageStatus.SCHEDULED,
    MessageStatus.SENDING,
)
"""Statuses in which a mail leaves by itself; one that is held may never do so, and nobody waits for it."""


def leaves_first(session: Session, message: Message) -> Message | None:
    """The mail of ours that it answers, where that has not left: it has no id yet, or one that will not last."""
    answered = _answered(session, message)
    if answered is None or answered.direction != Direction.OUTBOUND or answered.campaign_id is not None:
        return None
    return answered if answered.status in _STILL_LEAVES else None


def name_answered(session: Session, message: Message) -> None:
    """In-Reply-To and References, by what is known when it leaves (RFC 5322, 3.6.4)."""
    answered = _answered(session, message)
    if answered is not None and answered.message_id_header:
        message.in_reply_to = [answered.message_id_header]
        message.references = references_to(answered)


def references_to(answered: Message) -> list[str]:
    """The References of an answer to this message."""
    return [*answered.references, answered.message_id_header] if answered.message_id_header else []


def answers_that_wait(session: Session, message: Message) -> list[str]:
    """Ids of messages that may have waited for this one to leave."""
    return list(
        session.exec(
            select(Message.id).where(
                Message.thread_id == message.thread_id,
                Message.direction == Direction.OUTBOUND,
                Message.reply_to_message_id == message.id,
                Message.status == MessageStatus.QUEUED,
            )
        )
    )


def gmail_thread_to_answer_in(session: Session, message: Message) -> str | None:
    """The sending mailbox's thread of what this message answers: thread ids differ by mailbox."""
    if message.reply_to_message_id is None or message.account_id is None:
        return None
    own = session.exec(
        select(GmailMessage.gmail_thread_id).where(
            GmailMessage.message_id == message.reply_to_message_id,
            GmailMessage.account_id == message.account_id,
        )
    ).first()
    if own is not None:
        return own
    return session.exec(
        select(GmailMessage.gmail_thread_id)
        .join(Message, col(Message.id) == col(GmailMessage.message_id))
        .where(Message.thread_id == message.thread_id, GmailMessage.account_id == message.account_id)
        .order_by(col(GmailMessage.internal_date).desc())
    ).first()


def _answered(session: Session, message: Message) -> Message | None:
    return session.get(Message, message.reply_to_message_id) if message.reply_to_message_id else None
