"""Kinds of machines' mail (S20), and that people's mail is none of them."""

from __future__ import annotations

import pytest

from mail import classify, forward
from mail.parse import parse, parse_headers
from tests.mail.corpus_notices import AWAY_SUBJECTS


def _kind(*pairs: tuple[str, str]) -> str:
    return classify.kind(
        parse_headers([("From", "Carl <carl@example.org>"), ("To", "bob@example.com"), *pairs])
    )


@pytest.mark.parametrize("language", AWAY_SUBJECTS)
def test_s20_an_answer_that_nobody_wrote_is_known_by_its_subject(language: str) -> None:
    assert _kind(("Subject", AWAY_SUBJECTS[language])) == "auto_reply"


@pytest.mark.parametrize(
    "pairs",
    [
        [("Auto-Submitted", "auto-replied")],
        [("Auto-Submitted", "auto-generated; type=vacation")],
        [("X-Autoreply", "yes")],
        [("X-Autorespond", "Offer")],
        [("Precedence", "auto_reply")],
        [("Return-Path", "<>"), ("In-Reply-To", "<sent-1@crm.example.com>")],
        [("Return-Path", "<>"), ("X-Auto-Response-Suppress", "All")],
        [
            ("Precedence", "bulk"),
            ("In-Reply-To", "<1@x.example>"),
            ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ],
    ],
)
def test_s20_an_answer_that_nobody_wrote_is_known_by_its_headers(pairs: list[tuple[str, str]]) -> None:
    assert _kind(("Subject", "Re: Offer"), *pairs) == "auto_reply"


@pytest.mark.parametrize(
    "pairs",
    [
        [("Auto-Submitted", "no")],
        [("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply")],
        [("In-Reply-To", "<sent-1@crm.example.com>"), ("Return-Path", "<carl@example.org>")],
        [("Subject", "Re: Out of office chairs, anyone?")],
        [("Subject", "Automatic doors for the office")],
        [("Subject", "Read: the new contract")],
        [("Subject", "Delayed shipment of your order")],
        [("X-Priority", "1"), ("Importance", "High")],
        [("Subject", "Absence de Carl mardi")],
    ],
)
def test_a_persons_mail_is_a_message(pairs: list[tuple[str, str]]) -> None:
    assert _kind(*pairs) == "message"


@pytest.mark.parametrize(
    "pairs",
    [
        [("List-Id", "<news.example.org>")],
        [
            ("List-Unsubscribe", "<https://example.org/u>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ],
        [("Precedence", "list")],
        [("Precedence", "bulk")],
        [("X-BeenThere", "news@example.org")],
    ],
)
def test_mail_to_many_is_a_list(pairs: list[tuple[str, str]]) -> None:
    assert _kind(("Subject", "News"), *pairs) == "list"


def test_a_read_receipt_is_a_receipt() -> None:
    mail = parse(
        b"From: carl@example.org\r\nTo: bob@example.com\r\nSubject: Gelesen: Angebot\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n--b\r\n\r\n'
        b"Your message was read\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Final-Recipient: rfc822; carl@example.org\r\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n"
    )
    assert classify.kind(mail) == "receipt"


def test_an_abuse_report_is_a_machines_mail() -> None:
    mail = parse(
        b"From: fbl@provider.example\r\nTo: abuse@example.com\r\nSubject: Email Feedback Report\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n\r\nAbuse\r\n'
        b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n--b--\r\n"
    )
    assert classify.kind(mail) == "auto_reply"


def test_a_complaint_with_the_mail_in_it_is_no_forward() -> None:
    mail = parse(
        b"From: Staff <staff@provider.example>\r\nTo: abuse@example.com\r\nMIME-Version: 1.0\r\n"
        b"Subject: complaint about message from 192.0.2.7\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n'
        b"From: bob@example.com\r\nSubject: Offer\r\n\r\nHello\r\n--b--\r\n"
    )
    assert classify.kind(mail) == "auto_reply"
    assert not forward.is_forward(mail)


@pytest.mark.parametrize("method", ["REQUEST", "REPLY", "CANCEL"])
def test_an_invitation_or_its_answer_is_calendar(method: str) -> None:
    mail = parse(
        b"From: carl@example.org\r\nTo: bob@example.com\r\nSubject: Accepted: Meeting\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nMeeting\r\n'
        b"--b\r\nContent-Type: text/calendar; method=" + method.encode() + b"; charset=utf-8\r\n\r\n"
        b"BEGIN:VCALENDAR\r\nMETHOD:" + method.encode() + b"\r\nEND:VCALENDAR\r\n--b--\r\n"
    )
    assert classify.kind(mail) == "calendar"


def test_an_invitation_that_a_calendar_server_sends_is_calendar() -> None:
    mail = parse(
        b"From: Carl <carl@example.org>\r\nTo: bob@example.com\r\nAuto-Submitted: auto-generated\r\n"
        b"Subject: Invitation: Meeting\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
        b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
    )
    assert classify.kind(mail) == "calendar"


def test_an_empty_mail_is_a_message() -> None:
    assert classify.kind(parse(b"")) == "message"
    assert classify.kind(parse_headers([])) == "message"
