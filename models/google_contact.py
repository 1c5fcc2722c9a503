"""What we know of a user's Google contacts (S23)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import created, moment, optional_reference, reference


class GoogleContact(SQLModel, table=True):
    """A person in the address book, tied to the CRM contact that it matched or became."""

    __tablename__ = "google_contacts"

    account_id: str = reference("accounts.id", primary_key=True, index=False)
    resource_name: str = Field(primary_key=True)
    contact_id: str | None = optional_reference("contacts.id")
    seen_at: datetime = created()
    deleted_at: datetime | None = moment()
    erased_at: datetime | None = moment()
    """The CRM contact was erased (S29): the person is not taken in again."""


class ContactsSync(SQLModel, table=True):
    """How far an address book was read; a sync token dies seven days after its full sync (People API)."""

    __tablename__ = "contacts_syncs"

    account_id: str = reference("accounts.id", primary_key=True, index=False)
    source: str = Field(primary_key=True)  # "connections" or "other_contacts"
    sync_token: str | None = None
    full_sync_at: datetime | None = moment()
    synced_at: datetime | None = moment()
