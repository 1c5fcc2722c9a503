"""The user's Google contacts, read in full or since the last time, page by page into the CRM (S23)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity

from activities.beating import beating
from activities.mailboxes import Mailboxes
from crm import address_book, timeline
from crm.address_book import CONNECTIONS, OTHER_CONTACTS, Counts, Person
from gmail import consent, errors
from gmail import people as google
from gmail.errors import GoogleError
from models import Account, Location
from models.columns import now
from models.states import AccountState, GmailContacts
from storage.database import Database
from workflows.values import ContactsInput, ContactsReport

log = structlog.get_logger("contacts")

FULL_EVERY = timedelta(days=6)
"""A sync token dies seven days after the full read that it comes from, whatever was read with it since."""

_SOURCES = ((CONNECTIONS, consent.CONTACTS), (OTHER_CONTACTS, consent.OTHER_CONTACTS))


class AddressBooks:
    """Reads each source that the user's consent covers; a page is one transaction."""

    def __init__(self, database: Database, mailboxes: Mailboxes) -> None:
        self._database = database
        self._mailboxes = mailboxes

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.read_contacts]

    @activity.defn(name="read_contacts")
    def read_contacts(self, value: ContactsInput) -> ContactsReport:
        """Read what changed; `going` is False where nothing of this account is read any more."""
        with self._database.session() as session:
            account = session.get(Account, value.account_id)
            if account is None or not self._wanted(account, session.get_one(Location, account.location_id)):
                return ContactsReport(going=False)
        counts = Counts()
        try:
            with beating():
                for source, scope in _SOURCES:
                    if scope in account.granted_scopes:
                        counts.add(self._read(account, source))
        except (errors.GrantRefused, errors.ConsentMissing, errors.MailboxGone) as error:
            # The account's own sync finds the same and says what is to be done; contacts only stop.
            log.info("contacts_refused", account=account.id, error=type(error).__name__)
            return ContactsReport(going=False, location_id=account.location_id)
        except GoogleError as error:
            log.info("contacts_wait", account=account.id, error=type(error).__name__)
            return ContactsReport(
                going=True, location_id=account.location_id, failed_step=True, wait_s=error.retry_after
            )
        if counts.imported or counts.enriched:
            with self._database.session() as session:
                timeline.note(
                    session,
                    account.id,
                    "contacts",
                    f"Google contacts: {counts.imported} imported, {counts.enriched} completed",
                )
        return ContactsReport(
            going=True,
            location_id=account.location_id,
            matched=counts.matched,
            imported=counts.imported,
        )

    @staticmethod
    def _wanted(account: Account, location: Location) -> bool:
        return (
            account.state in (AccountState.ACTIVE, AccountState.RECOVERING)
            and location.gmail_contacts != GmailContacts.OFF
            and consent.CONTACTS in account.granted_scopes
        )

    def _read(self, account: Account, source: str) -> Counts:
        """One source, with the sync token where it is still good, else in full."""
        with self._database.session() as session:
            sync = address_book.progress(session, account, source)
            old = sync.full_sync_at is None or sync.full_sync_at < now() - FULL_EVERY
            token = None if old else sync.sync_token
        try:
            return self._pages(account, source, token)
        except errors.ExpiredSyncToken:
            with self._database.session() as session:
                address_book.start_anew(session, account, source)
            return self._pages(account, source, None)

    def _pages(self, account: Account, source: str, token: str | None) -> Counts:
        people = self._mailboxes.people_of(account)
        read = people.connections if source == CONNECTIONS else people.other_contacts
        counts = Counts()
        wanted: set[str] = set()
        for page in google.all_pages(read, token):
            with self._database.session() as session:
                wanted.add(address_book.setting(session, account))
                counts.add(
                    address_book.apply(session, account, source, [_person(one) for one in page.people])
                )
                if page.next_page_token is None:
                    sync = address_book.progress(session, account, source)
                    # Where the setting changed on the way, people of earlier pages were taken in by the old one.
                    next_token = page.next_sync_token if len(wanted) == 1 else None
                    address_book.was_read(session, sync, next_token, full=token is None)
        return counts

    def refresh(self, account_id: str) -> None:
        """The daily read, as part of an account's upkeep; what it meets stops nobody."""
        report = self.read_contacts(ContactsInput(account_id=account_id))
        log.debug("contacts_refreshed", account=account_id, failed=report.failed_step)


def _person(one: google.Person) -> Person:
    return Person(
        resource_name=one.resource_name,
        name=one.names[0] if one.names else "",
        emails=one.emails,
        deleted=one.deleted,
        previous_resource_names=one.previous_resource_names,
    )
