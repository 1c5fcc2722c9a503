"""S26: the queue of a Gmail address, as rows: who leaves, who waits, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from crm import leaving, ledger, messages, outbound
from crm.headline import Headline
from crm.keeping import Item, file_page
from crm.leaving import Next, Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from models import Account, AccountAlias, Event, LedgerEntry, Message, TimelineEntry, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState, MessageStatus
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail
from tests.crm.test_rules import bounce_of

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

    def mail(self, **more: Any) -> str:
        draft = OutboundDraft("individual", [Recipient("lea@lead.example")], "Offer", text="Hello.", **more)
        with self.crm.database.session() as session:
            user = session.get_one(User, self.account.user_id)
            return outbound.queue(session, self.crm.location, user, draft).id

    def asks(self, message_id: str) -> Next:
        with self.crm.database.session() as session:
            return leaving.next_step(session, message_id, LIMITS)

    def message(self, message_id: str) -> Message:
        with self.crm.database.session() as session:
            return session.get_one(Message, message_id)

    def leaves(self, message_id: str, message_id_header: str = "<one@mail.gmail.com>") -> None:
        with self.crm.database.session() as session:
            leaving.record_sent(
                session,
                leaving.locked(session, message_id),
                gmail_id=new_id("g"),
                gmail_thread_id=new_id("t"),
                message_id_header=message_id_header,
                from_email=self.address,
                at=now(),
            )

    def who_follows(self, message_id: str) -> list[str]:
        with self.crm.database.session() as session:
            return leaving.who_follows(session, session.get_one(Message, message_id), LIMITS)

    def told_of(self, message_id: str) -> int:
        """How often the listeners were told that the message changed."""
        with self.crm.database.session() as session:
            found = session.exec(
                select(Event).where(Event.resource_id == message_id, Event.type == "message.updated")
            )
            return len(found.all())

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


def test_s26_a_limit_of_gmails_own_moves_the_estimates_of_all_that_wait(queue: Queue) -> None:
    first, second, third = queue.mail(), queue.mail(), queue.mail()
    for message_id in (first, second, third):
        queue.asks(message_id)
    told = queue.told_of(third)
    until = now() + timedelta(hours=30)
    with queue.crm.database.session() as session:
        leaving.wait_for_limit(session, leaving.locked(session, second), until, "Gmail says so.")
    assert queue.message(third).leaves_at == until
    assert queue.told_of(third) == told + 1


def test_s26_who_gives_a_place_up_tells_the_others_at_once(queue: Queue) -> None:
    mails = [queue.mail() for _ in range(5)]
    for message_id in mails:
        queue.asks(message_id)
    with queue.crm.database.session() as session:  # the places were taken some time apart
        entry = session.exec(select(LedgerEntry).where(LedgerEntry.message_id == mails[0])).one()
        entry.at = now() - timedelta(hours=3)
    queue.asks(mails[4])
    before = [queue.message(message_id).leaves_at for message_id in mails]
    told = queue.told_of(mails[3])
    with queue.crm.database.session() as session:
        outbound.cancel(session, mails[2])
    step = queue.asks(mails[2])
    assert queue.message(mails[3]).leaves_at == before[2] != before[3]
    assert (sorted(step.wake), queue.told_of(mails[3])) == (sorted(mails[3:]), told + 1)


def test_s20_the_sweep_starts_a_mail_that_gmail_refused_in_time(queue: Queue) -> None:
    message_id = queue.mail()
    with queue.crm.database.session() as session:
        message = session.get_one(Message, message_id)
        message.status, message.leaves_at = MessageStatus.WAITING_FOR_LIMIT, now() + timedelta(seconds=70)
        message.updated_at = now() - timedelta(hours=24)
    with queue.crm.database.session() as session:
        assert message_id in outbound.overdue(session, now() - timedelta(minutes=2))


def test_a_follow_up_leaves_after_what_it_answers_and_names_it(queue: Queue) -> None:
    first = queue.mail()
    second = queue.mail(reply_to_message_id=first)
    assert queue.asks(first).way is Way.GMAIL
    assert queue.asks(second).way is Way.WAIT
    queue.leaves(first)
    assert queue.who_follows(first) == [second]
    assert queue.asks(second).way is Way.GMAIL
    message = queue.message(second)
    assert (message.in_reply_to, message.references) == (["<one@mail.gmail.com>"], ["<one@mail.gmail.com>"])


def test_a_follow_up_names_the_copy_that_left_in_the_end(queue: Queue) -> None:
    first = queue.mail()
    queue.asks(first)
    queue.leaves(first, "<refused@mail.gmail.com>")
    second = queue.mail(reply_to_message_id=first)
    assert queue.message(second).in_reply_to == ["<refused@mail.gmail.com>"]
    with queue.crm.database.session() as session:  # Gmail's limit notice
        message = leaving.locked(session, first)
        message.send_asked_at = message.sent_gmail_id = None
        leaving.wait_for_limit(session, message, now() + DAY, "Gmail says so.")
    assert queue.asks(second).way is Way.WAIT
    queue.leaves(first, "<again@mail.gmail.com>")
    with queue.crm.database.session() as session:
        session.get_one(Account, queue.account.id).sends_blocked_until = None
    queue.asks(second)
    assert queue.message(second).in_reply_to == ["<again@mail.gmail.com>"]


def test_a_follow_up_does_not_wait_for_what_may_never_leave(queue: Queue) -> None:
    first = queue.mail()
    with queue.crm.database.session() as session:
        session.get_one(Message, first).status = MessageStatus.HELD
    assert queue.asks(queue.mail(reply_to_message_id=first)).way is Way.GMAIL


def test_s25_the_message_shows_whom_gmail_really_sent_it_from(queue: Queue) -> None:
    alias = f"{new_id('sales')}@acme.example"
    with queue.crm.database.session() as session:
        session.add(AccountAlias(account_id=queue.account.id, email_key=alias, email=alias, verified=True))
    message_id = queue.mail(from_email=alias)
    queue.asks(message_id)
    queue.leaves(message_id)  # the alias was removed in Gmail meanwhile
    with queue.crm.database.session() as session:
        (view,) = messages.views(session, [session.get_one(Message, message_id)])
    assert view.from_ is not None
    assert view.from_.email == queue.address
    assert alias in (view.status_detail or "")
    with pytest.raises(outbound.RefusedDraft):
        queue.mail(from_email=alias)


def test_s26_counting_is_asked_for_less_often_and_started_by_the_sweep(queue: Queue) -> None:
    message_id = queue.mail()
    with queue.crm.database.session() as session:
        account = session.get_one(Account, queue.account.id)
        account.sends_counted_at, account.state_changed_at = None, now() - timedelta(hours=1)
        session.get_one(Message, message_id).created_at = now() - timedelta(minutes=10)
    until = queue.asks(message_id).until
    assert until is not None
    assert timedelta(seconds=50) < until - now() <= timedelta(minutes=1)
    with queue.crm.database.session() as session:
        assert queue.account.id in ledger.uncounted(session)


def test_s30_the_timeline_tells_of_mail_that_does_not_simply_leave(queue: Queue) -> None:
    first, second, third = queue.mail(), queue.mail(), queue.mail()
    for message_id in (first, second, third):
        queue.asks(message_id)
    with queue.crm.database.session() as session:
        leaving.fail(session, leaving.locked(session, second), "Gmail refused it: bob@elsewhere.example")
        outbound.set_status(session, leaving.locked(session, third), MessageStatus.HELD, "why")
    queue.leaves(first)
    queue.crm.arrive(queue.account, (bounce_of("lea@lead.example", "<one@mail.gmail.com>"), ("INBOX",), "t1"))
    with queue.crm.database.session() as session:
        told = session.exec(
            select(TimelineEntry.detail).where(
                TimelineEntry.account_id == queue.account.id, TimelineEntry.kind == "sending"
            )
        ).all()
    waits_until = queue.place_taken_at(first) + DAY
    assert sorted(told) == sorted(
        [
            f"Mail {third} waits for Gmail's daily limit until {waits_until:%Y-%m-%d %H:%M} UTC",
            f"Mail {second} was not sent; the mail says why",
            f"Mail {third} is held; the mail says why",
            f"Mail {first} came back; the mail says why",
        ]
    )
