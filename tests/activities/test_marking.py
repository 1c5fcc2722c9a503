"""S24: what is marked here reaches Gmail, however long Gmail or Temporal was away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.marking import Marking
from crm import read_state
from crm.consents import Purpose
from models import Account, GmailMessage, Message
from models.columns import now
from tests.activities.mailroom import Mailroom
from workflows.values import AccountInput

pytestmark = pytest.mark.servers


def mail_in(room: Mailroom, account: Account) -> str:
    """An unread mail of a contact, synced; its Gmail id."""
    lead = room.contact(account.location_id)
    fields = {"from": lead, "to": account.email, "subject": "Hello", "text": "Hello."}
    (gmail_id,) = room.gmail.deliver(fields).values()
    room.sync_to_the_end(account.id)
    return gmail_id


def copy_of(room: Mailroom, account: Account, gmail_id: str) -> GmailMessage:
    with room.environment.database.session() as session:
        return session.get_one(GmailMessage, (account.id, gmail_id))


def mark(room: Mailroom, account: Account, gmail_id: str, *, read: bool) -> str:
    with room.environment.database.session() as session:
        message = session.get_one(Message, copy_of(room, account, gmail_id).message_id)
        read_state.set_read(session, message, read)
        return message.id


def follow(room: Mailroom, message_id: str) -> None:
    marking = Marking(room.environment.database, room.environment.mailboxes)
    ActivityEnvironment().run(marking.mark_in_gmail, message_id)


def unfollowed(room: Mailroom, account: Account) -> list[str]:
    """What the sweep would go on with, of this account."""
    with room.environment.database.session() as session:
        found = read_state.unfollowed(session, now() + timedelta(minutes=1))
        here = session.exec(
            select(GmailMessage.message_id).where(
                GmailMessage.account_id == account.id, col(GmailMessage.message_id).in_(found)
            )
        )
        return list(here)


def unread_in_gmail(room: Mailroom, account: Account, gmail_id: str) -> bool:
    (found,) = [one for one in room.gmail.messages(account.email) if one["id"] == gmail_id]
    return "UNREAD" in found["labels"]


def test_s24_gmail_follows_once_and_the_echo_changes_nothing(room: Mailroom) -> None:
    account = room.connected()
    gmail_id = mail_in(room, account)
    message_id = mark(room, account, gmail_id, read=True)
    assert unfollowed(room, account) == [message_id]
    follow(room, message_id)
    assert not unread_in_gmail(room, account, gmail_id)
    assert unfollowed(room, account) == []
    follow(room, message_id)
    assert room.gmail.usage(mailbox=account.email, method="messages.modify")["count"] == 1
    room.sync(account.id)
    assert not copy_of(room, account, gmail_id).unread


def test_s24_what_was_read_here_while_google_refused_us_is_read_in_gmail_afterwards(room: Mailroom) -> None:
    account = room.connected()
    gmail_id = mail_in(room, account)
    room.gmail.change_password(account.email)
    assert room.sync(account.id).state == "reauthorization_required"
    message_id = mark(room, account, gmail_id, read=True)
    follow(room, message_id)
    assert unread_in_gmail(room, account, gmail_id)
    assert unfollowed(room, account) == [], "there is nothing to try before the consent"
    room.grant(account.user_id, account.email, Purpose.REAUTHORIZE, account.id)
    assert room.connecting.connect(AccountInput(account_id=account.id)).state == "active"
    assert unfollowed(room, account) == [message_id]
    follow(room, message_id)
    assert not unread_in_gmail(room, account, gmail_id)
    assert unfollowed(room, account) == []


def test_s24_a_mark_that_waits_is_newer_than_what_history_tells(room: Mailroom) -> None:
    account = room.connected()
    gmail_id = mail_in(room, account)
    room.gmail.modify(account.email, gmail_id, remove=["UNREAD"])
    room.sync(account.id)
    room.gmail.modify(account.email, gmail_id, add=["UNREAD"])
    message_id = mark(room, account, gmail_id, read=False)
    follow(room, message_id)
    message_id = mark(room, account, gmail_id, read=True)
    room.sync(account.id)
    assert not copy_of(room, account, gmail_id).unread
    follow(room, message_id)
    room.sync(account.id)
    assert not unread_in_gmail(room, account, gmail_id)
    assert not copy_of(room, account, gmail_id).unread
    assert unfollowed(room, account) == []


def test_s24_a_change_in_gmail_just_after_it_followed_leaves_both_sides_alike(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.connected()
    gmail_id = mail_in(room, account)
    message_id = mark(room, account, gmail_id, read=True)
    marking = Marking(room.environment.database, room.environment.mailboxes)
    followed = marking._followed

    def late(copy: GmailMessage) -> None:
        room.gmail.modify(account.email, gmail_id, add=["UNREAD"])
        room.sync(account.id)
        followed(copy)

    monkeypatch.setattr(marking, "_followed", late)
    ActivityEnvironment().run(marking.mark_in_gmail, message_id)
    assert unfollowed(room, account) == [message_id], "the sweep tells Gmail once more"
    follow(room, message_id)
    room.sync(account.id)
    assert copy_of(room, account, gmail_id).unread is unread_in_gmail(room, account, gmail_id) is False


def test_s24_a_mailbox_that_does_not_answer_holds_no_other_up(room: Mailroom) -> None:
    first = room.connected()
    location = first.location_id
    second = room.connected(location)
    lead = room.contact(location)
    fields = {"from": lead, "to": [first.email, second.email], "subject": "Both", "text": "Hello."}
    ids = room.gmail.deliver(fields)
    for account in (first, second):
        room.sync_to_the_end(account.id)
    message_id = mark(room, first, ids[first.email], read=True)
    away, answers = sorted((first, second), key=lambda account: account.id)
    room.gmail.fault("gmail.users.messages.modify", mailbox=away.email, times=1, status=503)
    with pytest.raises(ApplicationError):
        follow(room, message_id)
    assert not unread_in_gmail(room, answers, ids[answers.email])
    assert unfollowed(room, away) == [message_id]
    follow(room, message_id)
    assert not unread_in_gmail(room, away, ids[away.email])


def test_s24_a_mark_of_a_mail_that_is_gone_is_no_more_to_do(room: Mailroom) -> None:
    account = room.connected()
    gmail_id = mail_in(room, account)
    message_id = mark(room, account, gmail_id, read=True)
    room.gmail.fault(
        "gmail.users.messages.modify", mailbox=account.email, times=1, status=404, reason="notFound"
    )
    follow(room, message_id)
    assert unfollowed(room, account) == []
