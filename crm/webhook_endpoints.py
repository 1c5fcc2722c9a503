"""Addresses that get a location's events (Standard Webhooks)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select

from crm import events
from crm.paging import Page, page_of, position_of
from models import WebhookEndpoint


class EndpointView(BaseModel):
    """An endpoint as the API shows it; its secret is shown once, when it is made."""

    id: str
    url: str
    events: list[str]
    created_at: datetime
    disabled_at: datetime | None
    reason: str | None


def create(
    session: Session, location_id: str, url: str, types: Sequence[str], secret_encrypted: bytes
) -> WebhookEndpoint:
    """A new endpoint, for what happens from now on."""
    endpoint = WebhookEndpoint(
        location_id=location_id,
        url=url,
        events=list(types),
        secret_encrypted=secret_encrypted,
        last_seq=events.newest_seq(session, location_id),
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def get(session: Session, location_id: str, endpoint_id: str) -> WebhookEndpoint | None:
    """An endpoint of the location, or None."""
    endpoint = session.get(WebhookEndpoint, endpoint_id)
    return endpoint if endpoint is not None and endpoint.location_id == location_id else None


def listing(
    session: Session, location_id: str, limit: int, cursor: str | None = None
) -> Page[WebhookEndpoint]:
    """The location's endpoints, first made first."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.location_id == location_id)
    if (position := position_of("webhook_endpoints", cursor, str)) is not None:
        query = query.where(col(WebhookEndpoint.id) > position[0])
    query = query.order_by(col(WebhookEndpoint.id)).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "webhook_endpoints", lambda row: (row.id,))


def view(endpoint: WebhookEndpoint) -> EndpointView:
    """The view of a row."""
    return EndpointView.model_validate(endpoint, from_attributes=True)
