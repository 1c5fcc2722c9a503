"""Conversations, one per contact, with their threads and what is unread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel
from sqlalchemy import and_, func, not_, or_
from sqlmodel import Session, col, exists, select, tuple_

from crm.paging import Page, page_of, position_of
from models import Contact, Conversation, GmailMessage, Message, Thread
from models.states import Direction

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class ThreadView(BaseModel):
    """A run of messages that answer each other."""

    id: str
    subject: str
    message_count: int
    last_message_at: datetime | None


class ConversationView(BaseModel):
    """All mail with one contact; `unread` counts inbound messages that no mailbox has read (S24)."""

    id: str
    contact_id: str
    contact_name: str
    last_message_at: datetime | None
    unread: int
    threads: list[ThreadView]


def get(session: Session, location_id: str, conversation_id: str) -> Conversation | None:
    """A conversation of the location, or None."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or conversation.location_id != location_id:
        return None
    return conversation


def listing(
    session: Session,
    location_id: str,
    limit: int,
    cursor: str | None = None,
    *,
    contact_id: str | None = None,
) -> Page[Conversation]:
    """The location's conversations, the one with the newest message first."""
    latest = func.coalesce(col(Conversation.last_message_at), _NEVER)
    query = select(Conversation).where(Conversation.location_id == location_id)
    if contact_id is not None:
        query = query.where(Conversation.contact_id == contact_id)
    if (position := position_of("conversations", cursor, datetime, str)) is not None:
        query = query.where(tuple_(latest, col(Conversation.id)) < position)
    query = query.order_by(latest.desc(), col(Conversation.id).desc()).limit(limit + 1)
    return page_of(
        session.exec(query).all(),
        limit,
        "conversations",
        lambda row: (row.last_message_at or _NEVER, row.id),
    )


def unread_counts(session: Session, conversation_ids: Sequence[str]) -> dict[str, int]:
    """Inbound messages that no mailbox has read (without a mailbox: nobody here), by conversation."""
    copy = exists().where(col(GmailMessage.message_id) == col(Message.id))
    is_read = or_(copy.where(col(GmailMessage.unread).is_(False)), and_(col(Message.read), not_(copy)))
    rows = session.exec(
        select(Message.conversation_id, func.count())
        .where(
            col(Message.conversation_id).in_(conversation_ids),
            Message.direction == Direction.INBOUND,
            col(Message.hidden_by).is_(None),
            not_(is_read),
        )
        .group_by(col(Message.conversation_id))
    )
    return dict(rows.all())


def views(session: Session, conversations: Sequence[Conversation]) -> list[ConversationView]:
    """The conversations as the API shows them, in their order, in three queries however many there are."""
    ids = [conversation.id for conversation in conversations]
    unread = unread_counts(session, ids)
    names = dict(
        session.exec(
            select(Contact.id, Contact.name).where(col(Contact.id).in_([c.contact_id for c in conversations]))
        ).all()
    )
    threads: dict[str, list[ThreadView]] = defaultdict(list)
    for thread in session.exec(
        select(Thread)
        .where(col(Thread.conversation_id).in_(ids))
        .order_by(col(Thread.last_message_at).desc().nulls_last(), col(Thread.id).desc())
    ):
        threads[thread.conversation_id].append(
            ThreadView(
                id=thread.id,
                subject=thread.subject,
                message_count=thread.message_count,
                last_message_at=thread.last_message_at,
            )
        )
    return [
        ConversationView(
            id=conversation.id,
            contact_id=conversation.contact_id,
            contact_name=names.get(conversation.contact_id, ""),
            last_message_at=conversation.last_message_at,
            unread=unread.get(conversation.id, 0),
            threads=threads[conversation.id],
        )
        for conversation in conversations
    ]
