"""A campaign's mail on its way: what is written before and after, so that nobody gets it twice (S25, S27)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm import campaigns, mailing, suppressions
from crm.campaigns import NewCampaign
from crm.mailing import MOST_TRIES, Addressed, Batch, Stopped
from models import Campaign, CampaignRecipient, Contact, Message
from models.columns import now
from models.states import CampaignState, MessageStatus, RecipientState
from tests.crm.builders import Crm

pytestmark = pytest.mark.servers

PAUSE = timedelta(seconds=5)


class Mailing:
    """A campaign to some contacts, and its steps one at a time."""

    def __init__(self, crm: Crm, count: int = 1) -> None:
        self.crm = crm
        self.user = crm.user("ann@acme.example", "Ann")
        self.contacts: list[Contact] = [crm.contact(f"lead{n}@lead.example") for n in range(count)]
        with crm.database.session() as session:
            new = NewCampaign("News", [contact.id for contact in self.contacts], html="<p>Hi</p>")
            self.id = campaigns.create(session, self.user, new).id

    def open(self) -> Batch:
        with self.crm.database.session() as session:
            batch = mailing.open_batch(session, self.id)
        assert batch is not None
        return batch

    def address(self, batch: Batch, contact: Contact | None = None) -> Addressed:
        with self.crm.database.session() as session:
            mail = mailing.address(session, batch, (contact or self.contacts[0]).id, "bcc.test")
        assert mail is not None
        return mail

    def hand_over(self, batch: Batch, mail: Addressed) -> None:
        with self.crm.database.session() as session:
            mailing.hand_over(session, batch, mail)

    def recipient(self, contact: Contact | None = None) -> CampaignRecipient:
        with self.crm.database.session() as session:
            return session.get_one(CampaignRecipient, (self.id, (contact or self.contacts[0]).id))

    def message(self) -> Message:
        with self.crm.database.session() as session:
            return session.get_one(Message, self.recipient().message_id)

    def due(self) -> list[str]:
        with self.crm.database.session() as session:
            return [one.contact_id for _, one in mailing.due(session, self.id, -1, 100, ())]

    def state(self, state: CampaignState) -> None:
        with self.crm.database.session() as session:
            session.get_one(Campaign, self.id).state = state


@pytest.fixture
def news(crm: Crm) -> Mailing:
    return Mailing(crm)


def test_s27_handed_over_and_never_answered_is_unknown_and_never_mailed_again(news: Mailing) -> None:
    batch = news.open()
    news.hand_over(batch, news.address(batch))
    assert news.recipient().state == RecipientState.SENDING
    news.open()  # after the crash
    assert news.recipient().state == RecipientState.UNKNOWN
    assert (news.message().status, news.message().kind) == (MessageStatus.HELD, "bulk")
    assert news.due() == []
    with news.crm.database.session() as session:
        assert mailing.close_batch(session, news.id).state is CampaignState.DONE


def test_s27_two_workers_never_mail_the_same_recipient(news: Mailing) -> None:
    batch = news.open()
    first, second = news.address(batch), news.address(batch)
    news.hand_over(batch, first)
    with pytest.raises(Stopped):
        news.hand_over(batch, second)


def test_an_answer_that_comes_after_all_settles_what_was_unknown(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.hand_over(batch, mail)
    news.open()
    with news.crm.database.session() as session:
        mailing.sent(session, mail)
    assert (news.recipient().state, news.message().status) == (RecipientState.SENT, MessageStatus.SENT)


def test_a_notice_that_is_quicker_than_the_answer_stays(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.hand_over(batch, mail)
    with news.crm.database.session() as session:
        key = (news.id, news.contacts[0].id)
        session.get_one(CampaignRecipient, key).state = RecipientState.BOUNCED
    with news.crm.database.session() as session:
        mailing.sent(session, mail)
    assert news.recipient().state == RecipientState.BOUNCED


def test_refused_for_now_it_is_tried_again_later_each_time_and_fails_in_the_end(news: Mailing) -> None:
    pauses: list[float] = []
    for _ in range(MOST_TRIES):
        batch = news.open()
        mail = news.address(batch)
        with news.crm.database.session() as session:
            mailing.refused_for_now(session, mail, "451 later", PAUSE)
        row = news.recipient()
        if row.next_try_at is not None:
            pauses.append((row.next_try_at - now()).total_seconds())
            assert news.due() == []
    assert len(pauses) == MOST_TRIES - 1
    assert pauses == sorted(pauses)
    assert pauses[0] <= 2 * PAUSE.total_seconds()
    assert (row.state, row.reason) == (RecipientState.FAILED, f"given up after {MOST_TRIES} tries: 451 later")


def test_those_refused_about_now_are_tried_together(crm: Crm) -> None:
    news = Mailing(crm, 5)
    batch = news.open()
    for contact in news.contacts:
        with crm.database.session() as session:
            mailing.refused_for_now(session, news.address(batch, contact), "451", timedelta(hours=1))
    assert len({news.recipient(contact).next_try_at for contact in news.contacts}) <= 2


def test_refused_after_the_data_it_leaves_again_as_the_same_message(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.hand_over(batch, mail)
    with news.crm.database.session() as session:
        mailing.refused_for_now(session, mail, "451 later", PAUSE)
    first = news.recipient().message_id
    again = news.address(batch)
    assert again.message_id == first
    news.hand_over(batch, again)
    with news.crm.database.session() as session:
        mailing.sent(session, again)
    assert (news.recipient().message_id, news.message().status) == (first, MessageStatus.SENT)


def test_where_the_provider_refuses_us_the_recipient_is_not_at_fault(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    with news.crm.database.session() as session:
        mailing.not_taken(session, mail)
    assert (news.recipient().state, news.recipient().attempts) == (RecipientState.PENDING, 0)
    with news.crm.database.session() as session:
        first = mailing.provider_failed(session, news.id, "421 busy", 0) - now()
        later = mailing.provider_failed(session, news.id, "421 busy", 50) - now()
    assert first < timedelta(seconds=5)
    assert later <= timedelta(minutes=15)


@pytest.mark.parametrize("state", [CampaignState.PAUSED, CampaignState.CANCELLED])
def test_once_stopped_nothing_is_handed_over(news: Mailing, state: CampaignState) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.state(state)
    with pytest.raises(Stopped):
        news.address(batch)
    with pytest.raises(Stopped):
        news.hand_over(batch, mail)
    with news.crm.database.session() as session:
        assert mailing.open_batch(session, news.id) is None


def test_who_unsubscribes_meanwhile_gets_nothing(news: Mailing) -> None:
    batch = news.open()
    with news.crm.database.session() as session:
        campaigns.unsubscribe(session, news.recipient().return_token)
    with news.crm.database.session() as session:
        assert mailing.address(session, batch, news.contacts[0].id, "bcc.test") is None
    assert (news.recipient().state, news.recipient().reason) == ("suppressed", "unsubscribed")


def test_a_contact_deleted_meanwhile_gets_nothing(news: Mailing) -> None:
    batch = news.open()
    with news.crm.database.session() as session:
        session.get_one(Contact, news.contacts[0].id).deleted_at = now()
    with news.crm.database.session() as session:
        assert mailing.address(session, batch, news.contacts[0].id, "bcc.test") is None
    assert news.recipient().state == RecipientState.FAILED


def test_domains_that_are_paced_are_left_out(crm: Crm) -> None:
    news = Mailing(crm, 3)
    with crm.database.session() as session:
        assert mailing.due(session, news.id, -1, 100, {"lead.example"}) == []
        assert len(mailing.due(session, news.id, -1, 2, {"other.example"})) == 2


def test_a_running_campaign_that_nobody_moves_is_found(news: Mailing) -> None:
    with news.crm.database.session() as session:
        assert news.id in campaigns.unfinished(session, now() + timedelta(minutes=1))
        assert news.id not in campaigns.unfinished(session, now() - timedelta(minutes=1))
    news.state(CampaignState.PAUSED)
    with news.crm.database.session() as session:
        assert news.id not in campaigns.unfinished(session, now() + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("status", "words", "missing"),
    [
        ("5.1.1", "", True),
        (None, "550 5.1.1 No such user", True),
        (None, "554 5.7.1 This looks like spam", False),
        (None, "550 Administrative prohibition", False),
        (None, "", False),
    ],
)
def test_only_an_address_that_does_not_exist_is_suppressed(
    status: str | None, words: str, missing: bool
) -> None:
    assert suppressions.is_missing_mailbox(status, words) is missing
