"""Delivery notices (S20) over the labelled corpus: kind, recipients, ids, permanence."""

from __future__ import annotations

import pytest

from mail import bounce, classify
from mail.parse import parse, parse_headers
from tests.mail.corpus_notices import BOUNCES, LIMIT_WORDS, Notice


@pytest.mark.parametrize("notice", BOUNCES, ids=lambda notice: notice.name)
def test_s20_a_delivery_notice_is_read(notice: Notice) -> None:
    mail = parse(notice.raw)
    found = bounce.read(mail)
    assert found is not None
    assert classify.kind(mail) == notice.kind
    assert found.recipients == notice.recipients
    assert set(notice.ids) <= set(found.original_message_ids)
    assert mail.message_id in notice.ids or mail.message_id not in found.original_message_ids
    assert found.delayed is (notice.kind == "delay")
    if notice.status is not None:
        assert found.status == notice.status
    assert found.permanent is (notice.permanent and notice.kind == "bounce")
    assert 0 < len(found.reason) <= 300


@pytest.mark.parametrize("language", LIMIT_WORDS)
def test_s20_a_sending_limit_is_about_the_mailbox_and_no_bounce(language: str) -> None:
    raw = (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: bob@example.com\r\nReturn-Path: <>\r\n"
        "Auto-Submitted: auto-replied\r\nSubject: Delivery Status Notification (Failure)\r\nMIME-Version: 1.0\r\n"
        "X-Failed-Recipients: carl@example.org\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{LIMIT_WORDS[language]}\r\n"
    ).encode()
    mail = parse(raw)
    assert bounce.read(mail) is None
    assert classify.kind(mail) == "limit_notice"
    assert classify.headers_suffice_notice(mail)


def test_s20_another_servers_limit_is_a_bounce() -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.example.net\r\nTo: bob@example.com\r\nReturn-Path: <>\r\n"
        b"Subject: failure notice\r\n\r\n"
        b"<carl@example.org>:\r\n550 5.4.5 Daily user sending limit exceeded\r\n"
    )
    assert classify.kind(parse(raw)) == "bounce"


def test_s20_a_report_of_success_is_a_receipt() -> None:
    raw = (
        b"From: mailer-daemon@mx.example.net\r\nTo: bob@example.com\r\nReturn-Path: <>\r\nMIME-Version: 1.0\r\n"
        b"Subject: Successful Mail Delivery Report\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\n'
        b"Your message was successfully delivered\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; carl@example.org\r\n"
        b"Action: delivered\r\nStatus: 2.1.5\r\n--b--\r\n"
    )
    mail = parse(raw)
    assert bounce.read(mail) is None
    assert classify.kind(mail) == "receipt"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Your delivery", "The parcel could not be delivered to your address. Call 550 1234."),
        ("Undelivered parcels in May", "Three parcels failed. Ann <ann@example.com> has the list."),
        ("Re: Undeliverable: Offer", "Odd. Try carl@example.org again?\n\n> 550 5.1.1 User unknown"),
        (
            "Fwd: Delivery Status Notification (Failure)",
            "Look, carl@example.org failed:\n\n> 550 5.1.1 User unknown",
        ),
        (
            "Mail delivery failed?",
            'I got "550 5.1.1 User unknown" when I wrote to carl@example.org. Another address?',
        ),
        ("Server move", "The mailer-daemon was delayed and failed to deliver 550 mails."),
    ],
)
def test_a_persons_mail_about_delivery_is_no_notice(subject: str, text: str) -> None:
    raw = (
        "From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nReturn-Path: <ann@example.com>\r\n"
        f"Message-ID: <1@example.com>\r\nSubject: {subject}\r\n\r\n{text}\r\n"
    )
    mail = parse(raw.encode())
    assert bounce.read(mail) is None
    assert not classify.headers_suffice_notice(mail)


@pytest.mark.parametrize(
    ("headers", "text", "kind"),
    [
        (
            "From: Carl <carl@example.org>\r\nReturn-Path: <>\r\nAuto-Submitted: auto-replied\r\n"
            "Subject: Automatic reply: Offer",
            "I am away. Your message will not be delivered to anyone. Contact dora@example.org.",
            "auto_reply",
        ),
        (
            "From: postmaster@example.com\r\nSubject: Spam quarantine summary: 2 new messages",
            "The following messages were blocked:\r\n\r\nspam@example.net  Buy now\r\nann@example.org  Offer",
            "message",
        ),
    ],
)
def test_s20_machines_that_speak_of_undelivered_mail_send_no_bounce(
    headers: str, text: str, kind: str
) -> None:
    mail = parse(f"{headers}\r\nTo: bob@example.com\r\n\r\n{text}\r\n".encode())
    assert classify.kind(mail) == kind


def test_s20_the_reason_is_no_header_line_of_the_mail() -> None:
    raw = (
        b"From: System Administrator <postmaster@mx.example.net>\r\nTo: bob@example.com\r\n"
        b"Subject: Undeliverable: Offer\r\n\r\nYour message\r\n\r\n  To:      carl@example.org\r\n"
        b"  Subject: Offer\r\n\r\ndid not reach the following recipient(s):\r\n\r\n"
        b"carl@example.org on Thu, 6 Jun 2024 10:00:00 +0200\r\n    The recipient name is not recognized\r\n"
    )
    found = bounce.read(parse(raw))
    assert found is not None
    assert found.reason == "The recipient name is not recognized"


def test_s20_a_firewall_that_blocked_a_mail_of_ours_says_so_in_prose() -> None:
    raw = (
        b"From: Mail Delivery System <postmaster@filter.example.org>\r\nTo: bob@example.com\r\n"
        b"Subject: **Message you sent blocked by our bulk email filter**\r\n\r\n"
        b"Your message to: carl@example.org\r\nwas blocked by our Spam Firewall. The email you sent with the "
        b"following subject has NOT BEEN DELIVERED:\r\n\r\nSubject: Offer\r\n"
    )
    found = bounce.read(parse(raw))
    assert found is not None
    assert (found.recipients, found.permanent) == (("carl@example.org",), True)


def test_s9_headers_alone_show_a_bounce() -> None:
    mail = parse_headers(
        [
            ("From", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"),
            ("Subject", "Delivery Status Notification (Failure)"),
            ("X-Failed-Recipients", "carl@example.org"),
            ("In-Reply-To", "<sent-1@crm.example.com>"),
        ]
    )
    assert classify.headers_suffice_notice(mail)
    assert classify.kind(mail) == "bounce"
    found = bounce.read(mail)
    assert found is not None
    assert found.recipients == ("carl@example.org",)
    assert found.original_message_ids == ("<sent-1@crm.example.com>",)


def test_s19_headers_alone_show_a_delay() -> None:
    mail = parse_headers(
        [
            ("From", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"),
            ("Subject", "Delivery Status Notification (Delay)"),
            ("Auto-Submitted", "auto-replied"),
        ]
    )
    assert classify.headers_suffice_notice(mail)
    assert classify.kind(mail) == "delay"


@pytest.mark.parametrize(
    "pairs",
    [
        [("From", "Ann <ann@example.com>"), ("Subject", "Delivery failed again")],
        [
            ("From", "postmaster@example.com"),
            ("Subject", "Lunch?"),
            ("Return-Path", "<postmaster@example.com>"),
        ],
        [("From", "Ann <ann@example.com>"), ("Subject", "Hello"), ("Return-Path", "<>")],
        [("From", "Ann <ann@example.com>"), ("Auto-Submitted", "auto-replied"), ("Subject", "Out of office")],
    ],
)
def test_s9_headers_of_strangers_mail_show_no_notice(pairs: list[tuple[str, str]]) -> None:
    assert not classify.headers_suffice_notice(parse_headers(pairs))


def test_s20_a_refusal_that_advises_to_send_again_is_a_bounce() -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.example.net\r\nTo: bob@example.com\r\nReturn-Path: <>\r\n"
        b"Subject: Returned mail\r\n\r\n"
        b"Check the address, then retry; the server will try again.\r\n\r\n"
        b"<carl@example.org>\r\n550 5.1.1 User unknown\r\n"
    )
    assert classify.kind(parse(raw)) == "bounce"


def test_s20_a_notice_in_prose_without_a_refusal_is_a_delay() -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.example.net\r\nTo: bob@example.com\r\nReturn-Path: <>\r\nSubject: Notice\r\n\r\n"
        b"Your message could not be delivered yet. The server will keep trying.\r\n\r\n<carl@example.org>\r\n"
    )
    assert classify.kind(parse(raw)) == "delay"
