"""Locations: made with the admin's key; each has its own key and settings."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from api.context import Context, ContextOf
from api.fields import EmailIn, Line, Name
from api.keys import AdminCaller, AnyCaller, Caller
from api.lists import Listing, Paging
from api.once import Once
from api.problems import not_found
from crm import address_book, locations
from models import Location
from models.states import GmailContacts, InboundScope

router = APIRouter(tags=["Locations"])

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")


def domain(value: str) -> str:
    """A domain as a setting holds it: lower case, ASCII.

    Raises:
        ValueError: it is none.
    """
    value = value.strip().lower().removeprefix("@").rstrip(".")
    try:
        value = value.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("is not a domain such as example.com") from None
    if len(value) > 253 or not _DOMAIN.fullmatch(value):
        raise ValueError("is not a domain such as example.com")
    return value


def _provider(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port is None:
        raise ValueError("must be like smtp://user:password@host:587 or smtps://user:password@host:465")
    return value


class NewLocation(BaseModel):
    name: Annotated[Name, Field(min_length=1)]


class NewLocationAnswer(BaseModel):
    id: str
    name: str
    api_key: str = Field(description="Shown once: only a hash of it is kept.")


class Tracking(BaseModel):
    """Open and click tracking (S24); off until switched on."""

    model_config = ConfigDict(extra="forbid")

    opens: bool = False
    clicks: bool = False


class LocationChange(BaseModel):
    """Settings to change; those left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, Field(min_length=1)] = ""
    inbound_scope: InboundScope = InboundScope.ANY_CONTACT
    gmail_contacts: GmailContacts = GmailContacts.IMPORT
    internal_domains: list[Annotated[str, AfterValidator(domain)]] = Field([], max_length=1000)
    internal_addresses: list[EmailIn] = Field([], max_length=10_000)
    tracking: Tracking = Tracking()
    smtp_provider_url: Annotated[Line | None, AfterValidator(_provider)] = None
    daily_recipient_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, value: Any) -> Any:
        nullable = {"smtp_provider_url", "daily_recipient_limit"}
        if isinstance(value, dict):
            for name, item in value.items():
                if item is None and name in cls.model_fields and name not in nullable:
                    raise ValueError(f"`{name}` must not be null; leave it out to keep it as it is")
        return value


class LocationView(BaseModel):
    """A location and its settings; the provider's password is not shown."""

    id: str
    name: str
    created_at: datetime
    inbound_scope: InboundScope
    gmail_contacts: GmailContacts
    internal_domains: list[str]
    internal_addresses: list[str]
    tracking: Tracking
    smtp_provider_url: str | None
    daily_recipient_limit: int | None

    @classmethod
    def of(cls, location: Location, context: Context) -> Self:
        """The view of a row."""
        sealed = location.smtp_provider_url_encrypted
        return cls(
            id=location.id,
            name=location.name,
            created_at=location.created_at,
            inbound_scope=InboundScope(location.inbound_scope),
            gmail_contacts=GmailContacts(location.gmail_contacts),
            internal_domains=location.internal_domains,
            internal_addresses=location.internal_addresses,
            tracking=Tracking(opens=location.tracking_opens, clicks=location.tracking_clicks),
            smtp_provider_url=_without_password(context.vault.decrypt(sealed)) if sealed else None,
            daily_recipient_limit=location.daily_recipient_limit,
        )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


@router.post("/v1/locations", status_code=201, response_model=NewLocationAnswer)
def create(body: NewLocation, _caller: AdminCaller, context: ContextOf, once: Once) -> Response:
    """Make a location (admin's key). Its API key is shown in this answer only."""
    with context.database.session() as session:

        def work() -> NewLocationAnswer:
            location, api_key = locations.create(session, body.name)
            return NewLocationAnswer(id=location.id, name=location.name, api_key=api_key)

        return once.answer(session, body, 201, work)


@router.get("/v1/locations")
def listing(_caller: AdminCaller, context: ContextOf, paging: Paging) -> Listing[LocationView]:
    """All locations (admin's key)."""
    with context.database.session() as session:
        page = locations.listing(session, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: [LocationView.of(location, context) for location in rows]))


def _visible(caller: Caller, location_id: str) -> None:
    if caller.location_id is not None and caller.location_id != location_id:
        raise not_found("location")


@router.get("/v1/locations/{location_id}")
def read(location_id: str, caller: AnyCaller, context: ContextOf) -> LocationView:
    """A location's settings."""
    _visible(caller, location_id)
    with context.database.session() as session:
        location = locations.get(session, location_id)
        if location is None:
            raise not_found("location")
        return LocationView.of(location, context)


@router.patch("/v1/locations/{location_id}")
def change(location_id: str, body: LocationChange, caller: AnyCaller, context: ContextOf) -> LocationView:
    """Change settings. They take effect at once, also on mail that waits."""
    _visible(caller, location_id)
    given = body.model_fields_set
    with context.database.session() as session:
        location = locations.get(session, location_id)
        if location is None:
            raise not_found("location")
        contacts_setting = location.gmail_contacts
        for name in given - {"tracking", "smtp_provider_url"}:
            setattr(location, name, getattr(body, name))
        if "tracking" in given:
            if "opens" in body.tracking.model_fields_set:
                location.tracking_opens = body.tracking.opens
            if "clicks" in body.tracking.model_fields_set:
                location.tracking_clicks = body.tracking.clicks
        if "smtp_provider_url" in given:
            url = body.smtp_provider_url
            # A URL as we show it keeps the password that is there.
            kept = location.smtp_provider_url_encrypted
            if not (url and kept and url == _without_password(context.vault.decrypt(kept))):
                location.smtp_provider_url_encrypted = context.vault.encrypt(url) if url else None
        session.add(location)
        session.flush()
        waiting: list[str] = []
        if given & {"daily_recipient_limit", "smtp_provider_url"}:
            waiting = locations.waiting_messages(session, location_id)
        to_read: list[str] = []
        if location.gmail_contacts != contacts_setting:
            to_read = address_book.setting_changed(session, location)
        answer = LocationView.of(location, context)
    for account_id in to_read:
        context.tell_or_leave(context.commands.sync_contacts(account_id), "sync_contacts", account_id)
    for message_id in waiting:
        context.tell_or_leave(context.commands.message_changed(message_id), "message_changed", message_id)
    return answer
