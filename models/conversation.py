"""A contact's conversation and the threads in it."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import MOMENT, created, moment, reference
from models.ids import new_id


class Conversation(SQLModel, table=True):
    """All mail with one contact: exactly one for each."""

    __tablename__ = "conversations"

    id: str = Field(default_factory=lambda: new_id("cnv"), primary_key=True)
    location_id: str = reference("locations.id")
    contact_id: str = Field(unique=True, foreign_key="contacts.id", ondelete="CASCADE")
    created_at: datetime = created()
    last_message_at: datetime | None = Field(default=None, sa_type=MOMENT, index=True)


class Thread(SQLModel, table=True):
    """A run of messages that answer each other, in one conversation (S15)."""

    __tablename__ = "threads"

    id: str = Field(default_factory=lambda: new_id("thr"), primary_key=True)
    location_id: str = reference("locations.id")
    conversation_id: str = reference("conversations.id")
    subject: str
    created_at: datetime = created()
    message_count: int = 0
    last_message_at: datetime | None = moment()
    mixed: bool = False
    """Colleagues take part beside the mailbox's owner: what no contact sends or gets stays out (S12)."""


class GmailThread(SQLModel, table=True):
    """Which threads a Gmail thread of one mailbox holds: a forward shares it with the original (S15, S18)."""

    __tablename__ = "gmail_threads"

    account_id: str = reference("accounts.id", primary_key=True, index=False)
    gmail_thread_id: str = Field(primary_key=True)
    thread_id: str = reference("threads.id", primary_key=True)
    created_at: datetime = created()
