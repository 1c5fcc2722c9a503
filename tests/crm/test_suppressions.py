"""Who gets no bulk mail any more: an address that does not exist, one that bounces for good, or again and again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm import filing, mailing, outbound, suppressions
from mail.parse import parse
from models import CampaignRecipient, Contact, InboundMail
from models.columns import now
from models.ids import new_id
from models.states import RecipientState
from tests.crm.builders import Crm
from tests.crm.mailing import PAUSE, Mailing

pytestmark = pytest.mark.servers


def came_back(status: str, action: str = "failed") -> bytes:
    """A notice of a mail server."""
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: bounce\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; lead0@lead.example\r\nAction: {action}\r\nStatus: {status}\r\n\r\n--b--\r\n"
    ).encode()


class Post:
    """Campaigns to one contact, one after the other, and what comes back of each."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.lea: Contact = crm.contact("lead0@lead.example")
        self.user = crm.user("ann@acme.example")

    def sends(self) -> Mailing:
        news = Mailing(self.crm, self.user, [self.lea])
        batch = news.open()
        mail = news.address(batch)
        news.hand_over(batch, mail)
        with self.crm.database.session() as session:
            mailing.sent(session, mail)
        return news

    def comes_back(self, status: str, *, days_ago: float = 0, action: str = "failed") -> RecipientState:
        news = self.sends()
        raw = came_back(status, action)
        with self.crm.database.session() as session:
            inbound = InboundMail(
                location_id=self.crm.location.id,
                purpose="campaign_return",
                return_token=news.recipient().return_token,
                blob="b",
                size=len(raw),
                digest=new_id("dig"),
            )
            session.add(inbound)
            session.flush()
            filing.file_return(session, inbound, parse(raw))
        with self.crm.database.session() as session:
            row = session.get_one(CampaignRecipient, (news.id, self.lea.id))
            if row.at is not None:
                row.at = now() - timedelta(days=days_ago)
            return RecipientState(row.state)

    def reason(self) -> str | None:
        with self.crm.database.session() as session:
            listed = suppressions.among(session, self.crm.location.id, ["lead0@lead.example"])
        return listed.get("lead0@lead.example")


@pytest.fixture
def post(crm: Crm) -> Post:
    return Post(crm)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", suppressions.NO_SUCH_ADDRESS),
        ("5.4.4", suppressions.CAME_BACK),
        ("5.0.0", suppressions.CAME_BACK),
        ("5.2.2", None),
        ("5.7.1", None),
        ("4.4.1", None),
    ],
)
def test_s20_a_mail_that_came_back_for_good_is_the_last_bulk_mail(
    post: Post, status: str, reason: str | None
) -> None:
    assert post.comes_back(status) == RecipientState.BOUNCED
    assert post.reason() == reason


def test_s20_the_third_mail_within_a_month_that_came_back_for_now_is_the_last(post: Post) -> None:
    post.comes_back("4.2.2", days_ago=20)
    post.comes_back("4.4.1", days_ago=3)
    assert post.reason() is None
    post.comes_back("4.2.2")
    assert post.reason() == suppressions.KEEPS_BOUNCING


def test_s20_what_came_back_longer_ago_is_forgotten(post: Post) -> None:
    for days_ago in (32, 31, 2):
        post.comes_back("4.2.2", days_ago=days_ago)
    post.comes_back("4.2.2")
    assert post.reason() is None


def test_s20_a_delay_is_no_bounce(post: Post) -> None:
    for _ in range(3):
        assert post.comes_back("4.4.7", action="delayed") == RecipientState.SENT
    assert post.reason() is None


def test_a_mail_that_a_person_discarded_did_not_come_back(post: Post) -> None:
    post.comes_back("4.2.2")
    news = Mailing(post.crm, post.user, [post.lea])
    batch = news.open()
    news.hand_over(batch, news.address(batch))
    with post.crm.database.session() as session:
        recipient = session.get_one(CampaignRecipient, (news.id, post.lea.id))
        recipient.attempts = 1  # its server asked to come again, and then its answer was lost
    news.open()
    with post.crm.database.session() as session:
        outbound.resolve(session, str(news.recipient().message_id), "discard")
    post.comes_back("4.2.2")
    assert post.reason() is None


def test_a_mail_that_was_given_up_counts_as_one_that_came_back(post: Post) -> None:
    post.comes_back("4.2.2")
    post.comes_back("4.2.2")
    news = Mailing(post.crm, post.user, [post.lea])
    batch = news.open()
    for _ in range(mailing.MOST_TRIES):
        with post.crm.database.session() as session:
            mailing.refused_for_now(session, batch, news.address(batch), "451 later", PAUSE)
    assert news.recipient().state == RecipientState.FAILED
    assert post.reason() == suppressions.KEEPS_BOUNCING


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
