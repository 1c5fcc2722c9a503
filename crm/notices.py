"""What a mail server's notice does to the mail that it is about (S19, S20)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from crm import events, leaving, outbound
from crm.addresses import email_key
from crm.world import ancestors, author_key
from mail import authenticity, bounce, classify
from mail.bounce import Bounce
from mail.message import Mail
from models import Account, Message, Participant
from models.columns import now
from models.states import Direction, MessageStatus

LIMIT_LASTS = timedelta(hours=24)
"""Gmail counts over a rolling day (Gmail Help: sending limits)."""

KINDS = frozenset({"bounce", "delay", "limit_notice"})
"""Kinds of mail (`mail.classify`) that are about another mail."""

_HAS_LEFT = frozenset(
    {MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.DELAYED, MessageStatus.BOUNCED}
)
CLOCKS_DIFFER = timedelta(minutes=5)
"""Gmail's clock and ours; a mail that was refused leaves a day later at the earliest."""
REFUSED_WITHIN = timedelta(hours=1)
"""Gmail says within minutes that it refused a mail: how far back a notice that names none may mean one."""


@dataclass(frozen=True, slots=True)
class NoticeEffect:
    """What follows for others: the message refused by Gmail's limit waits again; the mailbox's queue stops."""

    kind: str
    message_id: str | None = None
    refused_message_id: str | None = None
    blocked_until: datetime | None = None


def apply_notice(
    session: Session, notice: Mail, account: Account | None, about: str | None, at: datetime
) -> NoticeEffect:
    """Mark the mail that a notice is about. Repeating it changes nothing.

    Args:
        account: the mailbox that got the notice; a limit notice stops its queue.
        about: the id of the message, where it is known.
        at: when the notice came.
    """
    kind = classify.kind(notice)
    if kind == "limit_notice":
        if account is None or authenticity.is_doubted(notice, author_key(notice)):
            return NoticeEffect(kind, about)
        return _limit(session, notice, account, about, at)
    read = bounce.read(notice)
    message = _outbound(session, about)
    if read is None or message is None:
        return NoticeEffect(kind, about)
    came_back(session, message, read, at)
    return NoticeEffect(kind, message.id)


def came_back(session: Session, message: Message, notice: Bounce, at: datetime) -> None:
    """Mark a mail that did not reach somebody, or not yet; what several notices tell adds up."""
    recipients = sorted({email_key(one) for one in notice.recipients} | set(message.bounce_recipients))
    if notice.delayed:
        if message.status == MessageStatus.SENT:
            _set(session, message, MessageStatus.DELAYED, notice.reason)
    elif message.bounced_at is None or recipients != message.bounce_recipients:
        message.bounced_at = min(message.bounced_at or at, at)
        message.bounce_permanent = bool(message.bounce_permanent) or notice.permanent
        message.bounce_status = notice.status or message.bounce_status
        message.bounce_reason = notice.reason
        message.bounce_recipients = recipients
        # For whom the provider did not take it yet, it is still leaving.
        status = MessageStatus.SENDING if message.untaken else MessageStatus.BOUNCED
        _set(session, message, status, notice.reason)


def note_auto_bcc_notice(session: Session, about: str, at: datetime) -> None:
    """S19: the auto-BCC copy did not arrive; shown in the mail's details as harmless, never as its failure."""
    message = _outbound(session, about)
    if message is not None and message.auto_bcc_notice_at is None:
        message.auto_bcc_notice_at = at
        message.updated_at = now()
        events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)


def meant_by(
    session: Session, notice: Mail, account: Account | None, thread_id: str, at: datetime
) -> str | None:
    """The mail of ours that a notice in its thread is about, where it names no known id: the newest that it can mean.

    Of a failure or delay one that went to its recipients; of a limit notice one that left the mailbox just before.
    """
    query = select(Message.id).where(Message.thread_id == thread_id, Message.direction == Direction.OUTBOUND)
    if classify.kind(notice) == "limit_notice":
        if account is None:
            return None
        left_at = func.coalesce(col(Message.send_asked_at), col(Message.sent_at))
        query = query.where(
            Message.account_id == account.id,
            left_at.between(at - REFUSED_WITHIN, at + CLOCKS_DIFFER),
        )
    else:
        read = bounce.read(notice)
        keys = [email_key(one) for one in (read.recipients if read else ())]
        addressed = (
            select(Participant.id)
            .where(col(Participant.message_id) == col(Message.id), col(Participant.email_key).in_(keys))
            .exists()
        )
        if keys:
            query = query.where(addressed)
    return session.exec(query.order_by(col(Message.sent_at).desc()).limit(1)).first()


def _limit(session: Session, notice: Mail, account: Account, about: str | None, at: datetime) -> NoticeEffect:
    until = at + LIMIT_LASTS
    leaving.block_sends(session, account, until)
    refused = _outbound(session, about)
    if refused is None or not _refuses(session, notice, account, refused, at):
        return NoticeEffect("limit_notice", about, blocked_until=until)
    # It leaves anew: what was known of the refused try must not be taken for the next one.
    refused.stamp = secrets.token_urlsafe(18)
    refused.draft_asked_at = refused.draft_id = refused.send_asked_at = refused.sent_gmail_id = None
    refused.lookups = 0
    words = "Gmail refused it for its sending limit: it waits, and leaves by itself"
    leaving.wait_for_limit(session, refused, until, words)
    return NoticeEffect("limit_notice", refused.id, refused.id, until)


def _refuses(session: Session, notice: Mail, account: Account, message: Message, at: datetime) -> bool:
    """Is it about the copy that left last, and not one that was refused before, as another mailbox may tell late?"""
    if message.account_id is None:
        return False
    if session.get_one(Account, message.account_id).email_key != account.email_key:
        return False
    if message.status == MessageStatus.SENDING:
        left_at = message.send_asked_at  # its new id is not known yet
    elif message.status == MessageStatus.SENT:
        left_at = max(message.sent_at, message.send_asked_at or message.sent_at)
        named = (*bounce.original_ids(notice, None), *ancestors(notice))
        if named and message.message_id_header is not None and message.message_id_header not in named:
            return False
    else:
        return False
    return left_at is not None and at + CLOCKS_DIFFER > left_at


def _outbound(session: Session, message_id: str | None) -> Message | None:
    if message_id is None:
        return None
    message = session.exec(
        select(Message)
        .where(Message.id == message_id, Message.direction == Direction.OUTBOUND)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    return message if message is not None and message.status in _HAS_LEFT else None


def _set(session: Session, message: Message, status: MessageStatus, detail: str) -> None:
    outbound.note_in_story(session, message, status)
    message.status, message.status_detail, message.updated_at = status, detail, now()
    session.add(message)
    events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)
