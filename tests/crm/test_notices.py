"""What notices of mail servers do to the mail that they are about (S19, S20)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from crm import leaving
from models import Account, Message, User
from models.ids import new_id
from models.states import MessageStatus
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail
from tests.crm.test_rules import bounce_of

pytestmark = pytest.mark.servers

SENT, IN = ("SENT",), ("INBOX",)


def a_sent_mail(crm: Crm, account: Account, **fields: object) -> str:
    mail = raw_mail("alice@acme.com", ["carl@lead.com"], message_id="<a1@mail.gmail.com>", **fields)  # type: ignore[arg-type]
    (filed,) = crm.arrive(account, (mail, SENT, "t1"))
    return str(filed.message_id)


def message(crm: Crm, message_id: str) -> Message:
    with crm.session() as session:
        return session.get_one(Message, message_id)


def test_s20_a_failure_notice_marks_the_mail_as_bounced_and_is_no_reply(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    (notice,) = crm.arrive(alice, (bounce_of("carl@lead.com", "<a1@mail.gmail.com>"), IN, "t1"))
    bounced = message(crm, ours)
    assert (bounced.status, bounced.bounce_recipients) == (MessageStatus.BOUNCED, ["carl@lead.com"])
    assert (bounced.bounced_at, bounced.replied_at) == (crm.clock, None)
    kept = message(crm, str(notice.message_id))
    assert (kept.kind, kept.thread_id) == ("bounce", bounced.thread_id)


def delay_of(recipient: str, message_id: str) -> bytes:
    return raw_mail(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        ["alice@acme.com"],
        subject="Delivery Status Notification (Delay)",
        answers=[message_id],
        headers=[("Auto-Submitted", "auto-replied"), ("Return-Path", "<>")],
        text=f"Delivery incomplete\n\nThere was a temporary problem delivering your message to {recipient}. "
        "Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently.",
    )


def test_s20_a_delay_marks_it_as_delayed_until_it_fails(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    crm.arrive(alice, (delay_of("carl@lead.com", "<a1@mail.gmail.com>"), IN, "t1"))
    assert (message(crm, ours).status, message(crm, ours).bounced_at) == (MessageStatus.DELAYED, None)
    crm.arrive(alice, (bounce_of("carl@lead.com", "<a1@mail.gmail.com>"), IN, "t1"))
    assert message(crm, ours).status == MessageStatus.BOUNCED
    crm.arrive(alice, (delay_of("carl@lead.com", "<a1@mail.gmail.com>"), IN, "t1"))
    assert message(crm, ours).status == MessageStatus.BOUNCED


def test_s19_delivery_incomplete_of_the_auto_bcc_copy_leaves_the_mail_as_it_is(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    with crm.session() as session:
        address = f"{session.get_one(User, alice.user_id).auto_bcc_token}@{BCC_DOMAIN}"
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice, bcc=[address])
    for notice in (delay_of(address, "<a1@mail.gmail.com>"), bounce_of(address, "<a1@mail.gmail.com>")):
        (filed,) = crm.arrive(alice, (notice, IN, "t1"))
        assert filed.verdict.rule == "S19"
    after = message(crm, ours)
    assert (after.status, after.bounced_at) == (MessageStatus.SENT, None)
    assert after.auto_bcc_notice_at == crm.clock - timedelta(minutes=1)
    with crm.session() as session:
        here = select(Message.id).where(Message.location_id == crm.location.id)
        assert session.exec(here).all() == [ours]


def test_s20_gmails_limit_notice_stops_the_mailboxs_queue_and_the_refused_mail_waits_again(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    notice = limit_notice(answers=("<a1@mail.gmail.com>",))
    (filed,) = crm.arrive(alice, (notice, IN, "t1"))
    assert filed.effect is not None
    assert filed.effect.refused_message_id == ours
    waiting = message(crm, ours)
    assert (waiting.status, waiting.bounced_at) == (MessageStatus.WAITING_FOR_LIMIT, None)
    with crm.session() as session:
        assert session.get_one(Account, alice.id).sends_blocked_until == crm.clock + timedelta(hours=24)


def test_s9_a_notice_about_nothing_of_ours_is_kept_nowhere(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    (filed,) = crm.arrive(alice, (bounce_of("x@else.com", "<unknown@mail.gmail.com>"), IN, "t9"))
    assert (filed.verdict.rule, filed.message_id) == ("S9", None)


def limit_notice(
    to: str = "alice@acme.com",
    answers: tuple[str, ...] = (),
    sender: str = "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
    headers: tuple[tuple[str, str], ...] = (),
) -> bytes:
    return raw_mail(
        sender,
        [to],
        subject="Delivery Status Notification (Failure)",
        answers=answers,
        headers=[("Auto-Submitted", "auto-replied"), ("Return-Path", "<>"), *headers],
        text="Message not sent\n\nYou have reached a limit for sending mail. Your message was not sent.",
    )


def leaves_again(crm: Crm, message_id: str, header: str) -> None:
    with crm.database.session() as session:
        leaving.record_sent(
            session,
            leaving.locked(session, message_id),
            gmail_id=new_id("g"),
            gmail_thread_id="t1",
            message_id_header=header,
            from_email=None,
            at=crm.tick(25 * 3600),
        )


def test_s27_a_limit_notice_that_another_user_of_the_mailbox_tells_late_refuses_nothing_again(
    crm: Crm,
) -> None:
    alice = crm.mailbox("shared@acme.com", login="alice@acme.com")
    bob = crm.connect(crm.user("bob@acme.com"), "shared@acme.com")
    crm.contact("carl@lead.com")
    mail = raw_mail("shared@acme.com", ["carl@lead.com"], message_id="<a1@mail.gmail.com>")
    (ours,) = crm.arrive(alice, (mail, SENT, "t1"))
    notice = limit_notice("shared@acme.com", ("<a1@mail.gmail.com>",))
    refused_at = crm.tick()
    (filed,) = crm.file(alice, [(notice, headline(notice, *IN, at=refused_at))])
    assert filed.effect is not None
    assert filed.effect.refused_message_id == ours.message_id
    # Gmail may keep the id of the refused mail for the one that leaves.
    leaves_again(crm, str(ours.message_id), "<a1@mail.gmail.com>")
    (filed,) = crm.file(bob, [(notice, headline(notice, *IN, at=refused_at))])
    assert message(crm, str(ours.message_id)).status == MessageStatus.SENT
    assert filed.effect is not None
    assert filed.effect.refused_message_id is None


def test_s27_a_second_limit_notice_about_the_copy_that_was_refused_does_not_refuse_the_next_one(
    crm: Crm,
) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    crm.arrive(alice, (limit_notice(answers=("<a1@mail.gmail.com>",)), IN, "t1"))
    leaves_again(crm, ours, "<a2@mail.gmail.com>")
    crm.arrive(alice, (limit_notice(answers=("<a1@mail.gmail.com>",)), IN, "t1"))
    assert message(crm, ours).status == MessageStatus.SENT
    crm.arrive(alice, (limit_notice(answers=("<a2@mail.gmail.com>",)), IN, "t1"))
    assert message(crm, ours).status == MessageStatus.WAITING_FOR_LIMIT


FORGED = (
    "mx.google.com; spf=fail smtp.mailfrom=mailer-daemon@gmail.com; dmarc=fail (p=NONE) header.from=gmail.com"
)
OF_ANOTHER = "mx.google.com; spf=pass smtp.mailfrom=x@evil.com; dmarc=pass (p=NONE) header.from=evil.com"


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ("mailer-daemon@gmail.com", (("Authentication-Results", FORGED),)),
        (
            "x@evil.com",
            (("Sender", "mailer-daemon@gmail.com"), ("Authentication-Results", OF_ANOTHER)),
        ),
    ],
)
def test_s20_a_limit_notice_of_a_sender_whom_gmail_doubts_is_without_effect(
    crm: Crm, sender: str, headers: tuple[tuple[str, str], ...]
) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    forged = limit_notice(answers=("<a1@mail.gmail.com>",), sender=sender, headers=headers)
    crm.arrive(alice, (forged, IN, "t1"))
    assert message(crm, ours).status in (MessageStatus.SENT, MessageStatus.BOUNCED)
    with crm.session() as session:
        assert session.get_one(Account, alice.id).sends_blocked_until is None


@pytest.mark.parametrize("headers", [(("X-Original-Message-ID", "<a1@mail.gmail.com>"),), ()])
def test_s20_a_limit_notice_without_references_is_about_what_it_names_or_what_just_left_in_its_thread(
    crm: Crm, headers: tuple[tuple[str, str], ...]
) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    (filed,) = crm.arrive(alice, (limit_notice(headers=headers), IN, "t1"))
    assert filed.verdict.rule == "S20"
    assert message(crm, ours).status == MessageStatus.WAITING_FOR_LIMIT


def test_s20_a_limit_notice_that_names_nothing_refuses_no_mail_of_long_ago(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    ours = a_sent_mail(crm, alice)
    crm.tick(3 * 3600)
    crm.arrive(alice, (limit_notice(), IN, "t1"))
    assert message(crm, ours).status == MessageStatus.SENT
