"""S24, S32: what was read or deleted in Gmail while its history was lost, shows here once the gap is closed."""

from __future__ import annotations

import pytest

from activities import relabelling
from crm import read_state
from models import Account, GmailMessage, Message
from tests.activities.mailroom import Mailroom

pytestmark = pytest.mark.servers


def mails(room: Mailroom, account: Account, number: int) -> list[str]:
    """Mails of a contact, unread, synced; their Gmail ids, oldest first."""
    lead = room.contact(account.location_id)
    ids: list[str] = []
    for n in range(number):
        fields = {"from": lead, "to": account.email, "subject": f"Mail {n}", "text": "Hello."}
        ids += room.gmail.deliver(fields).values()
    room.sync_to_the_end(account.id)
    return ids


def states(room: Mailroom, account: Account, ids: list[str]) -> list[tuple[bool, bool]]:
    """Of each: unread, deleted."""
    with room.environment.database.session() as session:
        copies = [session.get_one(GmailMessage, (account.id, one)) for one in ids]
        return [(copy.unread, copy.deleted) for copy in copies]


def lose_history(room: Mailroom, account: Account) -> None:
    room.gmail.deliver({"from": "x@nowhere.example", "to": account.email, "subject": "News", "text": "."})
    room.gmail.expire_history(account.email)


def message_of(room: Mailroom, account: Account, gmail_id: str) -> Message:
    with room.environment.database.session() as session:
        copy = session.get_one(GmailMessage, (account.id, gmail_id))
        return session.get_one(Message, copy.message_id)


def test_s24_s32_what_changed_in_gmail_during_a_gap_is_followed_when_it_closes(room: Mailroom) -> None:
    account = room.connected()
    ids = read, trashed, gone, back, again, untouched = mails(room, account, 6)
    room.gmail.move(account.email, back, "trash")
    room.gmail.modify(account.email, again, remove=["UNREAD"])
    room.sync_to_the_end(account.id)
    assert states(room, account, ids) == [
        (True, False),
        (True, False),
        (True, False),
        (True, True),
        (False, False),
        (True, False),
    ]
    room.gmail.modify(account.email, read, remove=["UNREAD"])
    room.gmail.move(account.email, trashed, "trash")
    room.gmail.move(account.email, gone, "nowhere")
    room.gmail.move(account.email, back, "inbox")
    room.gmail.modify(account.email, again, add=["UNREAD"])
    lose_history(room, account)
    room.sync_to_the_end(account.id)
    assert states(room, account, ids) == [
        (False, False),
        (True, True),
        (True, True),
        (True, False),
        (True, False),
        (True, False),
    ]
    assert message_of(room, account, gone).deleted_in_gmail
    assert not message_of(room, account, back).deleted_in_gmail
    assert not message_of(room, account, untouched).deleted_in_gmail


def test_s24_what_was_read_here_during_a_gap_stays_read(room: Mailroom) -> None:
    account = room.connected()
    (gmail_id,) = ids = mails(room, account, 1)
    lose_history(room, account)
    with room.environment.database.session() as session:
        read_state.set_read(session, message_of(room, account, gmail_id), True)
    room.sync_to_the_end(account.id)
    assert states(room, account, ids) == [(False, False)]
    with room.environment.database.session() as session:
        assert session.get_one(GmailMessage, (account.id, gmail_id)).marked_at is not None, "Gmail follows"


def test_s24_beyond_the_most_that_is_listed_copies_stay_as_they_were(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.connected()
    ids = mails(room, account, 1)
    room.gmail.modify(account.email, ids[0], remove=["UNREAD"])
    lose_history(room, account)
    monkeypatch.setattr(relabelling, "MOST_PAGES", 0)
    room.sync_to_the_end(account.id)
    assert states(room, account, ids) == [(True, False)]


def test_a_gap_of_a_mailbox_without_older_mail_asks_for_no_more_lists(room: Mailroom) -> None:
    account = room.connected()
    before = room.gmail.usage(mailbox=account.email, method="messages.list")["count"]
    lose_history(room, account)
    room.sync_to_the_end(account.id)
    assert room.gmail.usage(mailbox=account.email, method="messages.list")["count"] - before == 3
