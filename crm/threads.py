"""Conversations and the threads in them: opened where missing, and their counts kept (S15)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from models import Conversation, GmailThread, Thread
from models.columns import now
from models.ids import new_id


def conversation_of(session: Session, location_id: str, contact_id: str) -> Conversation:
    """The contact's conversation; made if it is the contact's first mail. Two at once end in one."""
    found = session.exec(select(Conversation).where(Conversation.contact_id == contact_id)).first()
    if found is not None:
        return found
    session.execute(
        insert(Conversation)
        .values(id=new_id("cnv"), location_id=location_id, contact_id=contact_id, created_at=now())
        .on_conflict_do_nothing(index_elements=["contact_id"])
    )
    return session.exec(select(Conversation).where(Conversation.contact_id == contact_id)).one()


def open_thread(session: Session, conversation: Conversation, subject: str) -> Thread:
    """A new thread of the conversation."""
    thread = Thread(location_id=conversation.location_id, conversation_id=conversation.id, subject=subject)
    session.add(thread)
    session.flush()
    return thread


def count_message(session: Session, thread: Thread, sent_at: datetime) -> None:
    """A message came into the thread: its count, and the last moment of thread and conversation."""
    session.execute(
        update(Thread)
        .where(col(Thread.id) == thread.id)
        .values(
            message_count=col(Thread.message_count) + 1,
            last_message_at=func.greatest(func.coalesce(col(Thread.last_message_at), sent_at), sent_at),
        )
    )
    session.execute(
        update(Conversation)
        .where(col(Conversation.id) == thread.conversation_id)
        .values(
            last_message_at=func.greatest(func.coalesce(col(Conversation.last_message_at), sent_at), sent_at)
        )
    )


def link_gmail_thread(session: Session, account_id: str, gmail_thread_id: str, thread_id: str) -> None:
    """Messages of this thread lie in that Gmail thread of the mailbox: what comes into it belongs here (S8)."""
    session.execute(
        insert(GmailThread)
        .values(account_id=account_id, gmail_thread_id=gmail_thread_id, thread_id=thread_id, created_at=now())
        .on_conflict_do_nothing()
    )
