"""The ledger of what leaves a Gmail address in a rolling 24 h (S26)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import created, moment, one_of, optional_reference
from models.ids import new_id
from models.states import LedgerState


class LedgerEntry(SQLModel, table=True):
    """Recipients of one mail: waiting for a place, holding one, used, or released. Belongs to the address."""

    __tablename__ = "send_ledger"
    __table_args__ = (
        UniqueConstraint("email_key", "gmail_id", name="uq_send_ledger_gmail_id"),
        one_of("state", LedgerState, "send_ledger"),
        Index("ix_send_ledger_address", "email_key", "state", "at"),
    )

    id: str = Field(default_factory=lambda: new_id("led"), primary_key=True)
    email_key: str
    message_id: str | None = optional_reference("messages.id", on_delete="SET NULL")
    gmail_id: str | None = None
    recipients: int
    priority: int = 5
    """1 = an answer that somebody waits for, 5 = the others; within one priority in order of arrival."""
    state: str = LedgerState.WAITING
    queued_at: datetime = created()
    at: datetime | None = moment()
    """When it left (used) or got its place (reserved)."""
