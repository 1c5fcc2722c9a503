"""Webhook endpoints: deliveries follow the Standard Webhooks specification."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, Field
from sqlmodel import Session

from api.context import ContextOf
from api.fields import Line
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import not_found
from crm import webhook_endpoints, webhooks
from crm.events import TYPES
from crm.webhook_endpoints import EndpointView
from models import WebhookEndpoint

router = APIRouter(tags=["Webhooks"])


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("must be an http or https address")
    return value


def _known(value: str) -> str:
    if value != "*" and value not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return value


class NewEndpoint(BaseModel):
    url: Annotated[Line, AfterValidator(_web_address)]
    events: list[Annotated[str, AfterValidator(_known)]] = Field(
        [], max_length=50, description="Types of events; none: all of them."
    )


class NewEndpointAnswer(BaseModel):
    id: str
    url: str
    events: list[str]
    secret: str = Field(description="Signs the deliveries; shown once.")


@router.post("/v1/webhook_endpoints", status_code=201, response_model=NewEndpointAnswer)
def create(body: NewEndpoint, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Have the location's events delivered to an address of yours."""
    with context.database.session() as session:

        def work() -> NewEndpointAnswer:
            secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
            types = [] if "*" in body.events else body.events
            endpoint = webhook_endpoints.create(
                session, location_id, body.url, types, context.vault.encrypt(secret)
            )
            return NewEndpointAnswer(id=endpoint.id, url=endpoint.url, events=endpoint.events, secret=secret)

        return once.answer(session, body, 201, work)


def _endpoint(session: Session, location_id: str, endpoint_id: str) -> WebhookEndpoint:
    endpoint = webhook_endpoints.get(session, location_id, endpoint_id)
    if endpoint is None:
        raise not_found("webhook endpoint")
    return endpoint


@router.get("/v1/webhook_endpoints")
def listing(location_id: LocationId, context: ContextOf, paging: Paging) -> Listing[EndpointView]:
    """The location's webhook endpoints."""
    with context.database.session() as session:
        page = webhook_endpoints.listing(session, location_id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: [webhook_endpoints.view(row) for row in rows]))


@router.get("/v1/webhook_endpoints/{endpoint_id}")
def read(endpoint_id: str, location_id: LocationId, context: ContextOf) -> EndpointView:
    """One webhook endpoint."""
    with context.database.session() as session:
        return webhook_endpoints.view(_endpoint(session, location_id, endpoint_id))


@router.post("/v1/webhook_endpoints/{endpoint_id}/enable")
def enable(endpoint_id: str, location_id: LocationId, context: ContextOf) -> EndpointView:
    """Deliver again, at once and from where it stopped: nothing of what happened meanwhile is left out."""
    with context.database.session() as session:
        endpoint = _endpoint(session, location_id, endpoint_id)
        webhooks.enable(session, endpoint)
        session.flush()
        view = webhook_endpoints.view(endpoint)
    context.tell_or_leave(context.commands.deliver_webhooks(endpoint_id), "deliver_webhooks", endpoint_id)
    return view


@router.delete("/v1/webhook_endpoints/{endpoint_id}", status_code=204)
def delete(endpoint_id: str, location_id: LocationId, context: ContextOf) -> None:
    """Stop delivering to an address."""
    with context.database.session() as session:
        session.delete(_endpoint(session, location_id, endpoint_id))
