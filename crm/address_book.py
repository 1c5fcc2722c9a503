"""A user's Google contacts and the contacts of the CRM: matched by address, enriched, imported; never deleted (S23).

Only people that the user keeps in the address book are imported. The addresses that Google collects by itself ("other
contacts") hold everybody who ever wrote, so they match and enrich, but make no contact. A person in the address book
stays tied to its contact, so that a change there reaches the same contact also when the address changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select, update

from crm import contacts
from crm.addresses import domain_of, email_key, mailbox_key
from models import Account, AccountAlias, Contact, ContactsSync, GoogleContact, Location, User
from models.columns import now
from models.states import AccountState, ContactSource, GmailContacts

CONNECTIONS = "connections"
OTHER_CONTACTS = "other_contacts"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the address book; a deleted person has only its resource name."""

    resource_name: str
    name: str = ""
    emails: Sequence[str] = ()
    deleted: bool = False
    previous_resource_names: Sequence[str] = ()


@dataclass(slots=True)
class Counts:
    """What a page of people came to."""

    matched: int = 0
    imported: int = 0
    enriched: int = 0

    def add(self, other: Counts) -> None:
        """Count another page too."""
        self.matched += other.matched
        self.imported += other.imported
        self.enriched += other.enriched


def apply(session: Session, account: Account, source: str, people: Sequence[Person]) -> Counts:
    """Take a page of the address book in, as the location's setting says; again changes nothing.

    Args:
        source: `CONNECTIONS` or `OTHER_CONTACTS`.
    """
    location = session.get_one(Location, account.location_id)
    counts = Counts()
    if location.gmail_contacts == GmailContacts.OFF:
        return counts
    _forget_old_names(session, account, people)
    erased = _erased(session, account, people)
    present = [
        person
        for person in people
        if not person.deleted and person.emails and person.resource_name not in erased
    ]
    keys = {email_key(email) for person in present for email in person.emails}
    internal = _internal(session, location, keys)
    owners = contacts.owners(session, location.id, list(keys))
    tied = _tied(session, account, [person.resource_name for person in present])
    imports = location.gmail_contacts == GmailContacts.IMPORT and source == CONNECTIONS
    rows = []
    for person in present:
        emails = [email for email in person.emails if email_key(email) not in internal]
        if not emails:
            continue
        contact = _contact_of(session, person, emails, owners, tied)
        if contact is not None:
            counts.matched += 1
            counts.enriched += _enrich(session, contact, person, emails, owners)
        elif imports:
            contact = contacts.create(
                session,
                location.id,
                person.name or emails[0],
                emails,
                assigned_user_id=account.user_id,
                source=ContactSource.GMAIL_CONTACTS,
            )
            counts.imported += 1
        if contact is not None:
            owners.update({email_key(e): contact.id for e in emails if email_key(e) not in owners})
        rows.append(_row(account, person, contact))
    if rows:
        statement = insert(GoogleContact)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["account_id", "resource_name"],
                set_={
                    "contact_id": statement.excluded.contact_id,
                    "seen_at": statement.excluded.seen_at,
                    "deleted_at": None,
                },
            ),
            rows,
        )
    return counts


def progress(session: Session, account: Account, source: str) -> ContactsSync:
    """How far a source was read."""
    return session.get(ContactsSync, (account.id, source)) or ContactsSync(
        account_id=account.id, source=source
    )


def was_read(session: Session, sync: ContactsSync, sync_token: str | None, *, full: bool) -> None:
    """The last page of a source was taken in; the token reads on from here."""
    sync.sync_token, sync.synced_at = sync_token, now()
    if full:
        sync.full_sync_at = now()
    session.add(sync)


def start_anew(session: Session, account: Account, source: str) -> None:
    """The sync token is too old: the next read is a full one."""
    _forget_tokens(session, col(ContactsSync.account_id) == account.id, col(ContactsSync.source) == source)


def setting_changed(session: Session, location: Location) -> list[str]:
    """Another setting says another thing of people who did not change: all are read again (S23).

    Returns:
        ids of the accounts to read, none where the setting is now off.
    """
    collecting = session.exec(
        select(Account.id).where(
            Account.location_id == location.id,
            col(Account.state).in_((AccountState.ACTIVE, AccountState.RECOVERING)),
        )
    ).all()
    _forget_tokens(
        session,
        col(ContactsSync.account_id).in_(select(Account.id).where(Account.location_id == location.id)),
    )
    return list(collecting) if location.gmail_contacts != GmailContacts.OFF else []


def setting(session: Session, account: Account) -> str:
    """What the location wants, unchanged until this transaction ends."""
    return session.exec(
        select(Location.gmail_contacts).where(Location.id == account.location_id).with_for_update(read=True)
    ).one()


def _forget_tokens(session: Session, *which: ColumnElement[bool]) -> None:
    session.execute(update(ContactsSync).where(*which).values(sync_token=None))


def _row(account: Account, person: Person, contact: Contact | None) -> dict[str, object]:
    return {
        "account_id": account.id,
        "resource_name": person.resource_name,
        "contact_id": contact.id if contact else None,
        "seen_at": now(),
        "deleted_at": None,
    }


def _forget_old_names(session: Session, account: Account, people: Sequence[Person]) -> None:
    """Deleted people stay known as such; a person that was merged or moved goes on under its new name."""
    gone = [person.resource_name for person in people if person.deleted]
    if gone:
        session.execute(
            update(GoogleContact)
            .where(col(GoogleContact.account_id) == account.id, col(GoogleContact.resource_name).in_(gone))
            .values(deleted_at=now())
        )
    for person in people:
        if not person.previous_resource_names or person.deleted:
            continue
        before = session.exec(
            select(GoogleContact).where(
                GoogleContact.account_id == account.id,
                col(GoogleContact.resource_name).in_(list(person.previous_resource_names)),
            )
        ).all()
        contact_id = next((row.contact_id for row in before if row.contact_id), None)
        erased_at = next((row.erased_at for row in before if row.erased_at), None)
        known = session.get(GoogleContact, (account.id, person.resource_name))
        if (contact_id or erased_at) and known is None:
            session.add(
                GoogleContact(
                    account_id=account.id,
                    resource_name=person.resource_name,
                    contact_id=contact_id,
                    erased_at=erased_at,
                )
            )
        session.execute(
            delete(GoogleContact).where(
                col(GoogleContact.account_id) == account.id,
                col(GoogleContact.resource_name).in_(list(person.previous_resource_names)),
                col(GoogleContact.resource_name) != person.resource_name,
            )
        )
    session.flush()


def _erased(session: Session, account: Account, people: Sequence[Person]) -> set[str]:
    """Who was erased from the CRM and stands in the address book still: not taken in again (S29)."""
    return set(
        session.exec(
            select(GoogleContact.resource_name).where(
                GoogleContact.account_id == account.id,
                col(GoogleContact.resource_name).in_([person.resource_name for person in people]),
                col(GoogleContact.erased_at).is_not(None),
            )
        )
    )


def _tied(session: Session, account: Account, names: Sequence[str]) -> dict[str, str]:
    rows = session.exec(
        select(GoogleContact.resource_name, GoogleContact.contact_id).where(
            GoogleContact.account_id == account.id,
            col(GoogleContact.resource_name).in_(list(names)),
            col(GoogleContact.contact_id).is_not(None),
        )
    )
    return {name: contact_id for name, contact_id in rows if contact_id}


def _contact_of(
    session: Session, person: Person, emails: Sequence[str], owners: dict[str, str], tied: dict[str, str]
) -> Contact | None:
    """The contact by one of the person's addresses; else the one that it was tied to before."""
    ids = [owners[email_key(email)] for email in emails if email_key(email) in owners]
    contact_id = ids[0] if ids else tied.get(person.resource_name)
    contact = session.get(Contact, contact_id) if contact_id else None
    return contact if contact is not None and contact.deleted_at is None else None


def _enrich(
    session: Session, contact: Contact, person: Person, emails: Sequence[str], owners: dict[str, str]
) -> bool:
    """Add what the CRM lacks: a name where there is none, addresses that nobody has. Nothing is taken away."""
    own = contacts.addresses_of(session, [contact.id]).get(contact.id, [])
    added = [email for email in emails if email_key(email) not in owners]
    nameless = not contact.name.strip() or email_key(contact.name) in {email_key(email) for email in own}
    name = person.name if nameless and person.name and person.name != contact.name else None
    if not added and name is None:
        return False
    contacts.change(session, contact, name=name, emails=[*own, *added] if added else None)
    contacts.touched(session, contact)
    return True


def _internal(session: Session, location: Location, keys: Collection[str]) -> set[str]:
    """Which of the addresses are the location's own people's: they never become contacts (S12)."""
    own = {
        mailbox_key(key)
        for statement in (
            select(User.email_key).where(User.location_id == location.id),
            select(Account.email_key).where(Account.location_id == location.id),
            select(AccountAlias.email_key)
            .join(Account, col(Account.id) == col(AccountAlias.account_id))
            .where(Account.location_id == location.id, col(AccountAlias.verified)),
        )
        for key in session.exec(statement)
    } | {mailbox_key(address) for address in location.internal_addresses}
    domains = {domain.strip().lower().lstrip("@") for domain in location.internal_domains if domain.strip()}

    def is_internal(key: str) -> bool:
        domain = domain_of(key)
        return mailbox_key(key) in own or any(domain == d or domain.endswith(f".{d}") for d in domains)

    return {key for key in keys if is_internal(key)}
