"""Bulk mail through the location's SMTP provider (S25)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import created, moment, one_of, optional_reference, reference
from models.ids import new_id
from models.states import CampaignState, RecipientState


class Campaign(SQLModel, table=True):
    """One mail to many contacts, each addressed alone."""

    __tablename__ = "campaigns"
    __table_args__ = (one_of("state", CampaignState, "campaigns"),)

    id: str = Field(default_factory=lambda: new_id("cmp"), primary_key=True)
    location_id: str = reference("locations.id")
    user_id: str = reference("users.id")
    from_email: str
    """The campaign's own From; empty: the contact's assigned user, then the location (S25)."""
    from_name: str = ""
    subject: str
    html: str | None = None
    text: str | None = None
    state: str = CampaignState.QUEUED
    reason: str | None = None
    created_at: datetime = created()
    updated_at: datetime = created()


class CampaignRecipient(SQLModel, table=True):
    """One recipient: never mailed again once its outcome is unknown."""

    __tablename__ = "campaign_recipients"
    __table_args__ = (
        one_of("state", RecipientState, "campaign_recipients"),
        Index("ix_campaign_recipients_state", "campaign_id", "state", "position"),
    )

    campaign_id: str = reference("campaigns.id", primary_key=True, index=False)
    contact_id: str = reference("contacts.id", primary_key=True)
    position: int
    email: str
    email_key: str = Field(index=True)
    state: str = RecipientState.PENDING
    reason: str | None = None
    at: datetime | None = moment()
    attempts: int = 0
    """How often it was refused for now."""
    next_try_at: datetime | None = moment()
    return_token: str = Field(unique=True)
    """Names the recipient in the return path and in the unsubscribe link."""
    message_id: str | None = optional_reference("messages.id")


class Suppression(SQLModel, table=True):
    """An address that gets no bulk mail of the location any more."""

    __tablename__ = "suppressions"

    location_id: str = reference("locations.id", primary_key=True, index=False)
    email_key: str = Field(primary_key=True)
    reason: str
    at: datetime = created()
