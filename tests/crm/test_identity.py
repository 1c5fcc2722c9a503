"""Is it the same mail? Each line of the table in `crm.identity`, and what must hold for all mails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm import identity
from crm.identity import Candidate, Matches, keys_of, same_text
from mail.message import Mail
from mail.parse import parse
from tests.crm.builders import NOON, raw_mail

ID = "<one@lead.com>"


def a_mail(**changes: object) -> Mail:
    facts: dict[str, object] = {
        "sender": "carl@lead.com",
        "to": ["alice@acme.com"],
        "message_id": ID,
        **changes,
    }
    return parse(raw_mail(**facts))  # type: ignore[arg-type]


def is_same(kept: Mail, seen: Mail, *, in_this_mailbox: bool = False, sent: bool = False) -> bool:
    """Would `seen` be taken for `kept`?"""
    keys = keys_of(kept)
    stamped = {keys.stamp: ("msg", keys.author)} if keys.stamp else {}
    found = {key: Candidate("msg", kept.text, in_this_mailbox, key == keys.weak) for key in keys.all}
    return Matches(stamped, found).find(keys_of(seen), seen.text, sent=sent) == "msg"


def test_same_id_author_and_date_is_the_same_mail_whatever_a_relay_did_to_the_rest() -> None:
    seen = a_mail(
        subject="[EXT] Offer", text="Hello there.\n\n--\nscanned", headers=[("Received", "by relay")]
    )
    assert is_same(a_mail(), seen)


def test_a_date_in_another_time_zone_is_the_same_date() -> None:
    raw = raw_mail("carl@lead.com", ["alice@acme.com"], message_id=ID)
    moved = raw.replace(b"12:00:00 +0000", b"14:00:00 +0200")
    assert moved != raw
    assert is_same(parse(raw), parse(moved))


def test_a_forged_id_of_another_author_is_another_mail() -> None:
    assert not is_same(a_mail(), a_mail(sender="mallory@evil.com"))


def test_an_id_that_a_machine_repeats_is_another_mail_at_another_time() -> None:
    assert not is_same(a_mail(), a_mail(date=NOON + timedelta(days=1)))


@pytest.mark.parametrize("header", identity.ORIGINAL_ID_HEADERS)
def test_a_rewritten_id_that_tells_the_old_one(header: str) -> None:
    assert is_same(a_mail(), a_mail(message_id="<new@relay.com>", text="changed", headers=[(header, ID)]))


def test_a_from_that_a_list_rewrote() -> None:
    seen = a_mail(
        sender="'Carl' via Sales <sales@acme.com>", headers=[("X-Original-From", "Carl <carl@lead.com>")]
    )
    assert is_same(a_mail(), seen)


@pytest.mark.parametrize("message_id", ["<new@relay.com>", None])
def test_an_id_rewritten_without_trace_or_missing_with_a_footer(message_id: str | None) -> None:
    assert is_same(a_mail(), a_mail(message_id=message_id, text="Hello there.\n\nSent through Relay Inc."))
    assert is_same(a_mail(message_id=message_id), a_mail(text="CAUTION: external.\nHello there."))


def test_two_mails_of_one_second_that_say_different_things_are_two() -> None:
    assert not is_same(
        a_mail(text="Invoice 17 is due"), a_mail(message_id="<two@lead.com>", text="Invoice 18 is due")
    )


def test_two_mails_with_other_recipients_are_two() -> None:
    assert not is_same(a_mail(), a_mail(message_id="<two@lead.com>", to=["bob@acme.com"]))


def test_two_ids_in_one_mailbox_are_two_mails() -> None:
    assert not is_same(a_mail(), a_mail(message_id="<two@lead.com>"), in_this_mailbox=True)


def test_our_stamp_counts_in_sent_or_from_its_author_alone() -> None:
    stamp = [("X-CRM-Send-Id", "stamp")]
    ours = a_mail(sender="alice@acme.com", headers=stamp)
    as_sent = a_mail(sender="alias@acme.com", message_id="<real@mail.gmail.com>", headers=stamp, text="other")
    assert is_same(ours, as_sent, sent=True)
    assert not is_same(ours, as_sent)
    assert is_same(ours, a_mail(sender="alice@acme.com", message_id="<real@mail.gmail.com>", headers=stamp))


def test_without_a_date_id_author_and_subject_decide() -> None:
    def undated(**changes: object) -> Mail:
        facts: dict[str, object] = {
            "sender": "carl@lead.com",
            "to": ["alice@acme.com"],
            "message_id": ID,
            **changes,
        }
        raw = raw_mail(**facts)  # type: ignore[arg-type]
        return parse(b"\r\n".join(line for line in raw.split(b"\r\n") if not line.startswith(b"Date:")))

    assert is_same(undated(), undated())
    assert not is_same(undated(), undated(subject="Another"))


def test_texts_agree_but_for_what_is_added_around_them() -> None:
    assert same_text("Yes, fine.", "yes,\r\nfine.   -- footer")
    assert not same_text("Yes", "No")
    assert not same_text("", "something")
    assert same_text(None, "")
    assert not same_text("art", "cartoon")


ASCII = st.sampled_from("abcdefXYZ0189 ")
LOCAL = st.sampled_from(["carl", "dora", "alice", "bob"])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    sender=LOCAL,
    to=st.lists(LOCAL, min_size=1, max_size=3),
    subject=st.text(ASCII, max_size=12),
    text=st.text(ASCII, max_size=40),
    second=st.integers(0, 3),
    footer=st.text(ASCII, max_size=10),
)
def test_two_copies_meet_at_one_lock_and_are_one_mail(
    sender: str, to: list[str], subject: str, text: str, second: int, footer: str
) -> None:
    facts: dict[str, object] = {
        "sender": f"{sender}@lead.com",
        "to": [f"{one}@acme.com" for one in to],
        "subject": subject,
        "date": NOON + timedelta(seconds=second),
    }
    one = a_mail(**facts, text=text)
    other = a_mail(**facts, text=f"{text}\n{footer}", headers=[("X-Relay", "yes")])
    assert keys_of(one).lock == keys_of(other).lock
    assert is_same(one, other)
    assert is_same(other, one)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    ids=st.lists(st.sampled_from(["<a@x>", "<b@x>", "<c@x>"]), min_size=2, max_size=2, unique=True),
    seconds=st.integers(0, 2),
)
def test_mails_with_other_ids_and_other_words_are_never_one(ids: list[str], seconds: int) -> None:
    one = a_mail(message_id=ids[0], text="first words", date=NOON + timedelta(seconds=seconds))
    two = a_mail(message_id=ids[1], text="second ones", date=NOON + timedelta(seconds=seconds))
    assert not is_same(one, two)
