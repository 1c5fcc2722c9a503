"""Forwards (S18) over the labelled corpus, and the hard cases one by one."""

from __future__ import annotations

import pytest

from mail import forward, quotes
from mail.message import Address
from mail.parse import parse, parse_headers
from tests.mail.corpus_forwards import FORWARDS, NOT_FORWARDS, OWN_WAYS, Case


def _mail(case: Case) -> bytes:
    return (
        "From: Bob <bob@example.com>\r\nTo: Carl <carl@example.org>\r\nMessage-ID: <1@example.com>\r\n"
        f"Subject: {case.subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{case.text}"
    ).encode()


@pytest.mark.parametrize("case", FORWARDS, ids=lambda case: f"{case.language} {case.client}")
def test_s18_a_forward_is_known_as_one(case: Case) -> None:
    mail = parse(_mail(case))
    assert forward.is_forward(mail)
    assert forward.original_sender(mail) == Address("Ann Lee", "ann@example.com")


@pytest.mark.parametrize("case", NOT_FORWARDS, ids=lambda case: f"{case.language} {case.client}")
def test_s18_a_reply_or_plain_mail_is_no_forward(case: Case) -> None:
    assert not forward.is_forward(parse(_mail(case)))


@pytest.mark.parametrize("case", OWN_WAYS, ids=lambda case: f"{case.language} {case.client}")
def test_s18_the_comment_on_a_forward_stands_alone(case: Case) -> None:
    assert quotes.split(case.text).new_text == "For you."


def test_s18_a_mail_attached_as_a_file_is_a_forward() -> None:
    mail = parse(
        b"From: bob@example.com\r\nTo: carl@example.org\r\nSubject: Fwd: Offer\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n'
        b'--x\r\nContent-Type: application/octet-stream; name="Offer.eml"\r\n'
        b"Content-Disposition: attachment\r\n\r\nFrom: Ann Lee <ann@example.com>\r\n\r\nHello\r\n--x--\r\n"
    )
    assert forward.is_forward(mail)


def test_s18_a_mail_attached_whole_is_a_forward() -> None:
    mail = parse(
        b"From: bob@example.com\r\nTo: carl@example.org\r\nSubject: Fwd: Offer\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n'
        b"--x\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
        b"From: Ann Lee <ann@example.com>\r\nSubject: Offer\r\n\r\nHello\r\n--x--\r\n"
    )
    assert forward.is_forward(mail)
    assert forward.original_sender(mail) == Address("Ann Lee", "ann@example.com")


def test_s18_a_machines_notice_is_no_forward() -> None:
    mail = parse(
        b"From: Mail Delivery System <mailer-daemon@mx.example.org>\r\nTo: bob@example.com\r\nReturn-Path: <>\r\n"
        b"Subject: Fwd: Undelivered Mail Returned to Sender\r\n\r\n"
        b"Your message could not be delivered to:\r\n\r\n  carl@example.org\r\n  550 5.1.1 User unknown\r\n\r\n"
        b"---------- Forwarded message ----------\r\nFrom: Bob <bob@example.com>\r\nDate: Mon, 3 Jun 2024\r\n"
        b"Subject: Hi\r\nTo: carl@example.org\r\n\r\nHi\r\n"
    )
    assert not forward.is_forward(mail)


def test_s18_an_automatic_answer_that_quotes_a_forward_is_no_forward() -> None:
    mail = parse(
        b"From: bob@example.com\r\nTo: carl@example.org\r\nAuto-Submitted: auto-replied\r\n"
        b"Subject: Fwd: Offer\r\n\r\n"
        b"I am away.\r\n\r\n---------- Forwarded message ---------\r\nFrom: Ann <ann@example.com>\r\n"
        b"Date: Mon, Jun 3, 2024\r\nSubject: Offer\r\nTo: <bob@example.com>\r\n\r\nHello\r\n"
    )
    assert not forward.is_forward(mail)


def test_s18_outlook_for_mac_forwards_with_a_who_wrote_line() -> None:
    text = 'For you.\n\nOn 28/10/2024 12:46, "Ann Lee" <ann@example.com> wrote:\n\n    Hello Bob\n'
    mail = parse(_mail(Case("outlook for mac", "en", "FW: Offer", text)))
    assert forward.is_forward(mail)
    assert forward.original_sender(mail) == Address("Ann Lee", "ann@example.com")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Fwd: Offer", True),
        ("WG: Angebot", True),
        ("Re: Fwd: Offer", False),
        ("Offer", False),
        ("VS: Tarjous", False),
    ],
)
def test_s18_headers_alone_tell_by_the_subject(subject: str, expected: bool) -> None:
    assert forward.is_forward(parse_headers([("From", "bob@example.com"), ("Subject", subject)])) is expected


def test_s18_thunderbird_names_the_forwarded_mail_in_a_header() -> None:
    pairs = [("From", "bob@example.com"), ("Subject", "Offer"), ("X-Forwarded-Message-Id", "<1@example.com>")]
    assert forward.is_forward(parse_headers(pairs))
