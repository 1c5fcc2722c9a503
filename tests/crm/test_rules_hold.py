"""What must hold for every page of mail, whatever is in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crm.addresses import email_key, mailbox_key
from crm.headline import Headline
from crm.policy import decide_page
from models.states import Outcome
from tests.crm.builders import NOON, headline, raw_mail
from tests.crm.test_rules import ALICE, ALICES_BCC, BOB, CARL, DORA, XAVIER, in_carls_thread, world

PEOPLE = st.sampled_from([ALICE, BOB, CARL, DORA, XAVIER, ALICES_BCC])
STRANGERS = {XAVIER}
CONTACTS = {CARL, DORA}


@st.composite
def mails(draw: st.DrawFn) -> Headline:
    sender = draw(st.sampled_from([ALICE, BOB, CARL, DORA, XAVIER]))
    to = draw(st.lists(PEOPLE, min_size=1, max_size=3, unique=True))
    cc = draw(st.lists(PEOPLE, max_size=2, unique=True))
    number = draw(st.integers(0, 5))
    answers = [f"<{n}@mail.test>" for n in draw(st.lists(st.integers(0, 5), max_size=2, unique=True))]
    subject = draw(st.sampled_from(["Offer", "Re: Offer", "Fwd: Offer"]))
    raw = raw_mail(sender, to, cc=cc, subject=subject, answers=answers, message_id=f"<{number}@mail.test>")
    labels = ("SENT",) if sender == ALICE else (draw(st.sampled_from(["INBOX", "INBOX", "SPAM", "DRAFT"])),)
    head = headline(raw, *labels, thread=f"t{draw(st.integers(0, 2))}")
    return replace(head, internal_date=NOON + timedelta(minutes=draw(st.integers(0, 30))))


PAGES = st.lists(mails(), min_size=1, max_size=6)
WORLDS = st.sampled_from([world(), in_carls_thread()])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(page=PAGES, around=WORLDS)
def test_i1_every_message_gets_exactly_one_decision_with_its_reason(
    page: list[Headline], around: object
) -> None:
    verdicts = decide_page(page, around)  # type: ignore[arg-type]
    assert set(verdicts) == {head.gmail_id for head in page}
    for verdict in verdicts.values():
        assert verdict.rule.startswith("S")
        assert verdict.detail
        assert not any(name in verdict.detail for name in (*STRANGERS, *CONTACTS))
        assert (verdict.owner is not None and verdict.thread_id is not None) == verdict.synced


@settings(derandomize=True, deadline=None, max_examples=40)
@given(page=PAGES, around=WORLDS, seed=st.randoms(use_true_random=False))
def test_the_order_in_which_a_page_is_listed_does_not_matter(
    page: list[Headline], around: object, seed: object
) -> None:
    shuffled = list(page)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide_page(page, around) == decide_page(shuffled, around)  # type: ignore[arg-type]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(page=PAGES)
def test_i3_no_body_of_a_stranger_outside_of_synced_threads_and_none_of_internal_mail_is_wanted(
    page: list[Headline],
) -> None:
    verdicts = decide_page(page, world())
    for head in page:
        parties = {email_key(a.email) for a in (*head.mail.from_, *head.mail.to, *head.mail.cc)}
        others = parties - {ALICE, ALICES_BCC}
        verdict = verdicts[head.gmail_id]
        if verdict.wants_body and others:
            assert others & (CONTACTS | STRANGERS), "only colleagues"
        if head.draft or head.spam:
            assert (verdict.outcome, verdict.wants_body) == (Outcome.SKIPPED, False)
        alone = not any(other.gmail_thread_id == head.gmail_thread_id for other in page if other is not head)
        answers = bool(head.mail.references)
        seen_before = any(
            other.mail.message_id == head.mail.message_id for other in page if other is not head
        )
        if others <= STRANGERS and alone and not answers and not seen_before and ALICES_BCC not in parties:
            assert not verdict.wants_body


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    local=st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True),
    tag=st.from_regex(r"(\+[a-z0-9]{1,6})?", fullmatch=True),
    domain=st.sampled_from(["gmail.com", "googlemail.com"]),
)
def test_every_spelling_of_a_gmail_address_is_one_mailbox(local: str, tag: str, domain: str) -> None:
    spelled = f" {local.upper()}{tag}@{domain} "
    assert mailbox_key(spelled) == f"{local.replace('.', '')}@gmail.com"
    assert mailbox_key(f"{local}{tag}@acme.com") == f"{local}{tag}@acme.com"
