"""Which mail of ours an answer answers (S24)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from models import Message
from models.columns import now
from models.states import Direction


def mark(session: Session, thread_id: str, answered_id: str | None, at: datetime) -> str | None:
    """Note that our mail was answered: the one named, if it is ours, else our newest before it in the thread.

    Returns:
        the id of the mail whose row changed; None where there is none, or an earlier answer is known.
    """
    ours = (
        _ours(session, answered_id)
        or session.exec(
            select(Message.id)
            .where(
                Message.thread_id == thread_id,
                Message.direction == Direction.OUTBOUND,
                col(Message.sent_at) <= at,
            )
            .order_by(col(Message.sent_at).desc())
            .limit(1)
        ).first()
    )
    if ours is None:
        return None
    return session.execute(
        update(Message)
        .where(col(Message.id) == ours, or_(col(Message.replied_at).is_(None), col(Message.replied_at) > at))
        .values(replied_at=at, updated_at=now())
        .returning(col(Message.id))
    ).scalar()


def _ours(session: Session, message_id: str | None) -> str | None:
    return session.exec(
        select(Message.id).where(Message.id == message_id, Message.direction == Direction.OUTBOUND)
    ).first()
