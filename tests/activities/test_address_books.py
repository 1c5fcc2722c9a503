"""S23: Google contacts under a setting that changes, also while they are read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm import address_book
from devstack.story import unique
from gmail import people as google
from gmail.people import PeoplePage
from models import Location
from models.states import GmailContacts
from tests.activities.mailroom import Mailroom
from workflows.values import AccountInput, ContactsInput, ContactsReport

pytestmark = pytest.mark.servers


def change(room: Mailroom, location_id: str, setting: GmailContacts) -> list[str]:
    """As the API does; the accounts that are to be read now."""
    with room.environment.database.session() as session:
        location = session.get_one(Location, location_id)
        location.gmail_contacts = setting
        session.flush()
        return address_book.setting_changed(session, location)


def with_people(room: Mailroom, location_id: str, number: int) -> str:
    """A connected account with people in its address book."""
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    people = [{"name": f"Person {n}", "emails": [f"{unique('p')}@new.example"]} for n in range(number)]
    room.gmail.put_contacts(mailbox, people)
    account_id = room.grant(room.user(location_id), mailbox)
    assert room.connecting.connect(AccountInput(account_id=account_id)).state == "active"
    return account_id


def read(room: Mailroom, account_id: str) -> ContactsReport:
    return room.address_books.read_contacts(ContactsInput(account_id=account_id))


def test_s23_people_who_did_not_change_are_imported_when_the_setting_allows_it(room: Mailroom) -> None:
    location = room.location()
    change(room, location, GmailContacts.MATCH)
    account_id = with_people(room, location, 2)
    assert read(room, account_id).imported == 0
    assert change(room, location, GmailContacts.OFF) == []
    assert not read(room, account_id).going
    assert change(room, location, GmailContacts.IMPORT) == [account_id]
    assert read(room, account_id).imported == 2
    assert read(room, account_id).imported == 0


def test_s23_a_setting_that_changes_between_two_pages_is_followed_for_both(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = room.location()
    change(room, location, GmailContacts.MATCH)
    account_id = with_people(room, location, 3)
    pages = google.all_pages

    def changed_on_the_way(*asked: object) -> Iterator[PeoplePage]:
        for number, page in enumerate(pages(*asked)):  # type: ignore[arg-type]
            if number == 0:
                first = PeoplePage(page.people[:1], "more", None)
                yield first
                change(room, location, GmailContacts.IMPORT)
                yield PeoplePage(page.people[1:], page.next_page_token, page.next_sync_token)
            else:
                yield page

    with monkeypatch.context() as during:
        during.setattr("gmail.people.all_pages", changed_on_the_way)
        assert read(room, account_id).imported == 2
    assert read(room, account_id).imported == 1, "the one of the first page"
    assert len(room.contacts(location)) == 3
