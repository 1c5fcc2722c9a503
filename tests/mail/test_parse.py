"""Any bytes become a mail: bodies, attachments, structure that is broken, and what stays bounded."""

from __future__ import annotations

import json
import struct
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.__main__ import describe
from mail.bodies import unflow
from mail.dates import read_date
from mail.mime import MAX_DEPTH, MAX_PARTS, clean_filename
from mail.parse import parse
from mail.references import MAX_REFERENCES, read_ids, read_message_id
from tests.mail.fuzz import check
from tests.mail.seeds import SEEDS, TOKENS


def multipart(kind: str, *parts: str, boundary: str = "b", closed: bool = True) -> bytes:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + (f"--{boundary}--\n" if closed else "")
    return f"From: a@example.com\nContent-Type: multipart/{kind}; boundary={boundary}\n\n{body}".encode()


PLAIN = "Content-Type: text/plain\n\nplain"
HTML = "Content-Type: text/html\n\n<p>rich</p>"
IMAGE = 'Content-Type: image/png; name="i.png"\nContent-ID: <i@x>\nContent-Transfer-Encoding: base64\n\niVBO'
PDF = 'Content-Type: application/pdf\nContent-Disposition: attachment; filename="r.pdf"\n\n%PDF'


def test_plain_and_html_of_an_alternative() -> None:
    mail = parse(multipart("alternative", PLAIN, HTML))
    assert (mail.text, mail.html) == ("plain", "<p>rich</p>")
    assert mail.attachments == ()


def test_html_only_mail_has_text_too() -> None:
    mail = parse(b"Content-Type: text/html; charset=utf-8\n\n<p>Hello</p><p>you &amp; me</p>")
    assert mail.html is not None
    assert mail.text == "Hello\n\nyou & me"


def test_an_empty_plain_part_gives_way_to_the_html() -> None:
    assert parse(multipart("alternative", "Content-Type: text/plain\n\n \n", HTML)).text == "rich"


def test_attachments_and_inline_images() -> None:
    html = "Content-Type: text/html\n\n<img src='cid:i@x'>"
    related = f"Content-Type: multipart/related; boundary=r\n\n--r\n{html}\n--r\n{IMAGE}\n--r--"
    mail = parse(multipart("mixed", related, PDF))
    image, pdf = mail.attachments
    assert (image.filename, image.inline, image.content_id, image.part_id) == ("i.png", True, "i@x", "0.1")
    assert image.content == b"\x89PN"
    assert (pdf.filename, pdf.inline, pdf.content, pdf.size, pdf.part_id) == ("r.pdf", False, b"%PDF", 4, "1")


def test_a_footer_belongs_to_both_views() -> None:
    alternative = f"Content-Type: multipart/alternative; boundary=a\n\n--a\n{PLAIN}\n--a\n{HTML}\n--a--"
    mail = parse(multipart("mixed", alternative, "Content-Type: text/plain\n\nlist footer <x>"))
    assert mail.text == "plain\nlist footer <x>"
    assert mail.html is not None
    assert "<p>rich</p>" in mail.html
    assert "list footer &lt;x&gt;" in mail.html


def test_text_between_images_stays_one_text() -> None:
    assert parse(multipart("mixed", PLAIN, IMAGE, "Content-Type: text/plain\n\nmore")).text == "plain\nmore"


def test_a_text_file_is_no_body() -> None:
    file = 'Content-Type: text/plain; name="n.txt"\nContent-Disposition: attachment; filename="notes.txt"\n\nnotes'
    mail = parse(multipart("mixed", PLAIN, file))
    assert mail.text == "plain"
    assert [attachment.filename for attachment in mail.attachments] == ["notes.txt"]


@pytest.mark.parametrize(
    "raw",
    [
        multipart("mixed", PLAIN, PDF, closed=False),
        multipart("mixed", PLAIN, PDF).replace(b"; boundary=b", b""),
        multipart("mixed", PLAIN, PDF).replace(b"boundary=b", b"boundary=other"),
        multipart("mixed", PLAIN, PDF).replace(b"boundary=b", b'boundary="b'),
        multipart("mixed", PLAIN, PDF).replace(b"--b\n", b"--b  \r\n"),
        multipart("mixed", PLAIN, PDF).replace(b"\n", b"\r\n"),
        multipart("mixed", PLAIN, PDF).replace(b"\n", b"\r"),
        multipart("mixed", PLAIN, PDF).replace(b"Content-Type: multipart/mixed; boundary=b\n", b""),
        b"\n\n" + multipart("mixed", PLAIN, PDF),
    ],
)
def test_missing_and_broken_boundaries(raw: bytes) -> None:
    mail = parse(raw)
    assert mail.text == "plain"
    assert [attachment.filename for attachment in mail.attachments] == ["r.pdf"]


def test_a_multipart_without_any_part_shows_its_text() -> None:
    mail = parse(b"Content-Type: multipart/mixed; boundary=zz\n\njust words\n")
    assert (mail.text or "").strip() == "just words"
    assert "boundary not found" in mail.problems


def test_inner_multipart_with_the_outer_boundary() -> None:
    inner = f"Content-Type: multipart/alternative; boundary=b\n\n--b\n{PLAIN}\n--b\n{HTML}"
    assert parse(multipart("mixed", inner)).text == "plain"


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("quoted-printable", b"caf=C3=A9 =\n1 =3D 1", "café 1 = 1"),
        ("quoted-printable", b"soft=  \nbreak", "softbreak"),
        ("QUOTED-PRINTABLE;", b"caf=c3=a9", "café"),
        ("base64", b"Y2Fmw6k=", "café"),
        (
            "base64",
            b"these are plain words and no base64 at all",
            "these are plain words and no base64 at all",
        ),
        (
            "base64",
            b"R3LDvMOfZSBhdXMgS8O2bG4sIGhldXRlIHVuZCBtb3JnZW4g\nU29ubmU=\n\n_____\nThis list footer was added",
            "Grüße aus Köln, heute und morgen Sonne\n\n_____\nThis list footer was added",
        ),
        ("x-uuencode", b"begin 644 a\n#86)C\n`\nend\n", "abc"),
        ("8-bit", "café".encode(), "café"),
        ("nonsense", "café".encode(), "café"),
    ],
)
def test_transfer_encodings(encoding: str, body: bytes, text: str) -> None:
    head = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    assert parse(head + body).text == text


def test_html_names_its_own_charset() -> None:
    raw = '<html><head><meta charset="windows-1250"></head><p>Příliš žluťoučký</p>'.encode("cp1250")
    assert parse(b"Content-Type: text/html\n\n" + raw).text == "Příliš žluťoučký"


def test_format_flowed_paragraphs_become_lines() -> None:
    assert (
        unflow("This is \none line.\n\n> quoted \n> too\n-- \nme")
        == "This is one line.\n\n> quoted too\n-- \nme"
    )
    assert unflow("日本 \n語", delsp=True) == "日本語"
    assert unflow(" >not a quote\n From here") == ">not a quote\nFrom here"


def test_mail_inside_mail() -> None:
    inner = "From: =?utf-8?Q?J=C3=B6rg?= <j@example.com>\nSubject: inner\nMessage-ID: <in@x>\n\ninner text"
    mail = parse(multipart("mixed", PLAIN, f"Content-Type: message/rfc822\n\n{inner}"))
    assert mail.text == "plain"
    (embedded,) = mail.embedded
    assert embedded.headers.get("Subject") == "inner"
    assert embedded.text == "inner text"
    (attachment,) = mail.attachments
    assert (attachment.filename, attachment.content_type) == ("inner.eml", "message/rfc822")
    assert attachment.content == inner.encode()


def test_a_mail_that_only_wraps_another_shows_its_text() -> None:
    mail = parse(b"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: x\n\ndeep")
    assert mail.text == "deep"


def test_delivery_status_in_groups() -> None:
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        "Final-Recipient: rfc822; a@example.com\nAction: failed\n\n"
        "Final-Recipient: rfc822; b@example.com\nStatus: 4.0.0"
    )
    mail = parse(
        multipart("report", PLAIN, status, "Content-Type: text/rfc822-headers\n\nMessage-ID: <orig@x>")
    )
    assert [dict(group).get("Final-Recipient") for group in mail.delivery_status] == [
        None,
        "rfc822; a@example.com",
        "rfc822; b@example.com",
    ]
    assert mail.embedded[0].headers.get("Message-ID") == "<orig@x>"


def test_calendar_invitation_is_an_attachment_with_a_name() -> None:
    mail = parse(
        multipart(
            "alternative", PLAIN, HTML, "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR"
        )
    )
    (invite,) = mail.attachments
    assert (invite.filename, invite.content) == ("invite.ics", b"BEGIN:VCALENDAR")
    assert ("text/calendar", {"method": "REQUEST"}) in mail.parts_info


@pytest.mark.parametrize(
    ("raw", "signed", "encrypted"),
    [
        (
            multipart("signed", PLAIN, "Content-Type: application/pkcs7-signature; name=smime.p7s\n\nx"),
            True,
            False,
        ),
        (multipart("encrypted", "Content-Type: application/pgp-encrypted\n\nVersion: 1", PDF), False, True),
        (
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nx",
            False,
            True,
        ),
        (b"Content-Type: application/x-pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\nx", True, False),
        (b"\n-----BEGIN PGP MESSAGE-----\nx\n-----END PGP MESSAGE-----", False, True),
        (b"\n-----BEGIN PGP SIGNED MESSAGE-----\nx", True, False),
        (b"\nnothing of the kind", False, False),
    ],
)
def test_signed_and_encrypted_are_shown_as_such(raw: bytes, signed: bool, encrypted: bool) -> None:
    mail = parse(raw)
    assert (mail.signed, mail.encrypted) == (signed, encrypted)
    assert ("encrypted: the content cannot be shown" in mail.problems) == encrypted


def tnef(*objects: tuple[int, int, int, bytes]) -> bytes:
    data = b"\x78\x9f\x3e\x22\x01\x00"
    for level, name, kind, value in objects:
        data += (
            struct.pack("<BHHI", level, name, kind, len(value))
            + value
            + struct.pack("<H", sum(value) & 0xFFFF)
        )
    return data


def winmail(data: bytes) -> bytes:
    head = b"Content-Type: application/ms-tnef\nContent-Disposition: attachment; filename=winmail.dat\n\n"
    return multipart("mixed", PLAIN).replace(b"--b--\n", b"--b\n") + head + data + b"\n--b--\n"


def test_winmail_dat_is_unpacked() -> None:
    data = tnef(
        (1, 0x9006, 8, struct.pack("<I", 0x10000)),
        (2, 0x9002, 6, b"\x01\x00" + b"\x00" * 12),
        (2, 0x8010, 1, b"plan.txt\x00"),
        (2, 0x800F, 6, b"the plan"),
    )
    mail = parse(winmail(data))
    assert [(attachment.filename, attachment.content) for attachment in mail.attachments] == [
        ("plan.txt", b"the plan")
    ]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x78\x9f\x3e\x22", b"\x78\x9f\x3e\x22" + b"\x01" * 500, b"\x78\x9f\x3e\x22" + b"\x00" * 90_000],
)
def test_a_broken_winmail_dat_stays_as_it_is(data: bytes) -> None:
    mail = parse(winmail(data))
    assert [attachment.filename for attachment in mail.attachments] == ["winmail.dat"]
    assert "winmail.dat unreadable" in mail.problems


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Mon, 02 Mar 2026 10:00:00 +0100", datetime(2026, 3, 2, 9, 0, tzinfo=UTC)),
        ("2 Mar 26 10:00 GMT", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 10:00:00 -0800 (PST)", datetime(2026, 3, 2, 18, 0, tzinfo=UTC)),
        ("Mon Mar  2 10:00:00 2026", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("2026-03-02 10:00:00+02:00", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 23:59:60 +0000", datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 10:00:00 +9999", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("Tue, 31 Feb 2026 10:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
        ("1" * 5000, None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
    ],
)
def test_dates_missing_and_wild(value: str, moment: datetime | None) -> None:
    assert read_date(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        "Tue, 04 Jun 2024 09:00:00 GMT+02:00",
        "Tue, 04 Jun 2024 09:00:00 +02:00",
        "Tue, 4 Jun 2024 09:00:00 +0200 (CEST)",
        "Tue, 4 Jun 2024 09:00:00 CEST",
        "mar., 4 juin 2024 09:00:00 +0200",
        "Di, 4. Juni 2024 09:00:00 +0200",
        "Tue, 4 Jun 2024 9:00:00 AM +0200",
        "Tue, 4 Jun 124 09:00:00 +0200",
    ],
)
def test_dates_in_the_forms_of_careless_programs(value: str) -> None:
    assert read_date(value) == datetime(2024, 6, 4, 7, tzinfo=UTC)


def test_an_afternoon_is_twelve_hours_later() -> None:
    assert read_date("Tue, 4 Jun 2024 9:00:00 PM +0200") == datetime(2024, 6, 4, 19, tzinfo=UTC)
    assert read_date("Tue, 4 Jun 2024 12:30:00 AM") == datetime(2024, 6, 4, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@x> <b@x>", ("<a@x>", "<b@x>")),
        ("<a@x>\n\t<a@x>", ("<a@x>",)),
        ("<a@x><b@x>", ("<a@x>", "<b@x>")),
        ("a@x b@x", ("<a@x>", "<b@x>")),
        ("Your message of Monday <a@x>", ("<a@x>",)),
        ("<a b@x>", ("<ab@x>",)),
        ("", ()),
        ("<" + "x" * 5000 + ">", ()),
    ],
)
def test_message_ids_malformed_and_huge(value: str, ids: tuple[str, ...]) -> None:
    assert read_ids(value) == ids


def test_references_keep_the_first_and_the_last() -> None:
    ids = read_ids(" ".join(f"<{number}@x>" for number in range(5000)))
    assert len(ids) == MAX_REFERENCES
    assert (ids[0], ids[-1]) == ("<0@x>", "<4999@x>")


@pytest.mark.parametrize(
    ("value", "read"),
    [("<a@x>", "<a@x>"), ("a@x", "<a@x>"), ("<a@x> junk", "<a@x>"), ("<>", None), (None, None)],
)
def test_message_id_of_a_mail(value: str | None, read: str | None) -> None:
    assert read_message_id(value) == read


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\Users\\ann\\r.pdf", "r.pdf"),
        ("/tmp/r.pdf", "r.pdf"),
        ("a\x00\nb.pdf", "ab.pdf"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("x" * 400 + ".pdf", "x" * 251 + ".pdf"),
    ],
)
def test_file_names_lead_nowhere(name: str, clean: str) -> None:
    assert clean_filename(name) == clean


def test_absurd_depth_and_number_of_parts_are_capped() -> None:
    deep = (
        b"".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n".encode() for n in range(500))
        + b"\nx"
    )
    mail = parse(deep)
    assert "parts nested too deep" in mail.problems
    assert len(mail.parts_info) == MAX_DEPTH + 1
    many = parse(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 20_000)
    assert "too many parts" in many.problems
    assert len(many.parts_info) <= MAX_PARTS


def test_many_parts_in_an_unknown_charset_cost_no_more_than_their_length() -> None:
    part = b"--x\nContent-Type: text/plain\n\n\xe9\xe8\xa0\xc1\n"
    before = time.process_time()
    parse(b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + part * MAX_PARTS)
    assert time.process_time() - before < 0.6


def test_everything_unreadable_is_said() -> None:
    mail = parse(b"Date: never\nMessage-ID: <>\nFrom: \xff\n\n")
    assert set(mail.problems) == {"sender unreadable", "date unreadable", "message id unreadable"}
    assert "empty mail" in parse(b"").problems


def test_nul_and_lone_surrogates_go() -> None:
    mail = parse(b"Subject: a\x00b =?utf-7?Q?+2AA-?=\nContent-Type: text/plain; charset=utf-7\n\nc\x00 +2AA-")
    assert "\x00" not in mail.subject + (mail.text or "")
    assert (mail.subject + (mail.text or "")).encode("utf-8")


@given(st.binary(max_size=2_000))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_any_bytes_parse(raw: bytes) -> None:
    check(raw, seconds_per_100_kb=1.5)


@given(st.lists(st.sampled_from(SEEDS + TOKENS), max_size=12))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_any_pieces_of_mail_parse(pieces: list[bytes]) -> None:
    value = describe("x", parse(b"".join(pieces)))
    assert json.loads(json.dumps(value))["file"] == "x"


@pytest.mark.parametrize(
    ("media", "text"),
    [("text/x-notes", "Hello"), ("text/markdown", "Hello"), ("text/csv", None), ("text/vcard", None)],
)
def test_text_of_an_unknown_subtype_is_the_body_where_there_is_no_other(media: str, text: str | None) -> None:
    mail = parse(f"From: a@b.example\nContent-Type: {media}\n\nHello".encode())
    assert mail.text == text
    assert len(mail.attachments) == (text is None)


def test_a_space_before_the_first_field_hides_nothing() -> None:
    mail = parse(b" From: Ann <ann@example.com>\nSubject: Offer\n\n From: here on")
    assert mail.sender is not None
    assert (mail.sender.email, mail.subject, mail.text) == ("ann@example.com", "Offer", " From: here on")
