"""A contact of a location, and its addresses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import created, moment, one_of, optional_reference, reference
from models.ids import new_id
from models.states import ContactSource


class Contact(SQLModel, table=True):
    """Of several contacts that share an address the first created owns the mail (S15)."""

    __tablename__ = "contacts"
    __table_args__ = (one_of("source", ContactSource, "contacts"),)

    id: str = Field(default_factory=lambda: new_id("con"), primary_key=True)
    location_id: str = reference("locations.id")
    name: str
    assigned_user_id: str | None = optional_reference("users.id")
    source: str = ContactSource.CRM
    created_at: datetime = created()
    updated_at: datetime = created()
    deleted_at: datetime | None = moment()


class ContactAddress(SQLModel, table=True):
    """One address of a contact; an address may belong to several contacts (S15)."""

    __tablename__ = "contact_addresses"
    __table_args__ = (
        UniqueConstraint("contact_id", "email_key", name="uq_contact_addresses_contact_email"),
        Index("ix_contact_addresses_location_email", "location_id", "email_key"),
    )

    id: str = Field(default_factory=lambda: new_id("cad"), primary_key=True)
    contact_id: str = reference("contacts.id", index=False)
    location_id: str = reference("locations.id", index=False)
    email: str
    email_key: str
    position: int = 0
