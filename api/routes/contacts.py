"""Contacts, and the mail that they take part in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from api.context import ContextOf
from api.fields import EmailIn, Name
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import invalid, not_found
from crm import contacts, messages, users
from crm.contacts import ContactView
from crm.messages import MessageView
from models import Contact

router = APIRouter(tags=["Contacts"])


class NewContact(BaseModel):
    name: Name = ""
    emails: list[EmailIn] = Field([], max_length=100)
    assigned_user_id: str | None = None


class ContactChange(BaseModel):
    """What to change; what is left out stays."""

    name: Name | None = None
    emails: list[EmailIn] | None = Field(None, max_length=100)
    assigned_user_id: str | None = None


def contact_of(session: Session, location_id: str, contact_id: str) -> Contact:
    """A contact of the location.

    Raises:
        Problem: 404.
    """
    contact = contacts.get(session, location_id, contact_id)
    if contact is None:
        raise not_found("contact")
    return contact


def _check_user(session: Session, location_id: str, user_id: str | None) -> None:
    if user_id is not None and users.get(session, location_id, user_id) is None:
        raise invalid("#/assigned_user_id", "there is no such user in this location")


@router.post("/v1/contacts", status_code=201, response_model=ContactView)
def create(body: NewContact, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Make a contact. An address may belong to several contacts; the first created gets the mail (S15)."""
    with context.database.session() as session:

        def work() -> ContactView:
            _check_user(session, location_id, body.assigned_user_id)
            contact = contacts.create(
                session, location_id, body.name, body.emails, assigned_user_id=body.assigned_user_id
            )
            return contacts.views(session, [contact])[0]

        return once.answer(session, body, 201, work)


@router.get("/v1/contacts")
def listing(
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
    email: Annotated[
        str | None, Query(max_length=320, description="Only contacts with this address.")
    ] = None,
) -> Listing[ContactView]:
    """The location's contacts, first created first."""
    with context.database.session() as session:
        page = contacts.listing(session, location_id, paging.limit, paging.cursor, email=email)
        return Listing.of(page.map(lambda rows: contacts.views(session, rows)))


@router.get("/v1/contacts/{contact_id}")
def read(contact_id: str, location_id: LocationId, context: ContextOf) -> ContactView:
    """One contact."""
    with context.database.session() as session:
        return contacts.views(session, [contact_of(session, location_id, contact_id)])[0]


@router.patch("/v1/contacts/{contact_id}")
def change(contact_id: str, body: ContactChange, location_id: LocationId, context: ContextOf) -> ContactView:
    """Change a contact."""
    with context.database.session() as session:
        contact = contact_of(session, location_id, contact_id)
        if "assigned_user_id" in body.model_fields_set:
            _check_user(session, location_id, body.assigned_user_id)
            contact.assigned_user_id = body.assigned_user_id
        contacts.change(session, contact, name=body.name, emails=body.emails)
        return contacts.views(session, [contact])[0]


@router.get("/v1/contacts/{contact_id}/messages")
def list_messages(
    contact_id: str, location_id: LocationId, context: ContextOf, paging: Paging
) -> Listing[MessageView]:
    """All messages that the contact takes part in, CC and BCC too (S13), newest first."""
    with context.database.session() as session:
        contact = contact_of(session, location_id, contact_id)
        page = messages.of_contact(session, location_id, contact.id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: messages.views(session, rows)))
