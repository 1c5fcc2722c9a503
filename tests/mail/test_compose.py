"""Mails that we write: they come back as given, thread, and never leave too large or with a foreign header."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail import compose as compose_module
from mail.answer import (
    forward_html,
    forward_subject,
    forward_text,
    reply_html,
    reply_ids,
    reply_subject,
    reply_text,
)
from mail.compose import (
    MAX_ATTACHMENT_BYTES,
    AddressError,
    ComposeError,
    HeaderInjectionError,
    OutgoingFile,
    OversizeError,
    compose,
)
from mail.forward import is_forward, original_sender
from mail.message import Address, Mail
from mail.parse import parse
from mail.references import MAX_REFERENCES

ANN = Address("Ann Lee", "ann@example.com")
BOB = Address("Bob", "bob@example.org")


def test_a_mail_with_everything_comes_back() -> None:
    pdf = OutgoingFile("Übersicht – März.pdf", "application/pdf", bytes(range(256)))
    logo = OutgoingFile("logo.png", "image/png", b"\x89PNG", "logo@crm")
    raw = compose(
        from_=ANN,
        to=[BOB, Address("山田太郎", "taro@example.jp")],
        cc=[Address("Doe, John", "john@example.net")],
        bcc=[Address("", "archive@example.net")],
        reply_to=[Address("Ann", "reply@example.com")],
        subject="Grüße aus Köln",
        text="Hallo,\nwie besprochen.",
        html="<p>Hallo <img src='cid:logo@crm'></p>",
        attachments=[pdf, logo],
        date=datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
        message_id="<1@example.com>",
        in_reply_to="<0@example.org>",
        references=["<a@example.org>", "<0@example.org>"],
        headers=[("X-Crm-Stamp", "c2VjcmV0")],
        list_unsubscribe=["https://crm.example/u/1", "mailto:u@crm.example"],
        one_click=True,
    )
    mail = parse(raw)
    assert mail.sender == ANN
    assert mail.to == (BOB, Address("山田太郎", "taro@example.jp"))
    assert mail.cc == (Address("Doe, John", "john@example.net"),)
    assert mail.bcc == (Address("", "archive@example.net"),)
    assert mail.reply_to == (Address("Ann", "reply@example.com"),)
    assert mail.subject == "Grüße aus Köln"
    assert (mail.text, mail.html) == ("Hallo,\nwie besprochen.", "<p>Hallo <img src='cid:logo@crm'></p>")
    assert [(file.filename, file.content, file.inline) for file in mail.attachments] == [
        ("logo.png", b"\x89PNG", True),
        ("Übersicht – März.pdf", bytes(range(256)), False),
    ]
    assert mail.date == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    assert (mail.message_id, mail.in_reply_to) == ("<1@example.com>", ("<0@example.org>",))
    assert mail.references == ("<a@example.org>", "<0@example.org>")
    assert mail.headers.get("X-Crm-Stamp") == "c2VjcmV0"
    assert mail.headers.get("List-Unsubscribe") == "<https://crm.example/u/1>, <mailto:u@crm.example>"
    assert mail.headers.get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert mail.problems == ()


def test_lines_end_with_crlf_and_stay_short_and_7_bit() -> None:
    raw = compose(
        from_=ANN,
        to=[BOB] * 50,
        subject="ü" * 900,
        text="é" * 5000 + "\n" + "x" * 5000,
        references=["<a@b>"] * 9,
    )
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_the_standard_library_reads_it_the_same_way() -> None:
    raw = compose(
        from_=Address("Zoë, Q.", "zoe@example.com"),
        to=[BOB],
        subject="Überraschung: 日本語の長い件名 " * 6 + "Ende",
        text="naïve",
        html="<b>naïve</b>",
        attachments=[OutgoingFile("日本語のとても長いファイル名です.pdf", "application/pdf", b"x")],
    )
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == "Überraschung: 日本語の長い件名 " * 6 + "Ende"
    assert message["From"].addresses[0].display_name == "Zoë, Q."
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().strip() == "naïve"
    assert rich.get_content().strip() == "<b>naïve</b>"
    assert [part.get_filename() for part in message.iter_attachments()] == [
        "日本語のとても長いファイル名です.pdf"
    ]


def test_html_alone_gets_a_plain_alternative() -> None:
    mail = parse(compose(from_=ANN, to=[BOB], html="<p>Hello</p><p>Bob</p>"))
    assert mail.content_type == "multipart/alternative"
    assert mail.text == "Hello\n\nBob"


def test_text_alone_stays_a_single_part() -> None:
    assert parse(compose(from_=ANN, to=[BOB], text="hi")).content_type == "text/plain"


def test_an_international_domain_is_written_as_idna() -> None:
    assert b"ann@xn--mller-kva.example" in compose(
        from_=Address("", "ann@müller.example"), to=[BOB], text="x"
    )


def test_references_are_capped_and_keep_the_thread() -> None:
    mail = parse(compose(from_=ANN, to=[BOB], references=[f"<{number}@x>" for number in range(1000)]))
    assert len(mail.references) == MAX_REFERENCES
    assert (mail.references[0], mail.references[-1]) == ("<0@x>", "<999@x>")


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "hi\r\nBcc: evil@example.com"},
        {"subject": "hi\nX: y"},
        {"subject": "a\x00b"},
        {"from_": Address("Ann\nBcc: evil@example.com", "ann@example.com")},
        {"to": [Address("", "bob@example.org\r\nBcc: evil@example.com")]},
        {"headers": [("X-Stamp", "a\r\nBcc: evil@example.com")]},
        {"list_unsubscribe": ["https://x.example/\r\nBcc:evil@example.com"]},
        {"attachments": [OutgoingFile('a"\r\nX: y', "text/plain", b"x")]},
        {"attachments": [OutgoingFile("a", "text/plain\r\nX: y", b"x")]},
    ],
)
def test_a_line_break_in_a_header_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(HeaderInjectionError):
        compose(**{"from_": ANN, "to": [BOB], "text": "x", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@", "@example.com", "a b@example.com", "a@b@c", "<a@b.c>", "a@b,c@d", "ä@b.c"]
)
def test_an_address_that_mail_cannot_reach_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        compose(from_=ANN, to=[Address("", address)], text="x")


@pytest.mark.parametrize("name", ["Bcc", "content-type", "MIME-Version", "X Stamp", "X:Y", "", "X-Ü"])
def test_a_header_of_ours_or_a_broken_name_is_refused(name: str) -> None:
    with pytest.raises(ComposeError):
        compose(from_=ANN, to=[BOB], text="x", headers=[(name, "y")])


def test_s22_attachments_over_25_mb_are_refused_naming_the_limit() -> None:
    half = b"\x00" * (MAX_ATTACHMENT_BYTES // 2)
    files = [
        OutgoingFile("a.bin", "application/zip", half),
        OutgoingFile("b.bin", "application/zip", half + b"x"),
    ]
    with pytest.raises(OversizeError, match=r"26,214,401 bytes is over the limit of 26,214,400 bytes"):
        compose(from_=ANN, to=[BOB], text="x", attachments=files)


def test_s22_exactly_25_mb_fits_gmails_encoded_limit() -> None:
    file = OutgoingFile("a.bin", "application/zip", b"\x00" * MAX_ATTACHMENT_BYTES)
    raw = compose(from_=ANN, to=[BOB], text="x", attachments=[file])
    assert len(raw) <= compose_module.MAX_MAIL_BYTES


def test_s22_a_mail_whose_encoding_is_too_large_is_refused() -> None:
    with pytest.raises(OversizeError) as caught:
        compose(from_=ANN, to=[BOB], text="é" * 14_000_000)
    assert caught.value.limit == 36_700_160
    assert caught.value.size > caught.value.limit


def test_one_click_needs_an_https_address() -> None:
    with pytest.raises(ComposeError):
        compose(from_=ANN, to=[BOB], text="x", list_unsubscribe=["mailto:u@x.example"], one_click=True)


ORIGINAL = parse(
    compose(
        from_=BOB,
        to=[ANN],
        subject="Plan",
        text="Shall we?\n> earlier",
        html="<p>Shall we?<script>x()</script></p>",
        date=datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
        message_id="<2@example.org>",
        in_reply_to="<1@example.com>",
        references=["<0@example.com>", "<1@example.com>"],
    )
)


def test_a_reply_threads_by_the_real_ids() -> None:
    assert reply_ids(ORIGINAL) == (
        "<2@example.org>",
        ("<0@example.com>", "<1@example.com>", "<2@example.org>"),
    )
    lonely = Mail(message_id="<3@x>", in_reply_to=("<2@x>",))
    assert reply_ids(lonely) == ("<3@x>", ("<2@x>", "<3@x>"))
    assert reply_ids(Mail()) == (None, ())


@pytest.mark.parametrize(
    ("subject", "reply", "forward"),
    [
        ("Plan", "Re: Plan", "Fwd: Plan"),
        ("RE: Plan", "RE: Plan", "Fwd: RE: Plan"),
        ("AW: Plan", "AW: Plan", "Fwd: AW: Plan"),
    ],
)
def test_subjects_of_answers(subject: str, reply: str, forward: str) -> None:
    assert reply_subject(subject) == reply
    assert forward_subject(subject) == forward


def test_a_reply_quotes_the_original() -> None:
    text = reply_text(ORIGINAL, "Yes.\n")
    assert text == (
        "Yes.\n\nOn Mon, Mar 2, 2026 at 10:00 UTC, Bob <bob@example.org> wrote:\n\n> Shall we?\n>> earlier\n"
    )
    html = reply_html(ORIGINAL, "<p>Yes.</p>")
    assert html.startswith("<p>Yes.</p>")
    assert "Bob &lt;bob@example.org&gt; wrote:" in html
    assert "<script" not in html


def test_a_forward_is_recognised_as_one() -> None:
    raw = compose(
        from_=ANN,
        to=[Address("", "carl@example.net")],
        subject=forward_subject(ORIGINAL.subject),
        text=forward_text(ORIGINAL, "FYI"),
        html=forward_html(ORIGINAL, "<p>FYI</p>"),
    )
    mail = parse(raw)
    assert is_forward(mail)
    found = original_sender(mail)
    assert found is not None
    assert found.email == "bob@example.org"


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Co"]), min_size=1, max_size=12
)
lines = st.lists(words, max_size=8).map(" ".join)
bodies = st.lists(lines, max_size=6).map("\n".join)
display_names = lines.filter(
    lambda name: not name.startswith("'") and "[mailto:" not in name and name != "[]"
)
emails = st.builds(
    "{}@{}.example".format,
    st.sampled_from(["a", "b.c", "d+e", "f_g", "h'i"]),
    st.sampled_from(["x", "y-z", "q1"]),
)
people = st.lists(st.builds(Address, display_names, emails), max_size=4)
filenames = words.map(lambda name: name.replace("/", "_").replace("\\", "_") + ".bin")
files = st.lists(
    st.builds(OutgoingFile, filenames, st.just("application/octet-stream"), st.binary(max_size=300)),
    max_size=3,
)
ids = st.builds("<{}@x.example>".format, st.integers(0, 10**9))


@given(
    display_names,
    people,
    people,
    lines,
    bodies,
    st.none() | bodies,
    files,
    st.lists(ids, max_size=5, unique=True),
)
@settings(derandomize=True, deadline=None, max_examples=80)
def test_parse_of_compose_gives_back_what_was_given(
    name: str,
    to: list[Address],
    bcc: list[Address],
    subject: str,
    text: str,
    html: str | None,
    attachments: list[OutgoingFile],
    references: list[str],
) -> None:
    sender = Address(name, "ann@example.com")
    html = None if html is None else f"<p>{html}</p>"
    moment = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    raw = compose(
        from_=sender,
        to=to,
        bcc=bcc,
        subject=subject,
        text=text,
        html=html,
        attachments=attachments,
        date=moment,
        message_id="<1@x.example>",
        references=references,
    )
    mail = parse(raw)
    assert (mail.sender, mail.to, mail.bcc) == (sender, tuple(to), tuple(bcc))
    assert (mail.subject, mail.html, mail.date) == (subject, html, moment)
    assert mail.references == tuple(references)
    assert [(file.filename, file.content) for file in mail.attachments] == [
        (f.filename, f.content) for f in attachments
    ]
    if html is None or text.strip():
        assert mail.text == text
