"""Reply splitting over the labelled corpus, the rules of the module one by one, html, and hostile bodies."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail import classify, forward, htmltext, quotes
from mail.labels import WROTE
from mail.message import Address, Mail
from mail.replylines import has_verb
from tests.mail.corpus_replies import NOT_QUOTED, REPLIES, Reply

SECONDS = 2.0
"""Far above what linear reading of 100 kB takes, far below what anything quadratic does."""


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: f"{reply.language} {reply.client}")
def test_the_new_part_is_what_the_writer_wrote(reply: Reply) -> None:
    split = quotes.split(reply.text)
    assert split.new_text == reply.new
    assert split.quoted_text


@pytest.mark.parametrize("text", NOT_QUOTED)
def test_text_that_only_looks_like_a_quote_stays(text: str) -> None:
    assert quotes.split(text) == quotes.Split(text, "")


def test_answers_between_quotes_keep_the_quotes_that_they_answer() -> None:
    text = "On 3 Jun 2024, at 10:15, Ann <ann@example.com> wrote:\n\n> Tuesday?\n\nYes.\n\n> At ten?\n\nEleven is better.\n"
    assert quotes.split(text) == quotes.Split(text.strip(), "")


def test_words_above_and_below_one_quote_are_both_new() -> None:
    text = "Hi Ann,\n\nOn 3 Jun 2024, at 10:15, Ann <ann@example.com> wrote:\n\n> Tuesday?\n\nYes, gladly.\n"
    split = quotes.split(text)
    assert split.new_text.split("\n\n") == ["Hi Ann,", "Yes, gladly."]
    assert split.quoted_text.endswith("> Tuesday?")


def test_quoted_lines_at_the_end_need_no_who_wrote_line() -> None:
    assert quotes.split("Yes.\n\n> Tuesday?\n> Ann") == quotes.Split("Yes.", "> Tuesday?\n> Ann")


def test_a_quote_that_the_writer_chose_to_begin_with_stays() -> None:
    text = "> To be or not to be\n\nWhat do you think of it?"
    assert quotes.split(text) == quotes.Split(text, "")


def test_a_line_that_a_client_wrapped_inside_a_quote_is_quoted() -> None:
    text = (
        "Yes.\n\nOn 3 Jun 2024, at 10:15, Ann <ann@example.com> wrote:\n\n"
        "> a line that is so long that the mail client of its writer wrapped the last\n"
        "words\n> stands alone\n"
    )
    assert quotes.split(text).new_text == "Yes."


def test_a_who_wrote_line_that_shares_its_line_with_the_answer() -> None:
    assert quotes.split(
        "Fine with me On Mon, Jun 3, 2024 at 10:15 AM, ann@example.com wrote:\n> ok?"
    ).new_text == ("Fine with me")


@pytest.mark.parametrize(
    "line",
    [
        "Am 03.06.24 um 10:15 schrieb Kundendienst Beispiel - Versand",
        "Le 03/06/2024 10:15, le service client a écrit",
        "On 3/6/2024 10:15 the support team wrote",
    ],
)
def test_a_who_wrote_line_without_address_above_a_header_block_is_quoted(line: str) -> None:
    block = (
        "Von: Versand <ann@example.com>\nDatum: 3. Juni 2024\nAn: bob@example.com\nBetreff: Paket\n\nHallo"
    )
    split = quotes.split(f"Danke, es ist da.\n\n{line}\n\n{block}")
    assert split.new_text == "Danke, es ist da."
    assert split.quoted_text.startswith(line)


def test_a_sentence_above_a_header_block_stays_new() -> None:
    text = "Am 3. Juni um 10:15 kommt das Paket\n\nVon: Ann <ann@example.com>\nDatum: 3. Juni 2024\nBetreff: Paket\n\nHallo"
    assert quotes.split(text).new_text == "Am 3. Juni um 10:15 kommt das Paket"


def test_the_comment_on_a_forward_is_its_new_part() -> None:
    text = (
        "For you.\n\n---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nSubject: x\n\nHello"
    )
    split = quotes.split(text)
    assert split.new_text == "For you."
    assert split.quoted_text.endswith("Hello")


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nBob Jones\nExample Ltd",
        "--\nBob",
        "Sent from my iPhone",
        "Von meinem Mobiltelefon gesendet",
        "Envoyé depuis mon téléphone",
        "Get Outlook for Android<https://aka.ms/x>",
        "_______________________________________________\nusers mailing list\nhttps://example.org/mailman/listinfo/users",
    ],
)
def test_signatures_that_programs_add_are_no_new_text(signature: str) -> None:
    split = quotes.split(f"See you on Tuesday.\n\n{signature}\n")
    assert split.new_text == "See you on Tuesday."
    assert split.quoted_text == signature.strip()


def test_a_greeting_with_a_name_is_new_text() -> None:
    assert quotes.split("Fine.\n\nBest regards,\nBob\n").new_text == "Fine.\n\nBest regards,\nBob"


def test_nothing_is_lost() -> None:
    for reply in REPLIES:
        split = quotes.split(reply.text)
        kept = "".join(f"{split.new_text}{split.quoted_text}".split())
        assert sorted(kept) == sorted("".join(reply.text.split()))


# ruff: noqa: E501 - sample mails keep their lines
HTML_REPLIES: dict[str, str] = {
    "gmail": '<div dir="ltr">Yes.</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon, Jun 3, 2024 at 10:15 AM '
    'Ann &lt;ann@example.com&gt; wrote:<br></div><blockquote class="gmail_quote">Tuesday?</blockquote></div>',
    "apple": "<html><body>Yes.<br><div><blockquote type='cite'><div>On 3 Jun 2024, at 10:15, Ann wrote:</div>"
    "<div>Tuesday?</div></blockquote></div></body></html>",
    "thunderbird": "<p>Yes.</p><div class='moz-cite-prefix'>On 6/3/24 10:15, Ann wrote:<br></div>"
    "<blockquote type='cite'>Tuesday?</blockquote>",
    "outlook": "<div class='WordSection1'><p>Yes.</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'>"
    "<p><b>From:</b> Ann &lt;ann@example.com&gt;<br><b>Sent:</b> Monday, June 3, 2024 10:15<br><b>To:</b> Bob<br>"
    "<b>Subject:</b> Meeting</p></div></div><p>Tuesday?</p></div>",
    "outlook on the web": "<div>Yes.</div><div id='appendonsend'></div><hr><div id='divRplyFwdMsg'><b>From:</b> Ann</div>"
    "<div>Tuesday?</div>",
    "yahoo": "<div>Yes.</div><div class='yahoo_quoted'><div>On Monday, Ann wrote:</div><div>Tuesday?</div></div>",
    "proton": "<div>Yes.</div><div class='protonmail_quote'>On Monday Ann wrote:<br><blockquote>Tuesday?</blockquote></div>",
    "no mark, german": "<p>Yes.</p><p>Am 03.06.2024 um 10:15 schrieb Ann &lt;ann@example.com&gt;:</p><p>Tuesday?</p>",
    "no mark, labels in one block": "<div>Yes.<br><br>Von: Ann &lt;ann@example.com&gt;<br>Gesendet: 3. Juni 2024<br>An: Bob<br>"
    "Betreff: Treffen<br><br>Tuesday?</div>",
    "no mark, japanese": "<p>Yes.</p><p>2024年6月3日(月) 10:15 Ann &lt;ann@example.com&gt;:</p><blockquote>Tuesday?</blockquote>",
}


@pytest.mark.parametrize("client", HTML_REPLIES)
def test_html_replies_are_cut_where_their_client_marks_it(client: str) -> None:
    new, quoted = quotes.split_html(HTML_REPLIES[client])
    assert htmltext.text_of(new) == "Yes."
    assert "Tuesday?" in htmltext.text_of(quoted)
    assert quotes.split(None, HTML_REPLIES[client]).new_text == "Yes."


def test_html_answers_below_the_quote_are_new() -> None:
    new, quoted = quotes.split_html(
        "<div>Am 03.06.2024 um 10:15 schrieb Ann:</div><blockquote type=cite>Tuesday?</blockquote><p>Yes.</p>"
    )
    assert htmltext.text_of(new) == "Yes."
    assert "Tuesday?" in quoted


def test_html_without_a_quote_stays() -> None:
    assert quotes.split_html("<p>Hello Ann</p>") == ("<p>Hello Ann</p>", "")


def test_html_shows_a_quote_that_the_plain_text_hides() -> None:
    text = "Yes.\n\nAnn:\n\nTuesday?\n"
    html = "<div>Yes.</div><div class='gmail_quote'><div>Ann:</div><blockquote>Tuesday?</blockquote></div>"
    assert quotes.split(text, html) == quotes.Split("Yes.", "Ann:\n\nTuesday?")


HOSTILE: dict[str, str] = {
    "on": "On " * 33_000,
    "on lines": "On x\n" * 20_000,
    "quotes": ">" * 100_000,
    "quote lines": ">\n" * 50_000,
    "spaced quotes": "> " * 50_000,
    "wrote lines": "wrote:\n" * 14_000,
    "dated wrote lines": "On 2020 10:10 wrote:\n" * 4_700,
    "labels": "From: a\n" * 12_000,
    "label pairs": "From: a\nTo: b\n" * 7_000,
    "dashes": "-" * 100_000,
    "rules": "-----\n" * 16_000,
    "signature marks": "-- \n" * 25_000,
    "half addresses": "<a@b " * 20_000,
    "at signs": "@" * 100_000,
    "colons": ":\n" * 50_000,
    "mixed": "> a\nb\n" * 16_000,
    "blank": " \n" * 50_000,
    "brackets": "<[(\"" * 25_000,
    "codes": "550 5.1.1 " * 10_000,
    "failed": "failed to " * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["text", "html"])
def test_hostile_bodies_take_no_longer_than_their_length(name: str, form: str) -> None:
    body = HOSTILE[name] if form == "text" else HOSTILE[name][:20_000]
    html = f"<div>{body}</div>".replace("\n", "<br>") if form == "html" else None
    daemon = Address("", "mailer-daemon@example.net")
    mail = Mail(
        subject=f"Fwd: {body[:10_000]}",
        sender=daemon,
        from_=(daemon,),
        text=None if html else body,
        html=html,
    )
    readers: tuple[Callable[[Mail], object], ...] = (
        quotes.split,
        forward.is_forward,
        forward.original_sender,
        classify.kind,
    )
    for read in readers:
        before = time.process_time()
        read(mail)
        assert time.process_time() - before < SECONDS


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [">", "On", "wrote:", "From:", "a@b.c", "\n", " ", "--", "2024", "10:15", "x", "<", "Von:"]
        ),
        max_size=60,
    )
)
def test_any_body_splits_without_loss(pieces: list[str]) -> None:
    text = "".join(pieces)
    split = quotes.split(text)
    assert sorted("".join(f"{split.new_text}{split.quoted_text}".split())) == sorted("".join(text.split()))


def test_every_verb_in_plain_ascii_passes_the_first_look() -> None:
    verbs = [word for word in WROTE if word.isascii() and word not in {"via", "sent", "said", "menulis"}]
    assert [verb for verb in verbs if not has_verb(f"Ann {verb}")] == []
