"""What a mailbox has of a message, and what was decided of each Gmail id."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import MOMENT, created, moment, one_of, optional_reference, reference
from models.states import Outcome


class GmailMessage(SQLModel, table=True):
    """A copy of a message in one mailbox: a Gmail id points at one message (I2).

    The index of the primary key begins with `gmail_id`, see `crm.facts`; so does that of decisions.
    """

    __tablename__ = "gmail_messages"
    __table_args__ = (
        Index("ix_gmail_messages_thread", "account_id", "gmail_thread_id"),
        Index("ix_gmail_messages_marked", "marked_at", postgresql_where="marked_at IS NOT NULL"),
    )

    account_id: str = reference("accounts.id", primary_key=True, index=False)
    gmail_id: str = Field(primary_key=True)
    message_id: str = reference("messages.id")
    gmail_thread_id: str
    internal_date: datetime = Field(sa_type=MOMENT)
    sent: bool = False
    unread: bool = False
    deleted: bool = False
    marked_at: datetime | None = moment()
    """When `unread` was set here; None once Gmail's label has followed (S24)."""


class MatchKey(SQLModel, table=True):
    """A key by which the same mail is known in another mailbox: one message in a location (S21)."""

    __tablename__ = "match_keys"

    location_id: str = reference("locations.id", primary_key=True, index=False)
    key: str = Field(primary_key=True)
    message_id: str = reference("messages.id")


class Decision(SQLModel, table=True):
    """One for each Gmail id (I1, S28); of mail that does not sync it keeps ids, time and rule only."""

    __tablename__ = "decisions"
    __table_args__ = (
        one_of("outcome", Outcome, "decisions"),
        Index("ix_decisions_account_at", "account_id", "at"),
        Index("ix_decisions_retry", "next_try_at", postgresql_where="outcome = 'failed'"),
        Index("ix_decisions_thread", "account_id", "gmail_thread_id"),
        Index("ix_decisions_failed", "account_id", "gmail_thread_id", postgresql_where="outcome = 'failed'"),
        Index("ix_decisions_left", "message_id_hash", postgresql_where="left_thread"),
        Index("ix_decisions_left_thread", "account_id", "message_id_hash", postgresql_where="left_thread"),
    )

    account_id: str = reference("accounts.id", primary_key=True, index=False)
    gmail_id: str = Field(primary_key=True)
    at: datetime = created()
    outcome: str
    rule: str
    detail: str = ""
    message_id: str | None = optional_reference("messages.id")
    gmail_thread_id: str | None = None
    internal_date: datetime | None = moment()
    attempts: int = 0
    next_try_at: datetime | None = moment()
    message_id_hash: str | None = None
    """SHA-256 of the Message-ID, so that answers to a forward that left the thread are known (S18)."""
    left_thread: bool = False
