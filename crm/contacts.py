"""Contacts of a location and their addresses (S13, S15)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import delete, func, or_, update
from sqlmodel import Session, col, select

from crm import events
from crm.addresses import email_key
from crm.paging import Page, page_of, position_of
from models import Contact, ContactAddress, Participant
from models.columns import now
from models.ids import new_id
from models.states import ContactSource


class ContactView(BaseModel):
    """A contact as the API shows it."""

    id: str
    name: str
    emails: list[str]
    source: str
    assigned_user_id: str | None
    created_at: datetime
    updated_at: datetime


def create(
    session: Session,
    location_id: str,
    name: str,
    emails: Sequence[str],
    *,
    assigned_user_id: str | None = None,
    source: ContactSource = ContactSource.CRM,
) -> Contact:
    """A new contact; mail of its addresses that is here already is linked to it where nobody has it (S13)."""
    contact = Contact(location_id=location_id, name=name, assigned_user_id=assigned_user_id, source=source)
    session.add(contact)
    session.flush()
    _add_addresses(session, contact, emails)
    session.flush()
    relink(session, location_id, [email_key(email) for email in emails])
    events.emit(session, location_id, events.CONTACT_CREATED, contact.id)
    return contact


def get(session: Session, location_id: str, contact_id: str) -> Contact | None:
    """A contact of the location, or None; deleted ones are not there."""
    contact = session.get(Contact, contact_id)
    if contact is None or contact.location_id != location_id or contact.deleted_at is not None:
        return None
    return contact


def listing(
    session: Session,
    location_id: str,
    limit: int,
    cursor: str | None = None,
    *,
    email: str | None = None,
) -> Page[Contact]:
    """The location's contacts, first created first: of one address the first owns the mail (S15)."""
    query = select(Contact).where(Contact.location_id == location_id, col(Contact.deleted_at).is_(None))
    if email is not None:
        having = select(ContactAddress.contact_id).where(
            ContactAddress.location_id == location_id, ContactAddress.email_key == email_key(email)
        )
        query = query.where(col(Contact.id).in_(having))
    if (position := position_of("contacts", cursor, str)) is not None:
        query = query.where(col(Contact.id) > position[0])
    query = query.order_by(col(Contact.id)).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "contacts", lambda contact: (contact.id,))


def owners(session: Session, location_id: str, keys: Sequence[str]) -> dict[str, str]:
    """Address key to the contact that has it; of several the first created (S15)."""
    rows = session.exec(
        select(ContactAddress.email_key, Contact.id)
        .join(Contact, col(Contact.id) == col(ContactAddress.contact_id))
        .where(
            ContactAddress.location_id == location_id,
            col(ContactAddress.email_key).in_(keys),
            col(Contact.deleted_at).is_(None),
        )
        .order_by(col(Contact.created_at).desc(), col(Contact.id).desc())
    ).all()
    return dict(rows)


def change(
    session: Session,
    contact: Contact,
    *,
    name: str | None = None,
    emails: Sequence[str] | None = None,
) -> None:
    """Change a contact; a changed set of addresses also moves the links of mail that is here (S13)."""
    if name is not None:
        contact.name = name
    if emails is not None:
        before = addresses_of(session, [contact.id])[contact.id]
        session.execute(delete(ContactAddress).where(col(ContactAddress.contact_id) == contact.id))
        _add_addresses(session, contact, emails)
        session.flush()
        relink(session, contact.location_id, [email_key(email) for email in (*before, *emails)])
    touched(session, contact)


def touched(session: Session, contact: Contact) -> None:
    """The contact was changed: when, and the event."""
    contact.updated_at = now()
    session.add(contact)
    events.emit(session, contact.location_id, events.CONTACT_UPDATED, contact.id)


def delete_softly(session: Session, contact: Contact) -> None:
    """Take a contact out of sight and out of the rules; its mail stays (S29 erases)."""
    contact.deleted_at = now()
    session.add(contact)
    session.flush()
    relink(
        session, contact.location_id, [email_key(e) for e in addresses_of(session, [contact.id])[contact.id]]
    )
    events.emit(session, contact.location_id, events.CONTACT_UPDATED, contact.id)


def relink(session: Session, location_id: str, keys: Sequence[str]) -> None:
    """Point the participants with these addresses at the contact that has them now (S13)."""
    first = (
        select(Contact.id)
        .join(ContactAddress, col(ContactAddress.contact_id) == col(Contact.id))
        .where(
            col(ContactAddress.location_id) == location_id,
            col(ContactAddress.email_key) == col(Participant.email_key),
            col(Contact.deleted_at).is_(None),
        )
        .order_by(col(Contact.created_at), col(Contact.id))
        .limit(1)
        .scalar_subquery()
    )
    session.execute(
        update(Participant)
        .where(
            col(Participant.location_id) == location_id,
            col(Participant.email_key).in_(sorted(set(keys))),
            col(Participant.contact_id).is_distinct_from(first),
        )
        .values(contact_id=first)
        .execution_options(synchronize_session=False)
    )


def matching(session: Session, location_id: str, words: str, limit: int) -> list[Contact]:
    """Contacts whose name or address holds the words, first created first."""
    pattern = f"%{words.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
    having = select(ContactAddress.contact_id).where(
        ContactAddress.location_id == location_id,
        col(ContactAddress.email_key).like(func.lower(pattern), escape="!"),
    )
    return list(
        session.exec(
            select(Contact)
            .where(
                Contact.location_id == location_id,
                col(Contact.deleted_at).is_(None),
                or_(col(Contact.name).ilike(pattern, escape="!"), col(Contact.id).in_(having)),
            )
            .order_by(col(Contact.id))
            .limit(limit)
        )
    )


def addresses_of(session: Session, contact_ids: Sequence[str]) -> dict[str, list[str]]:
    """The addresses of contacts, in the order in which they were given."""
    found: dict[str, list[str]] = defaultdict(list)
    for address in session.exec(
        select(ContactAddress)
        .where(col(ContactAddress.contact_id).in_(contact_ids))
        .order_by(col(ContactAddress.position), col(ContactAddress.id))
    ):
        found[address.contact_id].append(address.email)
    return found


def views(session: Session, contacts: Sequence[Contact]) -> list[ContactView]:
    """The contacts as the API shows them, in their order."""
    emails = addresses_of(session, [contact.id for contact in contacts])
    return [
        ContactView(
            id=contact.id,
            name=contact.name,
            emails=emails[contact.id],
            source=contact.source,
            assigned_user_id=contact.assigned_user_id,
            created_at=contact.created_at,
            updated_at=contact.updated_at,
        )
        for contact in contacts
    ]


def _add_addresses(session: Session, contact: Contact, emails: Sequence[str]) -> None:
    distinct = {email_key(email): email.strip() for email in reversed(emails)}
    for position, key in enumerate(dict.fromkeys(email_key(email) for email in emails)):
        session.add(
            ContactAddress(
                id=new_id("cad"),
                contact_id=contact.id,
                location_id=contact.location_id,
                email=distinct[key],
                email_key=key,
                position=position,
            )
        )
