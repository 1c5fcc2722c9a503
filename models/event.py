"""What the outside is told: events, webhook endpoints and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import created, json_list, json_object, moment, reference
from models.ids import new_id


class Event(SQLModel, table=True):
    """Written in the transaction of the change it tells; `seq` orders and resumes the stream."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_location_seq", "location_id", "seq"),)

    seq: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    location_id: str = reference("locations.id", index=False)
    type: str
    at: datetime = created()
    resource_id: str
    data: dict[str, Any] = json_object()
    """Small facts that the resource itself does not show; the resource is rendered when it is delivered."""


class WebhookEndpoint(SQLModel, table=True):
    """An address that gets the location's events."""

    __tablename__ = "webhook_endpoints"

    id: str = Field(default_factory=lambda: new_id("whe"), primary_key=True)
    location_id: str = reference("locations.id")
    url: str
    events: list[str] = json_list()
    secret_encrypted: bytes
    created_at: datetime = created()
    disabled_at: datetime | None = moment()
    reason: str | None = None
    last_seq: int = Field(default=0, sa_type=BigInteger)
    """Events up to this one have been handed to deliveries."""


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_seq", name="uq_webhook_deliveries_event"),
        Index("ix_webhook_deliveries_due", "endpoint_id", "next_try_at"),
    )

    id: str = Field(default_factory=lambda: new_id("whd"), primary_key=True)
    endpoint_id: str = reference("webhook_endpoints.id", index=False)
    event_seq: int = Field(
        sa_column=Column(BigInteger, ForeignKey("events.seq", ondelete="CASCADE"), nullable=False)
    )
    attempts: int = 0
    next_try_at: datetime | None = moment()
    delivered_at: datetime | None = moment()
    last_error: str | None = None


class IdempotencyKey(SQLModel, table=True):
    """The first answer to a POST, given again to the same key and body (contract: HTTP API)."""

    __tablename__ = "idempotency_keys"

    scope: str = Field(primary_key=True)
    """The location, or `admin`."""
    key: str = Field(primary_key=True)
    request_hash: str
    status: int | None = None
    answer_encrypted: bytes | None = None
    resource_id: str | None = Field(default=None, index=True)
    """What the answer shows; once that is erased the answer goes too (S29)."""
    created_at: datetime = created()
