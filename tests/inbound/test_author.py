"""S16: one author, read from one From line; whatever can be read in two ways has none."""

from __future__ import annotations

import pytest

from inbound.author import LARGEST_HEAD, HeadTooLarge, author_of
from mail.parse import parse

REST = b"To: nora@lead.example\r\nSubject: Offer\r\n\r\nFrom: text@evil.example\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"From: ann@acme.example\r\n",
        b"FROM : Ann Archer <ann@acme.example>\r\n",
        b'From: "Archer, Ann" <ann@acme.example>\r\n',
        b"From: Archer, Ann <ann@acme.example>\r\n",
        b'From: "x@evil.example" <ann@acme.example>\r\n',
        b"From: =?utf-8?q?Ann_=C3=84rcher?= <ann@acme.example>\r\n",
        b"From: Ann\r\n Archer\r\n <ann@acme.example>\r\n",
        b"From: ann@acme.example (Ann)\r\n",
        b"Sender: x@evil.example\r\nFrom: ann@acme.example\r\nReply-To: y@evil.example\r\n",
        b"From: ann@acme.example\n",
    ],
)
def test_s16_the_author_is_who_the_crm_shows_as_sender(line: bytes) -> None:
    assert author_of(line + REST) == "ann@acme.example"
    assert [address.email for address in parse(line + REST).from_] == ["ann@acme.example"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"From:\r\n",
        b"From: Ann Archer\r\n",
        b"Sender: ann@acme.example\r\n",
        b"X-From: ann@acme.example\r\n",
        b"From: ann@acme.example\r\nFrom: x@evil.example\r\n",
        b"From: x@evil.example\r\nfrom: ann@acme.example\r\n",
        b"From: ann@acme.example, x@evil.example\r\n",
        b"From: Ann <ann@acme.example>, x@evil.example\r\n",
        b"From: x@evil.example, Ann <ann@acme.example>\r\n",
        b"From: Ann <ann@acme.example>, Carl <x@evil.example>\r\n",
        b"From: Team: ann@acme.example, x@evil.example;\r\n",
        b"From: ann@acme.example\r\n , x@evil.example\r\n",
    ],
)
def test_s16_no_author_or_several_are_none(line: bytes) -> None:
    assert author_of(line + REST) is None


@pytest.mark.parametrize(
    "line",
    [
        b'From: "ann@acme.example" <x@evil.example>\r\n',
        b"From: ann@acme.example <x@evil.example>\r\n",
        b"From: <x@evil.example> ann@acme.example\r\n",
        b"From: x@evil.example (ann@acme.example)\r\n",
        b"From: =?utf-8?q?ann=40acme.example?= <x@evil.example>\r\n",
        b"From: =?utf-8?q?=3Cann=40acme.example=3E?= <x@evil.example>\r\n",
        b'From: "\\"ann@acme.example" <x@evil.example>\r\n',
        b"From: ann@acme.example.evil.example\r\n",
        b"From: x@evil.example\n\nFrom: ann@acme.example\r\n",
        b"From: x@evil.example\r\n\r\nFrom: ann@acme.example\r\n",
    ],
)
def test_s16_a_name_that_looks_like_an_address_is_no_author(line: bytes) -> None:
    assert author_of(line + REST) != "ann@acme.example"


def test_a_header_without_end_is_not_read() -> None:
    with pytest.raises(HeadTooLarge):
        author_of(b"From: ann@acme.example\r\n" + b"X-Filler: " + b"a" * LARGEST_HEAD + b"\r\n\r\n")
    assert author_of(b"From: ann@acme.example\r\n\r\n" + b"a" * LARGEST_HEAD * 2) == "ann@acme.example"
