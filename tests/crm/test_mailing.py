"""A campaign's mail on its way: what is written before and after, so that nobody gets it twice (S25, S27)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from crm import campaigns, mailing, outbound
from crm.mailing import MOST_TRIES, Stopped
from crm.senders import Sender
from mail.message import Address
from models import Campaign, CampaignRecipient, Contact, Participant
from models.columns import now
from models.states import CampaignState, MessageStatus, RecipientState, Role
from tests.crm.builders import Crm
from tests.crm.mailing import PAUSE, Mailing

pytestmark = pytest.mark.servers


@pytest.fixture
def news(crm: Crm) -> Mailing:
    return Mailing.to_new_contacts(crm)


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
            mailing.refused_for_now(session, batch, mail, "451 later", PAUSE)
        row = news.recipient()
        if row.next_try_at is not None:
            pauses.append((row.next_try_at - now()).total_seconds())
            assert news.due() == []
    assert len(pauses) == MOST_TRIES - 1
    assert pauses == sorted(pauses)
    assert pauses[0] <= 2 * PAUSE.total_seconds()
    assert (row.state, row.reason) == (RecipientState.FAILED, f"given up after {MOST_TRIES} tries: 451 later")


def test_those_refused_about_now_are_tried_together(crm: Crm) -> None:
    news = Mailing.to_new_contacts(crm, 5)
    batch = news.open()
    for contact in news.contacts:
        with crm.database.session() as session:
            mail = news.address(batch, contact)
            mailing.refused_for_now(session, batch, mail, "451", timedelta(hours=1))
    assert len({news.recipient(contact).next_try_at for contact in news.contacts}) <= 2


def test_refused_after_the_data_it_leaves_again_as_the_same_message(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.hand_over(batch, mail)
    with news.crm.database.session() as session:
        mailing.refused_for_now(session, batch, mail, "451 later", PAUSE)
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


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [
        ("mark_sent", RecipientState.SENT, MessageStatus.SENT),
        ("discard", RecipientState.FAILED, MessageStatus.CANCELLED),
        ("look_again", RecipientState.UNKNOWN, MessageStatus.HELD),
    ],
)
def test_a_person_who_resolves_a_mail_of_unknown_outcome_settles_its_recipient(
    news: Mailing, action: str, state: RecipientState, status: MessageStatus
) -> None:
    batch = news.open()
    news.hand_over(batch, news.address(batch))
    news.open()  # after the crash
    with news.crm.database.session() as session:
        outbound.resolve(session, str(news.recipient().message_id), action)
    assert (news.recipient().state, news.message().status) == (state, status)
    with news.crm.database.session() as session:
        (view,) = campaigns.views(session, [session.get_one(Campaign, news.id)])
    assert (view.sent, view.failed, view.unknown) == (
        int(action == "mark_sent"),
        int(action == "discard"),
        int(action == "look_again"),
    )


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
    news = Mailing.to_new_contacts(crm, 3)
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


@pytest.mark.parametrize("state", [CampaignState.SENDING, CampaignState.PAUSED, CampaignState.CANCELLED])
def test_a_campaign_that_lost_its_workflow_amid_a_mail_is_found_until_its_outcome_is_shown(
    crm: Crm, state: CampaignState
) -> None:
    news = Mailing.to_new_contacts(crm)
    batch = news.open()
    news.hand_over(batch, news.address(batch))
    news.state(state)
    with crm.database.session() as session:
        assert news.id in campaigns.unfinished(session, now() + timedelta(minutes=1))
    with crm.database.session() as session:
        mailing.open_batch(session, news.id)
    assert news.recipient().state == RecipientState.UNKNOWN
    with crm.database.session() as session:
        mailing.close_batch(session, news.id)
        assert news.id not in campaigns.unfinished(session, now() + timedelta(minutes=1))


def test_a_campaign_that_lost_its_workflow_before_it_was_closed_is_found(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    news.hand_over(batch, mail)
    with news.crm.database.session() as session:
        mailing.sent(session, mail)
    with news.crm.database.session() as session:
        assert news.id in campaigns.unfinished(session, now() + timedelta(minutes=1))


def test_a_campaign_that_waits_for_servers_that_refused_for_now_is_left_alone(news: Mailing) -> None:
    batch = news.open()
    mail = news.address(batch)
    with news.crm.database.session() as session:
        mailing.refused_for_now(session, batch, mail, "451 later", timedelta(hours=1))
    with news.crm.database.session() as session:
        assert news.id not in campaigns.unfinished(session, now() + timedelta(minutes=1))


def test_s25_a_campaign_is_from_the_assigned_user_then_the_location_as_far_as_the_provider_allows(
    crm: Crm,
) -> None:
    news = Mailing.to_new_contacts(crm, 2)
    kim = crm.user("kim@acme.example", "Kim")
    with crm.database.session() as session:
        session.get_one(Contact, news.contacts[0].id).assigned_user_id = kim.id
    batch = news.open()
    ann, kims = Address("Ann", "ann@acme.example"), Address("Kim", "kim@acme.example")
    said = []
    for own in ("", "office@acme.example", "office@agency.example"):
        for contact in news.contacts:
            mail = news.address(batch, contact, own)
            said.append(mail.sender)
    assert said == [
        Sender(kims),
        Sender(ann),
        Sender(kims),
        Sender(Address("Acme", "office@acme.example"), ann),
        Sender(Address("Kim", "office@agency.example"), kims),
        Sender(Address("Acme", "office@agency.example"), ann),
    ]
    news.hand_over(batch, mail)
    with crm.database.session() as session:
        rows = select(Participant.role, Participant.email).where(Participant.message_id == mail.message_id)
        people = dict(session.exec(rows).all())
    assert (people[Role.FROM], people[Role.REPLY_TO]) == ("office@agency.example", "ann@acme.example")
