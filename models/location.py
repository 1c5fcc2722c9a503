"""A location: the tenant, and its settings."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import created, json_list, one_of
from models.ids import new_id
from models.states import GmailContacts, InboundScope


class Location(SQLModel, table=True):
    """A CRM sub-account. Settings take effect at once, also on mail that waits."""

    __tablename__ = "locations"
    __table_args__ = (
        one_of("inbound_scope", InboundScope, "locations"),
        one_of("gmail_contacts", GmailContacts, "locations"),
    )

    id: str = Field(default_factory=lambda: new_id("loc"), primary_key=True)
    name: str
    api_key_hash: str = Field(unique=True)
    created_at: datetime = created()
    inbound_scope: str = InboundScope.ANY_CONTACT
    gmail_contacts: str = GmailContacts.IMPORT
    internal_domains: list[str] = json_list()
    internal_addresses: list[str] = json_list()
    tracking_opens: bool = False
    tracking_clicks: bool = False
    smtp_provider_url_encrypted: bytes | None = None
    daily_recipient_limit: int | None = None
