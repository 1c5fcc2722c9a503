"""S4, S5: mail that waits follows its user to another mailbox, and is held where its own is disconnected."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm import accounts, following, leaving, messages, outbound, progress
from crm.leaving import Next, Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from models import Account, Message, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState, MessageStatus
from tests.crm.builders import Crm

pytestmark = pytest.mark.servers
TOMORROW = timedelta(days=1)


class Desk:
    """A user with two mailboxes, of which the first is the active one."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.first = crm.mailbox(f"{new_id('first')}@gmail.com")
        with crm.database.session() as session:
            user = session.get_one(User, self.first.user_id)
            user.active_account_id = self.first.id
            session.add(user)
        self.user_id = user.id
        self.second = crm.connect(user, f"{new_id('second')}@gmail.com")
        with crm.database.session() as session:
            session.get_one(Account, self.first.id).sends_counted_at = now()
            second = session.get_one(Account, self.second.id)
            second.sends_counted_at, second.state = now(), AccountState.PAUSED
        crm.contact("lea@lead.example")

    def mail(self, in_time: timedelta = timedelta(0)) -> str:
        draft = OutboundDraft(
            "individual", [Recipient("lea@lead.example")], "Offer", text="Hi", send_at=now() + in_time
        )
        with self.crm.database.session() as session:
            user = session.get_one(User, self.user_id)
            return outbound.queue(session, self.crm.location, user, draft).id

    def asks(self, message_id: str) -> Next:
        with self.crm.database.session() as session:
            return leaving.next_step(session, message_id, Limits())

    def drafted(self, message_id: str) -> None:
        assert self.asks(message_id).way is Way.GMAIL
        with self.crm.database.session() as session:
            message = session.get_one(Message, message_id)
            message.draft_asked_at, message.draft_id = now(), "r-1"

    def switch(self) -> None:
        with self.crm.database.session() as session:
            accounts.swap_active(session, self.user_id, self.second.id)
            following.follow_switch(session, self.first.id, session.get_one(Account, self.second.id))

    def disconnect(self) -> None:
        with self.crm.database.session() as session:
            row = accounts.locked(session, self.first.id)
            assert row is not None
            accounts.deactivate(session, row)
            following.hold_queue(session, row)
            accounts.transition(session, row, AccountState.DISCONNECTED)

    def activate(self, account: Account) -> None:
        with self.crm.database.session() as session:
            session.get_one(User, self.user_id).active_account_id = account.id
            session.get_one(Account, account.id).state = AccountState.ACTIVE

    def look_again(self, message_id: str) -> None:
        with self.crm.database.session() as session:
            outbound.resolve(session, message_id, "look_again")

    def message(self, message_id: str) -> Message:
        with self.crm.database.session() as session:
            return session.get_one(Message, message_id)

    def shown_from(self, message_id: str) -> str:
        with self.crm.database.session() as session:
            (view,) = messages.views(session, [session.get_one(Message, message_id)])
        assert view.from_ is not None
        return view.from_.email


@pytest.fixture
def desk(crm: Crm) -> Desk:
    return Desk(crm)


def test_s4_scheduled_mail_follows_a_switch_and_a_disconnect_does_not_hold_it(desk: Desk) -> None:
    scheduled, queued = desk.mail(TOMORROW), desk.mail()
    desk.asks(scheduled)
    desk.switch()
    assert {desk.shown_from(scheduled), desk.shown_from(queued)} == {desk.second.email}
    desk.disconnect()
    assert desk.message(scheduled).status == MessageStatus.SCHEDULED
    assert desk.asks(queued).way is Way.GMAIL
    assert desk.message(queued).account_id == desk.second.id


def test_s4_mail_handed_in_during_a_switch_follows_when_it_is_woken_not_when_it_is_due(desk: Desk) -> None:
    scheduled = desk.mail(TOMORROW)
    with desk.crm.database.session() as session:  # its row was not there yet when the rest was taken along
        accounts.swap_active(session, desk.user_id, desk.second.id)
    assert desk.asks(scheduled).way is Way.WAIT
    assert desk.shown_from(scheduled) == desk.second.email


def test_s4_a_mail_with_a_draft_leaves_from_the_new_address_once_that_is_taken_back(desk: Desk) -> None:
    message_id = desk.mail()
    desk.drafted(message_id)
    desk.switch()
    assert desk.asks(message_id).way is Way.WITHDRAW
    desk.disconnect()
    assert desk.asks(message_id).way is Way.GMAIL
    assert (desk.shown_from(message_id), desk.message(message_id).draft_id) == (desk.second.email, None)


def test_s27_a_mail_that_may_have_left_from_the_old_mailbox_does_not_leave_from_the_new_one(
    desk: Desk,
) -> None:
    message_id = desk.mail()
    desk.drafted(message_id)
    with desk.crm.database.session() as session:  # sent or not, it was being taken back
        session.get_one(Message, message_id).draft_asked_at = None
    desk.switch()
    assert desk.asks(message_id).way is Way.WITHDRAW
    desk.disconnect()
    held = desk.message(message_id)
    assert (held.status, held.account_id) == (MessageStatus.HELD, desk.first.id)
    assert "may have left" in (held.status_detail or "")


@pytest.mark.parametrize("has_draft", [False, True])
def test_s5_held_mail_leaves_from_its_own_mailbox_or_not_at_all(desk: Desk, has_draft: bool) -> None:
    message_id = desk.mail()
    if has_draft:
        desk.drafted(message_id)
    desk.disconnect()
    assert desk.message(message_id).status == MessageStatus.HELD
    assert desk.first.email in (desk.message(message_id).status_detail or "")
    desk.activate(desk.second)
    assert desk.asks(message_id).way is Way.WAIT
    with pytest.raises(outbound.LeavesOnlyFromThere, match=desk.first.email):
        desk.look_again(message_id)
    assert desk.message(message_id).account_id == desk.first.id
    desk.activate(desk.first)
    assert desk.asks(message_id).way is Way.WAIT, "a person says when"
    desk.look_again(message_id)
    assert desk.asks(message_id).way is Way.GMAIL
    assert desk.shown_from(message_id) == desk.first.email


def test_s5_mail_handed_in_during_a_disconnect_is_held_and_not_sent_from_elsewhere(desk: Desk) -> None:
    message_id = desk.mail()
    with desk.crm.database.session() as session:
        session.get_one(Account, desk.first.id).state = AccountState.DISCONNECTED
    desk.activate(desk.second)
    assert desk.asks(message_id).way is Way.WAIT
    assert desk.message(message_id).status == MessageStatus.HELD


def test_s5_a_worker_that_is_sending_stops_where_the_mailbox_is_disconnected(desk: Desk) -> None:
    message_id = desk.mail()
    desk.drafted(message_id)
    with desk.crm.database.session() as session:
        read = progress.read(session, message_id)
    desk.disconnect()
    with pytest.raises(progress.Overtaken), desk.crm.database.session() as session:
        progress.note(session, read, {"send_asked_at": now()}, unsettled=True)
    assert desk.message(message_id).send_asked_at is None


def test_s27_a_mail_that_gmail_is_known_not_to_have_sent_waits_for_no_person(desk: Desk) -> None:
    message_id = desk.mail()
    desk.drafted(message_id)
    with desk.crm.database.session() as session:
        message = session.get_one(Message, message_id)
        message.status, message.send_asked_at = MessageStatus.HELD, now()
    with desk.crm.database.session() as session:  # Gmail answers again, and refuses it for its sending limit
        read = progress.read(session, message_id)
        progress.note(session, read, {"draft_asked_at": None, "send_asked_at": None})
    assert desk.asks(message_id).way is Way.GMAIL


def test_a_mail_is_cancelled_as_long_as_it_was_not_asked_to_be_sent(desk: Desk) -> None:
    message_id = desk.mail()
    desk.drafted(message_id)
    with desk.crm.database.session() as session:
        outbound.cancel(session, message_id)
    assert desk.asks(message_id).way is Way.WITHDRAW
    asked = desk.mail()
    desk.drafted(asked)
    with desk.crm.database.session() as session:
        session.get_one(Message, asked).send_asked_at = now()
    with pytest.raises(outbound.TooLate), desk.crm.database.session() as session:
        outbound.cancel(session, asked)
