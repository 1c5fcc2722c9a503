"""S26: the queue of a Gmail address, as rows: who leaves, who waits, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from crm import leaving, outbound
from crm.headline import Headline
from crm.keeping import Item, file_page
from crm.leaving import Next, Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from models import Account, LedgerEntry, Message, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState, MessageStatus
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail

pytestmark = pytest.mark.servers

DAY = timedelta(hours=24)
LIMITS = Limits(consumer=2, window=DAY)


class Queue:
    """A user with a mailbox that may send two mails a day."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.address = f"{new_id('ann')}@gmail.com"
        self.account = crm.mailbox(self.address)
        crm.contact("lea@lead.example")
        with crm.database.session() as session:
            session.get_one(Account, self.account.id).sends_counted_at = now()
            session.get_one(User, self.account.user_id).active_account_id = self.account.id

    def mail(self) -> str:
        draft = OutboundDraft("individual", [Recipient("lea@lead.example")], "Offer", text="Hello.")
        with self.crm.database.session() as session:
            user = session.get_one(User, self.account.user_id)
            return outbound.queue(session, self.crm.location, user, draft).id

    def asks(self, message_id: str) -> Next:
        with self.crm.database.session() as session:
            return leaving.next_step(session, message_id, LIMITS)

    def message(self, message_id: str) -> Message:
        with self.crm.database.session() as session:
            return session.get_one(Message, message_id)

    def owner_writes_in_gmail(self) -> Headline:
        raw = raw_mail(self.address, "friend@elsewhere.example")
        found = headline(raw, "SENT", at=now())
        with self.crm.database.session() as session:
            account = session.get_one(Account, self.account.id)
            file_page(session, account, [Item(found)], BCC_DOMAIN, limits=LIMITS)
        return found

    def place_taken_at(self, message_id: str) -> datetime:
        with self.crm.database.session() as session:
            at = session.exec(select(LedgerEntry.at).where(LedgerEntry.message_id == message_id)).one()
        assert at is not None
        return at


@pytest.fixture
def queue(crm: Crm) -> Queue:
    return Queue(crm)


def test_s26_what_the_owner_sends_meanwhile_moves_the_estimates_of_what_waits(queue: Queue) -> None:
    first, second, third = queue.mail(), queue.mail(), queue.mail()
    assert [queue.asks(first).way, queue.asks(second).way] == [Way.GMAIL, Way.GMAIL]
    assert queue.asks(third).way is Way.WAIT
    assert queue.message(third).leaves_at == queue.place_taken_at(first) + DAY
    queue.owner_writes_in_gmail()
    assert queue.message(third).leaves_at == queue.place_taken_at(second) + DAY
    owners = queue.owner_writes_in_gmail()
    queue.owner_writes_in_gmail()
    assert queue.message(third).leaves_at == owners.internal_date + DAY
    assert queue.message(third).status == MessageStatus.WAITING_FOR_LIMIT


def test_s26_an_estimate_is_told_past_a_mail_that_another_transaction_holds(queue: Queue) -> None:
    # Both would wait for each other otherwise: one holds its mail and wants the queue, the other the reverse.
    first, second, third, fourth = (queue.mail() for _ in range(4))
    for message_id in (first, second, third):
        queue.asks(message_id)
    with queue.crm.database.session() as other:
        leaving.locked(other, third)
        assert queue.asks(fourth).way is Way.WAIT
    assert queue.message(fourth).leaves_at == queue.place_taken_at(second) + DAY


def test_s26_a_mail_that_cannot_leave_for_want_of_consent_keeps_nobody_waiting(queue: Queue) -> None:
    first, second, third = (queue.mail() for _ in range(3))
    queue.asks(first)
    queue.asks(second)
    with queue.crm.database.session() as session:
        session.get_one(Account, queue.account.id).state = AccountState.REAUTHORIZATION_REQUIRED
        session.get_one(Message, second).status = MessageStatus.QUEUED
    assert queue.asks(second).until is None
    with queue.crm.database.session() as session:
        session.get_one(Account, queue.account.id).state = AccountState.ACTIVE
    assert queue.asks(third).way is Way.GMAIL
    assert queue.asks(second).way is Way.WAIT


def test_s27_the_sweep_finds_a_held_mail_only_where_gmail_can_still_tell_what_became_of_it(
    queue: Queue,
) -> None:
    asked, never_begun = queue.mail(), queue.mail()
    with queue.crm.database.session() as session:
        for message_id in (asked, never_begun):
            message = session.get_one(Message, message_id)
            message.status, message.leaves_at = MessageStatus.HELD, None
        session.get_one(Message, asked).send_asked_at = now()
    with queue.crm.database.session() as session:
        overdue = outbound.overdue(session, now() + timedelta(minutes=1))
    assert asked in overdue
    assert never_begun not in overdue
