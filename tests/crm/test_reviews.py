"""A rule that changes, applied to earlier mail: previewed, applied, undone."""

from __future__ import annotations

import pytest
from sqlmodel import select

from crm import conversations, labels, messages, reviews
from crm.reviews import WrongState
from models import Account, Conversation, Decision, Location, Message, Review, Thread
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail

pytestmark = pytest.mark.servers

IN = ("INBOX", "UNREAD")


def make_staff(crm: Crm, *domains: str) -> None:
    with crm.database.session() as session:
        location = session.get_one(Location, crm.location.id)
        location.internal_domains = list(domains)
        session.add(location)


def preview(crm: Crm, emails: list[str] | None = None, domains: list[str] | None = None) -> Review:
    with crm.database.session() as session:
        return reviews.preview(session, crm.location.id, emails or [], domains or [], BCC_DOMAIN)


def test_a_domain_that_became_internal_hides_its_mail_and_undoing_brings_it_back(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    pat, carl = crm.contact("pat@partner.com"), crm.contact("carl@lead.com")
    internal, mixed, other = crm.arrive(
        alice,
        (raw_mail("pat@partner.com", "alice@acme.com"), IN, "t1"),
        (raw_mail("carl@lead.com", ["alice@acme.com", "pat@partner.com"]), IN, "t2"),
        (raw_mail("carl@lead.com", "alice@acme.com"), IN, "t3"),
    )
    make_staff(crm, "partner.com")
    review = preview(crm, domains=["partner.com"])
    assert (len(review.to_add), len(review.to_hide), len(review.to_show)) == (0, 1, 0)
    assert review.state == "looking", "Gmail has not been asked yet"
    assert review.to_hide == [internal.message_id]
    with crm.session() as session:
        assert messages.get(session, crm.location.id, str(internal.message_id)) is not None, "only a preview"

    with crm.database.session() as session:
        reviews.ready(session, review.id)
        reviews.apply(session, review.id)
    with crm.session() as session:
        assert messages.get(session, crm.location.id, str(internal.message_id)) is None
        assert messages.of_contact(session, crm.location.id, pat.id, 10).items[0].id == mixed.message_id
        decision = session.get_one(Decision, (alice.id, internal.gmail_id))
        assert (decision.outcome, decision.rule) == ("skipped", "S12")
        of_pat = session.exec(select(Conversation).where(Conversation.contact_id == pat.id)).one()
        assert conversations.unread_counts(session, [of_pat.id]) == {}
        hidden = session.get_one(Message, internal.message_id)
        assert session.get_one(Thread, hidden.thread_id).message_count == 0
        shown = messages.of_contact(session, crm.location.id, carl.id, 10).items
        assert {m.id for m in shown} == {mixed.message_id, other.message_id}

    with crm.database.session() as session:
        reviews.undo(session, review.id)
    with crm.session() as session:
        assert messages.get(session, crm.location.id, str(internal.message_id)) is not None
        decision = session.get_one(Decision, (alice.id, internal.gmail_id))
        assert (decision.outcome, decision.rule) == ("synced", "S7")
        assert session.get_one(Thread, hidden.thread_id).message_count == 1


def test_a_contact_that_was_saved_late_brings_its_earlier_mail_and_undoing_hides_it(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    mail = raw_mail("nora@new.com", "alice@acme.com")
    head = headline(mail, thread="t1", at=crm.tick())
    (stranger,) = crm.file(alice, [(mail, head)])
    assert stranger.verdict.rule == "S9"
    crm.contact("nora@new.com")
    review = preview(crm, emails=["Nora@new.com"])
    with crm.database.session() as session:
        (search,) = reviews.searches(session, review)
        assert (search.account_id, search.since) == (alice.id, alice.connected_at)
        assert 'from:"nora@new.com"' in search.query
        asked = reviews.undecided_otherwise(session, alice.id, [head.gmail_id, "unknown"])
        assert asked == {"t1": [head.gmail_id]}
        row = session.get_one(Review, review.id)
        account = session.get_one(Account, alice.id)
        assert reviews.consider(session, row, account, [head], BCC_DOMAIN) == 1
        assert reviews.consider(session, row, account, [head], BCC_DOMAIN) == 0
        assert len(row.to_add) == 1
        with pytest.raises(WrongState, match="still being asked"):
            reviews.apply(session, row.id)

    with crm.database.session() as session:
        reviews.ready(session, review.id)
        reviews.apply(session, review.id)
    with crm.session() as session:
        decision = session.get_one(Decision, (alice.id, head.gmail_id))
        assert decision.outcome == "failed", "the ordinary retry looks at it again"
        assert decision.next_try_at is not None
    (filed,) = crm.file(alice, [(mail, head)])
    assert (filed.created, filed.verdict.rule) == (True, "S7")

    with crm.database.session() as session:
        reviews.undo(session, review.id)
    with crm.session() as session:
        assert messages.get(session, crm.location.id, str(filed.message_id)) is None
        assert session.get_one(Decision, (alice.id, head.gmail_id)).outcome == "skipped"
    later = raw_mail("xavier@new.com", "alice@acme.com", subject="Re: Offer")
    (after,) = crm.arrive(alice, (later, IN, "t1"))
    assert after.verdict.rule == "S9", "a thread of which nothing is in sight is no synced thread"


def test_what_came_before_the_connection_or_in_a_pause_is_never_brought_back(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    with crm.database.session() as session:
        for rule in ("S3", "S4", "S5", "S31"):
            session.add(Decision(account_id=alice.id, gmail_id=rule, outcome="skipped", rule=rule))
    with crm.session() as session:
        assert reviews.undecided_otherwise(session, alice.id, ["S3", "S4", "S5", "S31"]) == {}


def test_a_review_serves_once(crm: Crm) -> None:
    review = preview(crm, emails=["nobody@lead.com"])
    with crm.session() as session, pytest.raises(WrongState, match="was not applied"):
        reviews.undo(session, review.id)
    for act in (reviews.apply, reviews.apply, reviews.undo, reviews.undo):
        with crm.database.session() as session:
            act(session, review.id)
    with crm.session() as session, pytest.raises(WrongState, match="was undone"):
        reviews.apply(session, review.id)


def test_s24_the_read_state_of_a_mailbox_is_that_of_its_copy(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    (filed,) = crm.arrive(alice, (raw_mail("carl@lead.com", "alice@acme.com"), IN, "t1"))
    with crm.session() as session:
        of_carl = session.exec(select(Conversation).where(Conversation.contact_id == carl.id)).one()
    for unread, count in ((True, {of_carl.id: 1}), (False, {}), (True, {of_carl.id: 1})):
        with crm.database.session() as session:
            labels.set_unread(
                session, session.get_one(Account, alice.id), {filed.gmail_id: unread, "other": True}
            )
        with crm.session() as session:
            assert conversations.unread_counts(session, [of_carl.id]) == count
