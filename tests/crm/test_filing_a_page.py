"""A page of a mailbox is decided and kept: what is in the database afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from crm import decisions
from crm.facts import A_FEW_TRIES
from crm.keeping import Item, file_page
from mail.parse import parse
from models import Account, Contact, Decision, Event, GmailMessage, Message, Participant, Thread, User
from tests.crm.builders import BCC_DOMAIN, NOON, Crm, headline, raw_mail
from tests.crm.test_rules import FORWARDED

pytestmark = pytest.mark.servers

IN, UNREAD, SENT = ("INBOX",), ("INBOX", "UNREAD"), ("SENT",)


def test_s7_mail_of_a_contact_becomes_a_message_with_its_people(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    mail = raw_mail(
        "Carl <carl@lead.com>", ["alice@acme.com"], cc=["dora@lead.com"], message_id="<c1@lead.com>"
    )
    (filed,) = crm.arrive(alice, (mail, UNREAD, "t1"))
    assert filed.created
    with crm.session() as session:
        message = session.get_one(Message, filed.message_id)
        assert (message.contact_id, message.direction, message.status) == (carl.id, "inbound", "received")
        assert (message.kind, message.message_id_header) == ("individual", "<c1@lead.com>")
        people = session.exec(select(Participant).where(Participant.message_id == message.id)).all()
        assert {(p.role, p.email, p.contact_id) for p in people} == {
            ("from", "carl@lead.com", carl.id),
            ("to", "alice@acme.com", None),
            ("cc", "dora@lead.com", None),
        }
        copy = session.exec(select(GmailMessage).where(GmailMessage.message_id == message.id)).one()
        assert (copy.account_id, copy.unread, copy.sent) == (alice.id, True, False)
        decision = session.get_one(Decision, (alice.id, filed.gmail_id))
        assert (decision.outcome, decision.rule, decision.message_id) == ("synced", "S7", message.id)
        thread = session.get_one(Thread, message.thread_id)
        assert (thread.message_count, thread.subject) == (1, "Offer")
        events = session.exec(select(Event.type).where(Event.resource_id == message.id)).all()
        assert events == ["message.created"]


def test_i2_replaying_a_page_changes_nothing(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    mails = [raw_mail("carl@lead.com", "alice@acme.com"), raw_mail("x@stranger.com", "alice@acme.com")]
    items = [(mail, headline(mail, thread=f"t{n}", at=crm.tick())) for n, mail in enumerate(mails)]
    first = crm.file(alice, items)
    with crm.session() as session:
        before = [row.model_dump() for row in session.exec(select(Decision).order_by(Decision.gmail_id))]
        events = len(session.exec(select(Event)).all())
    second = crm.file(alice, items)
    assert [one.message_id for one in first] == [one.message_id for one in second]
    assert not any(one.created for one in second)
    with crm.session() as session:
        assert [
            row.model_dump() for row in session.exec(select(Decision).order_by(Decision.gmail_id))
        ] == before
        assert len(session.exec(select(Event)).all()) == events
        assert session.exec(
            select(Thread.message_count).where(Thread.location_id == crm.location.id)
        ).all() == [1]


def test_s8_answer_of_a_stranger_in_the_same_page_follows_the_thread_that_the_page_opens(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    asked = raw_mail("carl@lead.com", ["alice@acme.com", "xavier@lead.com"], message_id="<q@lead.com>")
    answer = raw_mail("xavier@lead.com", ["alice@acme.com"], subject="Re: Offer", answers=["<q@lead.com>"])
    first, second = crm.arrive(alice, (asked, IN, "t1"), (answer, IN, "t1"))
    assert (first.verdict.rule, second.verdict.rule) == ("S7", "S8")
    with crm.session() as session:
        one, two = (session.get_one(Message, f.message_id) for f in (first, second))
        assert one.thread_id == two.thread_id
        assert two.contact_id == carl.id
        assert session.get_one(Thread, one.thread_id).message_count == 2


def test_s9_nothing_of_a_stranger_is_kept(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    mail = raw_mail("x@stranger.com", "alice@acme.com", subject="secret subject", message_id="<s@x>")
    (filed,) = crm.arrive(alice, (mail, IN, "t1"))
    assert (filed.verdict.outcome, filed.verdict.rule) == ("skipped", "S9")
    with crm.session() as session:
        decision = session.get_one(Decision, (alice.id, filed.gmail_id))
        kept = " ".join(str(value) for value in decision.model_dump().values())
        assert "stranger" not in kept.replace("not from a contact", "")
        assert "secret" not in kept
        assert decision.message_id_hash is None


def test_s21_mail_in_two_mailboxes_is_one_message_seen_from_both(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    crm.contact("carl@lead.com")
    mail = raw_mail("carl@lead.com", ["alice@acme.com", "bob@acme.com"])
    (one,) = crm.arrive(alice, (mail, IN, "ta"))
    (two,) = crm.arrive(bob, (mail, IN, "tb"))
    assert one.message_id == two.message_id
    assert (one.created, two.created) == (True, False)
    with crm.session() as session:
        copies = session.exec(select(GmailMessage).where(GmailMessage.message_id == one.message_id)).all()
        assert {copy.account_id for copy in copies} == {alice.id, bob.id}
        message = session.get_one(Message, one.message_id)
        assert session.get_one(Thread, message.thread_id).message_count == 1


def test_s13_bcc_that_only_the_senders_copy_has_is_added_to_the_message(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    crm.contact("carl@lead.com")
    dora = crm.contact("dora@lead.com")
    seen_by_bob = raw_mail(
        "alice@acme.com", ["carl@lead.com"], cc=["bob@acme.com"], message_id="<a1@acme.com>"
    )
    in_sent = raw_mail(
        "alice@acme.com",
        ["carl@lead.com"],
        cc=["bob@acme.com"],
        bcc=["dora@lead.com"],
        message_id="<a1@acme.com>",
    )
    (one,) = crm.arrive(bob, (seen_by_bob, IN, "tb"))
    (two,) = crm.arrive(alice, (in_sent, SENT, "ta"))
    assert one.message_id == two.message_id
    with crm.session() as session:
        bcc = session.exec(
            select(Participant).where(Participant.message_id == one.message_id, Participant.role == "bcc")
        ).all()
        assert [(p.email, p.contact_id) for p in bcc] == [("dora@lead.com", dora.id)]
        assert session.get_one(Message, one.message_id).direction == "outbound"


def test_s24_an_answer_marks_what_it_answers_and_an_auto_reply_does_not(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    sent = raw_mail("alice@acme.com", ["carl@lead.com"], message_id="<a1@acme.com>")
    holiday = raw_mail(
        "carl@lead.com",
        ["alice@acme.com"],
        subject="Automatic reply: Offer",
        answers=["<a1@acme.com>"],
        headers=[("Auto-Submitted", "auto-replied")],
    )
    (ours,) = crm.arrive(alice, (sent, SENT, "t1"))
    (machine,) = crm.arrive(alice, (holiday, IN, "t1"))
    with crm.session() as session:
        assert session.get_one(Message, ours.message_id).replied_at is None
        assert session.get_one(Message, machine.message_id).kind == "auto_reply"
    answer = raw_mail("carl@lead.com", ["alice@acme.com"], subject="Re: Offer", answers=["<a1@acme.com>"])
    crm.arrive(alice, (answer, IN, "t1"))
    with crm.session() as session:
        assert session.get_one(Message, ours.message_id).replied_at == crm.clock


def test_s16_auto_bcc_makes_the_contact_and_later_mail_of_it_syncs(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    with crm.session() as session:
        user = session.get_one(User, alice.user_id)
    address = f"{user.auto_bcc_token}@{BCC_DOMAIN}"
    sent = raw_mail("alice@acme.com", ["Nora New <nora@new.com>"], bcc=[address], cc=["copy@new.com"])
    later = raw_mail("nora@new.com", ["alice@acme.com"], subject="Something else")
    one, two = crm.arrive(alice, (sent, SENT, "t1"), (later, IN, "t2"))
    assert (one.verdict.rule, two.verdict.rule) == ("S16", "S7")
    with crm.session() as session:
        contacts = session.exec(select(Contact).where(Contact.location_id == crm.location.id)).all()
        assert [(c.name, c.source, c.assigned_user_id) for c in contacts] == [
            ("Nora New", "auto_bcc", alice.user_id)
        ]
        assert session.get_one(Message, two.message_id).contact_id == contacts[0].id
        bcc = session.exec(
            select(Participant.email).where(
                Participant.message_id == one.message_id, Participant.role == "bcc"
            )
        ).all()
        assert bcc == [address]


def test_s31_mail_that_leaves_spam_is_decided_anew(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    mail = raw_mail("carl@lead.com", "alice@acme.com")
    (spam,) = crm.file(alice, [(mail, headline(mail, "SPAM", gmail_id="gs1", at=crm.tick()))])
    assert (spam.verdict.rule, spam.message_id) == ("S31", None)
    (saved,) = crm.file(alice, [(mail, headline(mail, "INBOX", gmail_id="gs1", at=crm.clock))])
    assert saved.created
    with crm.session() as session:
        assert session.get_one(Decision, (alice.id, "gs1")).outcome == "synced"


def test_s3_nothing_from_before_the_connection(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    mail = raw_mail("carl@lead.com", "alice@acme.com")
    (filed,) = crm.file(alice, [(mail, headline(mail, at=NOON - timedelta(hours=1, milliseconds=2)))])
    assert filed.verdict.rule == "S3"


def test_i1_a_stranger_waits_for_the_earlier_message_of_its_thread_that_could_not_be_had_yet(
    crm: Crm,
) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    asked = raw_mail("carl@lead.com", ["alice@acme.com", "x@lead.com"], message_id="<wait@lead.com>")
    answer = raw_mail("x@lead.com", ["alice@acme.com"], answers=["<wait@lead.com>"])
    first, second = headline(asked, thread="tw", at=crm.tick()), headline(answer, thread="tw", at=crm.tick())
    with crm.database.session() as session:
        decisions.fail(
            session,
            alice.id,
            first.gmail_id,
            "Gmail is away",
            crm.clock,
            gmail_thread_id="tw",
            internal_date=first.internal_date,
        )
    (early,) = crm.file(alice, [(answer, second)])
    assert (early.waits, early.message_id) == (True, None)
    with crm.session() as session:
        waiting = session.get_one(Decision, (alice.id, second.gmail_id))
        assert (waiting.outcome, waiting.next_try_at is not None) == ("failed", True)
    crm.file(alice, [(asked, first)])
    (late,) = crm.file(alice, [(answer, second)])
    assert (late.created, late.verdict.rule) == (True, "S8")


def test_s15_a_forward_waits_for_the_original_that_could_not_be_had_yet(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl, dora = crm.contact("carl@lead.com"), crm.contact("dora@lead.com")
    asked = raw_mail("carl@lead.com", ["alice@acme.com"], message_id="<original@lead.com>")
    forward = raw_mail(
        "alice@acme.com",
        ["dora@lead.com"],
        subject="Fwd: Hello",
        text=FORWARDED,
        answers=["<original@lead.com>"],
    )
    first = headline(asked, thread="tf", at=crm.tick())
    second = headline(forward, *SENT, thread="tf", at=crm.tick())
    with crm.database.session() as session:
        decisions.fail(session, alice.id, first.gmail_id, "Gmail is away", crm.clock, gmail_thread_id="tf")
    (early,) = crm.file(alice, [(forward, second)])
    assert (early.waits, early.message_id) == (True, None)
    filed = crm.file(alice, [(asked, first), (forward, second)])
    with crm.session() as session:
        owners = [session.get_one(Message, one.message_id).contact_id for one in filed]
    assert owners == [carl.id, dora.id]


def test_i4_a_contact_does_not_wait_for_a_message_that_fails_again_and_again(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    first, answer = (raw_mail(who, "alice@acme.com") for who in ("x@else.com", "carl@lead.com"))
    heads = [headline(mail, thread="tl", at=crm.tick()) for mail in (first, answer)]
    for _ in range(A_FEW_TRIES + 1):
        with crm.database.session() as session:
            decisions.fail(
                session, alice.id, heads[0].gmail_id, "Gmail is away", crm.clock, gmail_thread_id="tl"
            )
    (filed,) = crm.file(alice, [(answer, heads[1])])
    assert (filed.waits, filed.created, filed.verdict.rule) == (False, True, "S7")


def test_i4_strangers_in_one_thread_do_not_wait_for_each_other_for_ever(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    mails = [raw_mail("x@else.com", "alice@acme.com"), raw_mail("y@else.com", "alice@acme.com")]
    heads = [headline(mail, thread="tx", at=crm.tick()) for mail in mails]
    with crm.database.session() as session:
        for head in heads:
            decisions.fail(session, alice.id, head.gmail_id, "Gmail is away", crm.clock, gmail_thread_id="tx")
    page = crm.file(alice, list(zip(mails, heads, strict=True)))
    assert [one.verdict.rule for one in page] == ["S9", "S9"]
    assert not any(one.waits for one in page)


def test_a_page_with_a_body_that_could_not_be_fetched_keeps_the_rest(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    asked = raw_mail("carl@lead.com", ["alice@acme.com", "x@lead.com"], message_id="<part@lead.com>")
    answer = raw_mail("x@lead.com", ["alice@acme.com"], answers=["<part@lead.com>"])
    other = raw_mail("carl@lead.com", "alice@acme.com")
    heads = [
        headline(raw, thread=t, at=crm.tick()) for raw, t in ((asked, "tp"), (answer, "tp"), (other, "to"))
    ]
    page = [Item(heads[0]), Item(heads[1], parse(answer)), Item(heads[2], parse(other))]
    with crm.database.session() as session:
        filed = file_page(session, session.get_one(Account, alice.id), page, BCC_DOMAIN)
    assert [(one.unfetched, one.waits, one.created) for one in filed] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_s16_a_forward_to_the_address_alone_goes_to_the_contact_who_wrote_the_original(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    with crm.session() as session:
        address = f"{session.get_one(User, alice.user_id).auto_bcc_token}@{BCC_DOMAIN}"
    mail = raw_mail("alice@acme.com", [address], subject="Fwd: Offer", text=FORWARDED)
    (filed,) = crm.arrive(alice, (mail, SENT, "t1"))
    assert (filed.verdict.rule, filed.created) == ("S16", True)
    with crm.session() as session:
        assert session.get_one(Message, filed.message_id).contact_id == carl.id
        contacts = session.exec(select(Contact.id).where(Contact.location_id == crm.location.id)).all()
        assert contacts == [carl.id]


def test_s6_s8_an_answer_waits_while_the_gap_still_holds_what_it_answers(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl, dora = crm.contact("carl@lead.com"), crm.contact("dora@lead.com")
    asked = raw_mail(
        "carl@lead.com", ["alice@acme.com", "x@lead.com", "dora@lead.com"], message_id="<q@lead.com>"
    )
    of_a_stranger = raw_mail("x@lead.com", ["alice@acme.com"], subject="Re: Offer", answers=["<q@lead.com>"])
    of_dora = raw_mail("dora@lead.com", ["alice@acme.com"], subject="Re: Offer", answers=["<q@lead.com>"])
    fresh = raw_mail("dora@lead.com", ["alice@acme.com"], subject="Something else")
    opening = (asked, headline(asked, at=crm.tick()))
    answers = [
        (of_a_stranger, headline(of_a_stranger, at=crm.tick())),
        (of_dora, headline(of_dora, at=crm.tick())),
    ]
    early = crm.file(alice, answers, gap_open=True)
    assert [one.waits for one in early] == [True, True]
    with crm.session() as session:
        waiting = session.exec(select(Decision).where(Decision.account_id == alice.id)).all()
        assert {(d.outcome, d.next_try_at is not None) for d in waiting} == {("failed", True)}
        here = Message.location_id == crm.location.id
        assert session.exec(select(Message.id).where(here)).all() == []
    (new,) = crm.arrive(alice, (fresh, IN, "t9"), gap_open=True)
    assert (new.waits, new.verdict.rule) == (False, "S7")
    (opener,) = crm.file(alice, [opening])
    late = crm.file(alice, answers)
    assert [one.verdict.rule for one in late] == ["S8", "S8"]
    with crm.session() as session:
        owners = session.exec(select(Message.contact_id).where(here, Message.subject == "Re: Offer")).all()
        assert set(owners) == {carl.id}
        assert session.get_one(Message, new.message_id).contact_id == dora.id
        assert session.get_one(Message, opener.message_id).contact_id == carl.id
