"""A mail that came to the SMTP listener (S16)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import created, json_object, moment, optional_reference
from models.ids import new_id


class InboundMail(SQLModel, table=True):
    """Kept before 250 is said; filed by a workflow."""

    __tablename__ = "inbound_mails"
    __table_args__ = (Index("ix_inbound_mails_waiting", "received_at", postgresql_where="filed_at IS NULL"),)

    id: str = Field(default_factory=lambda: new_id("inb"), primary_key=True)
    location_id: str | None = optional_reference("locations.id", on_delete="CASCADE")
    user_id: str | None = optional_reference("users.id", on_delete="CASCADE")
    purpose: str  # "auto_bcc" or "campaign_return"
    return_token: str | None = None
    received_at: datetime = created()
    blob: str
    size: int
    digest: str = Field(unique=True)
    """SHA-256 over recipient and content: a repeated delivery after a lost 250 is the same mail."""
    authentication: dict[str, Any] = json_object()
    filed_at: datetime | None = moment()
    outcome: str | None = None
    message_id: str | None = optional_reference("messages.id")
