"""The rules by examples: one headline, a small world, and what is decided of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crm import policy
from crm.addresses import mailbox_key
from crm.case import Verdict
from crm.headline import Headline
from crm.policy import decide, decide_page
from crm.world import ContactRef, KnownMessage, Pause, ThreadRef, World, id_hash
from mail.parse import parse
from models.states import Direction, InboundScope
from tests.crm.builders import BCC_DOMAIN, NOON, headline, raw_mail

ALICE, BOB, CARL, DORA, XAVIER = (
    "alice@acme.com",
    "bob@acme.com",
    "carl@lead.com",
    "dora@lead.com",
    "xavier@else.com",
)
CARLS, DORAS = ContactRef("con_carl", "usr_alice", 1), ContactRef("con_dora", "usr_bob", 2)
OF_CARL, OF_DORA = ThreadRef("thr_carl", "con_carl", since=1), ThreadRef("thr_dora", "con_dora", since=2)
ALICES_BCC = f"alice-token@{BCC_DOMAIN}"
FORWARDED = """fyi

---------- Forwarded message ---------
From: Carl <carl@lead.com>
Date: Mon, 2 Nov 2026 at 12:00
Subject: Offer
To: <alice@acme.com>

Hello
"""


def world(**changes: object) -> World:
    """Alice's mailbox: Bob is a colleague, Carl and Dora are contacts, Xavier is a stranger."""
    base = World(
        location_id="loc",
        user_id="usr_alice",
        account_id="acc_alice",
        connected_at=NOON - timedelta(days=1),
        own_keys=frozenset({ALICE}),
        user_keys=frozenset({ALICE, BOB}),
        internal_keys=frozenset({ALICE, BOB}),
        auto_bcc_domain=BCC_DOMAIN,
        auto_bcc={ALICES_BCC: "usr_alice"},
        contacts={CARL: (CARLS,), DORA: (DORAS,)},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def in_carls_thread(**changes: object) -> World:
    """Carl's thread is synced: Gmail thread t1, message <m@lead.com>."""
    known = KnownMessage("msg_m", OF_CARL, CARL, outbound=False, since=1)
    return world(threads={"t1": (OF_CARL,)}, known={id_hash("<m@lead.com>"): (known,)}, **changes)


def mail(sender: str, *to: str, labels: tuple[str, ...] = ("INBOX",), **fields: object) -> Headline:
    return headline(raw_mail(sender, list(to), **fields), *labels)  # type: ignore[arg-type]


def sent(*to: str, **fields: object) -> Headline:
    return mail(ALICE, *to, labels=("SENT",), **fields)


def forwarded(*to: str, **fields: object) -> Headline:
    return sent(*to, subject="Fwd: Offer", text=FORWARDED, **fields)


def ruling(verdict: Verdict) -> tuple[str, str]:
    return verdict.outcome.value, verdict.rule


# S3, S4, S5, S31
def test_s3_mail_from_before_the_connection_is_not_synced() -> None:
    early = world(connected_at=NOON + timedelta(seconds=2))
    assert ruling(decide(mail(CARL, ALICE), early)) == ("skipped", "S3")


def test_s3_a_whole_second_that_may_lie_after_the_connection_counts_as_after() -> None:
    at = NOON.replace(microsecond=0)
    same_second = world(connected_at=at + timedelta(milliseconds=400))
    assert ruling(decide(replace(mail(CARL, ALICE), internal_date=at), same_second)) == ("synced", "S7")
    next_second = world(connected_at=at + timedelta(seconds=1))
    assert ruling(decide(replace(mail(CARL, ALICE), internal_date=at), next_second)) == ("skipped", "S3")


@pytest.mark.parametrize("rule", ["S4", "S5"])
def test_s4_s5_what_came_in_a_pause_is_not_fetched_afterwards(rule: str) -> None:
    pause = Pause(rule, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert ruling(decide(mail(CARL, ALICE), in_carls_thread(pauses=(pause,)))) == ("skipped", rule)
    before, after = NOON - timedelta(hours=2), NOON + timedelta(hours=2)
    for moment in (before, after):
        head = replace(mail(CARL, ALICE), internal_date=moment)
        assert ruling(decide(head, in_carls_thread(pauses=(pause,)))) == ("synced", "S8")


def test_s4_a_pause_that_goes_on_has_no_end() -> None:
    paused = world(pauses=(Pause("S4", NOON - timedelta(hours=1), None),))
    assert ruling(decide(mail(CARL, ALICE), paused)) == ("skipped", "S4")


@pytest.mark.parametrize("label", ["DRAFT", "CHAT", "SPAM", "TRASH"])
def test_s31_drafts_chats_spam_and_trash(label: str) -> None:
    assert ruling(decide(mail(CARL, ALICE, labels=(label,)), world())) == ("skipped", "S31")


# S7, S14, S9
def test_s7_mail_of_a_contact_syncs_into_its_conversation() -> None:
    verdict = decide(mail(CARL, ALICE), world())
    assert ruling(verdict) == ("synced", "S7")
    assert (verdict.owner, verdict.direction) == ("con_carl", Direction.INBOUND)


def test_s7_only_contacts_assigned_to_the_user_where_the_location_says_so() -> None:
    narrow = world(inbound_scope=InboundScope.ASSIGNED_TO_ME)
    assert ruling(decide(mail(CARL, ALICE), narrow)) == ("synced", "S7")
    assert ruling(decide(mail(DORA, ALICE), narrow)) == ("skipped", "S7")


def test_s7_the_narrow_scope_does_not_narrow_running_threads_or_what_the_user_sends() -> None:
    narrow = world(inbound_scope=InboundScope.ASSIGNED_TO_ME, threads={"t1": (OF_DORA,)})
    assert ruling(decide(mail(DORA, ALICE), narrow)) == ("synced", "S8")
    assert ruling(decide(sent(DORA), world(inbound_scope=InboundScope.ASSIGNED_TO_ME))) == ("synced", "S10")


def test_s14_a_contact_writes_to_somebody_else_and_includes_the_user() -> None:
    verdict = decide(mail(CARL, XAVIER, cc=[ALICE]), world())
    assert ruling(verdict) == ("synced", "S14")
    assert verdict.owner == "con_carl"


def test_s9_a_stranger_is_not_synced_and_its_body_not_wanted() -> None:
    verdict = decide(mail(XAVIER, ALICE), world())
    assert ruling(verdict) == ("skipped", "S9")
    assert not verdict.wants_body
    assert "xavier" not in verdict.detail


def test_s9_a_stranger_who_copies_a_contact_is_still_a_stranger() -> None:
    assert ruling(decide(mail(XAVIER, ALICE, cc=[CARL]), world())) == ("skipped", "S9")


# S8
def test_s8_a_stranger_in_a_synced_thread_syncs_under_its_owner() -> None:
    verdict = decide(mail(XAVIER, ALICE, answers=["<m@lead.com>"]), in_carls_thread())
    assert ruling(verdict) == ("synced", "S8")
    assert (verdict.owner, verdict.thread_id) == ("con_carl", "thr_carl")


def test_s8_a_thread_is_synced_per_location_and_found_by_what_the_mail_answers() -> None:
    answer = replace(mail(XAVIER, ALICE, answers=["<m@lead.com>"]), gmail_thread_id="unknown here")
    assert ruling(decide(answer, in_carls_thread())) == ("synced", "S8")


# S10
def test_s10_a_mail_sent_from_gmail_to_a_contact() -> None:
    verdict = decide(sent(CARL), world())
    assert ruling(verdict) == ("synced", "S10")
    assert verdict.direction is Direction.OUTBOUND


def test_s10_the_sent_label_tells_also_from_an_alias_that_we_do_not_know() -> None:
    head = mail("sales@elsewhere.com", CARL, labels=("SENT",))
    verdict = decide(head, world())
    assert (ruling(verdict), verdict.direction) == (("synced", "S10"), Direction.OUTBOUND)


def test_s10_a_mail_sent_to_strangers_is_not_synced() -> None:
    assert ruling(decide(sent(XAVIER), world())) == ("skipped", "S9")


# S12
def test_s12_mail_between_users_names_the_user() -> None:
    verdict = decide(mail(BOB, ALICE), world())
    assert ruling(verdict) == ("skipped", "S12")
    assert verdict.detail == "bob@acme.com is a user of this location"


def test_s12_a_user_who_is_also_a_contact_stays_internal() -> None:
    both = world(contacts={BOB: (ContactRef("con_bob"),)})
    assert ruling(decide(mail(BOB, ALICE), both)) == ("skipped", "S12")
    assert ruling(decide(sent(BOB), both)) == ("skipped", "S12")


def test_s12_internal_mail_inside_a_synced_thread() -> None:
    assert ruling(decide(mail(BOB, ALICE, answers=["<m@lead.com>"]), in_carls_thread())) == ("skipped", "S12")


def test_s12_in_a_mixed_thread_only_what_a_contact_sends_or_gets() -> None:
    mixed = world(threads={"t1": (replace(OF_CARL, mixed=True),)})
    assert ruling(decide(mail(CARL, ALICE, BOB), mixed)) == ("synced", "S8")
    assert ruling(decide(sent(BOB, bcc=[CARL]), mixed)) == ("synced", "S8")
    assert ruling(decide(mail(XAVIER, ALICE), mixed)) == ("skipped", "S12")


def test_s12_a_thread_becomes_mixed_within_a_page() -> None:
    first = mail(CARL, ALICE, cc=[BOB], message_id="<1@lead.com>")
    second = mail(XAVIER, ALICE, answers=["<1@lead.com>"])
    second = replace(second, internal_date=NOON + timedelta(minutes=1))
    verdicts = decide_page([second, first], world())
    assert ruling(verdicts[first.gmail_id]) == ("synced", "S7")
    assert ruling(verdicts[second.gmail_id]) == ("skipped", "S12")


def test_s12_a_staff_domain_is_internal_with_its_subdomains() -> None:
    staff = world(internal_domains=frozenset({"acme-staff.com"}))
    assert ruling(decide(mail("eve@acme-staff.com", ALICE), staff)) == ("skipped", "S12")
    assert ruling(decide(mail("eve@de.acme-staff.com", ALICE), staff)) == ("skipped", "S12")
    assert ruling(decide(mail("eve@notacme-staff.com", ALICE), staff)) == ("skipped", "S9")


def test_s12_a_mail_to_oneself() -> None:
    assert ruling(decide(mail(ALICE, ALICE, labels=("SENT", "INBOX")), world())) == ("skipped", "S12")


def test_s12_dots_and_tags_of_a_colleagues_gmail_address() -> None:
    gmail = world(internal_keys=frozenset({mailbox_key("bob.builder@gmail.com")}))
    assert ruling(decide(mail("bobbuilder+crm@googlemail.com", ALICE), gmail)) == ("skipped", "S12")


def test_s12_a_stranger_who_writes_to_two_users_is_a_stranger() -> None:
    assert ruling(decide(mail(XAVIER, ALICE, BOB), world())) == ("skipped", "S9")


# S13, S15
def test_s15_the_first_contact_in_to_then_cc_then_bcc() -> None:
    assert decide(sent(XAVIER, DORA, CARL), world()).owner == "con_dora"
    assert decide(sent(XAVIER, cc=[DORA], bcc=[CARL]), world()).owner == "con_dora"
    assert decide(sent(XAVIER, bcc=[CARL]), world()).owner == "con_carl"


def test_s15_the_sender_before_the_recipients() -> None:
    assert decide(mail(DORA, ALICE, CARL), world()).owner == "con_dora"


def test_s15_who_owns_the_thread_before_the_sender() -> None:
    assert decide(mail(DORA, ALICE, answers=["<m@lead.com>"]), in_carls_thread()).owner == "con_carl"


def test_s15_of_contacts_with_one_address_the_first_created() -> None:
    shared = world(contacts={CARL: (ContactRef("con_old", None, 1), ContactRef("con_new", None, 2))})
    assert decide(mail(CARL, ALICE), shared).owner == "con_old"


def test_s15_what_a_mail_answers_goes_before_gmails_thread() -> None:
    answers_dora = KnownMessage("msg_d", OF_DORA, ALICE, outbound=True)
    both = world(threads={"t1": (OF_CARL, OF_DORA)}, known={id_hash("<fwd@acme.com>"): (answers_dora,)})
    verdict = decide(mail(DORA, ALICE, answers=["<m@lead.com>", "<fwd@acme.com>"]), both)
    assert (verdict.owner, verdict.answers) == ("con_dora", "msg_d")


def test_s15_without_ids_gmails_thread_of_the_contact_who_takes_part() -> None:
    both = world(threads={"t1": (OF_CARL, OF_DORA)})
    assert decide(mail(DORA, ALICE), both).owner == "con_dora"
    assert decide(mail(XAVIER, ALICE), both).owner == "con_carl"


# S16
def test_s16_the_first_external_to_recipient_becomes_a_contact_of_that_user() -> None:
    verdict = decide(sent(BOB, "Nora <nora@new.com>", cc=["copy@new.com"], bcc=[ALICES_BCC]), world())
    assert ruling(verdict) == ("synced", "S16")
    assert verdict.new_contact is not None
    made = verdict.new_contact
    assert (made.email, made.name, made.assigned_user_id) == ("nora@new.com", "Nora", "usr_alice")


def test_s16_an_existing_contact_is_used() -> None:
    verdict = decide(sent(CARL, bcc=[ALICES_BCC]), world())
    assert (ruling(verdict), verdict.owner, verdict.new_contact) == (("synced", "S16"), "con_carl", None)


def test_s16_a_colleague_alone_stays_internal() -> None:
    assert ruling(decide(sent(BOB, bcc=[ALICES_BCC]), world())) == ("skipped", "S12")


def test_s16_somebody_elses_mail_with_the_address_files_nothing() -> None:
    assert ruling(decide(mail(XAVIER, ALICE, cc=[ALICES_BCC]), world())) == ("skipped", "S9")


@pytest.mark.parametrize(
    ("gmail_says", "outcome"),
    [
        ("mx.google.com; dmarc=pass header.from=acme.com", ("synced", "S16")),
        ("mx.google.com; spf=softfail smtp.mailfrom=x@evil.com", ("skipped", "S12")),
        ("mx.google.com; dkim=pass header.i=@evil.com; dmarc=fail header.from=acme.com", ("skipped", "S12")),
    ],
)
def test_s16_a_colleague_whom_gmail_doubts_files_nothing(gmail_says: str, outcome: tuple[str, str]) -> None:
    forged = raw_mail(
        BOB,
        ["nora@new.com"],
        cc=[ALICE, ALICES_BCC],
        headers=[("Authentication-Results", gmail_says)],
    )
    assert ruling(decide(headline(forged), world())) == outcome
    assert ruling(decide(replace(headline(forged), vouched=True), world())) == ("synced", "S16")


def test_s16_a_reply_goes_into_its_thread_and_still_makes_the_contact() -> None:
    verdict = decide(sent("nora@new.com", bcc=[ALICES_BCC], answers=["<m@lead.com>"]), in_carls_thread())
    assert (ruling(verdict), verdict.owner, verdict.thread_id) == (("synced", "S16"), "con_carl", "thr_carl")
    assert verdict.new_contact is not None


def test_s16_of_a_forward_without_a_recipient_the_original_sender() -> None:
    raw = raw_mail(ALICE, [ALICES_BCC], subject="Fwd: Offer", text=FORWARDED.replace("carl@lead", "nora@new"))
    head = headline(raw, "SENT")
    assert decide(head, world()).needs_body
    verdict = decide(head, world(), parse(raw))
    assert verdict.new_contact is not None
    assert verdict.new_contact.email == "nora@new.com"


# S18
def test_s18_a_forward_to_a_contact_is_a_sent_mail_of_that_contact() -> None:
    verdict = decide(forwarded(DORA, answers=["<m@lead.com>"]), in_carls_thread())
    assert ruling(verdict) == ("synced", "S18")
    assert (verdict.owner, verdict.forwarded) == ("con_dora", True)
    assert verdict.thread_id != "thr_carl"


def test_s18_a_forward_to_a_stranger_leaves_the_thread_with_its_answers() -> None:
    out = forwarded(XAVIER, answers=["<m@lead.com>"], message_id="<f@acme.com>")
    answer = mail(XAVIER, ALICE, answers=["<m@lead.com>", "<f@acme.com>"], message_id="<a@else.com>")
    again = sent(XAVIER, answers=["<f@acme.com>", "<a@else.com>"])
    carl = mail(CARL, ALICE, answers=["<m@lead.com>"])
    page = [
        replace(h, internal_date=NOON + timedelta(minutes=n))
        for n, h in enumerate((out, answer, again, carl))
    ]
    verdicts = decide_page(page, in_carls_thread())
    assert [ruling(verdicts[h.gmail_id]) for h in page] == [("skipped", "S18")] * 3 + [("synced", "S8")]
    assert not any(verdicts[h.gmail_id].wants_body for h in page[:3])


def test_s18_a_forward_to_a_stranger_outside_of_synced_threads_is_s9() -> None:
    verdict = decide(forwarded(XAVIER), world())
    assert (ruling(verdict), verdict.left_thread) == (("skipped", "S9"), True)


def test_s18_a_forward_whose_subject_was_changed_is_known_by_its_body() -> None:
    raw = raw_mail(ALICE, [XAVIER], subject="Have a look", text=FORWARDED, answers=["<m@lead.com>"])
    head = headline(raw, "SENT")
    assert ruling(decide(head, in_carls_thread(), parse(raw))) == ("skipped", "S18")


def test_s18_what_a_contact_forwards_to_the_user_is_inbound_mail_of_that_contact() -> None:
    head = mail(DORA, ALICE, subject="Fwd: Offer", text=FORWARDED, answers=["<m@lead.com>"])
    verdict = decide(head, in_carls_thread())
    assert (verdict.owner, verdict.direction, verdict.forwarded) == ("con_dora", Direction.INBOUND, True)


def test_s18_an_answer_to_a_forward_follows_the_forward() -> None:
    out = forwarded(DORA, answers=["<m@lead.com>"], message_id="<f@acme.com>")
    back = replace(
        mail(DORA, ALICE, answers=["<m@lead.com>", "<f@acme.com>"]), internal_date=NOON + timedelta(minutes=1)
    )
    verdicts = decide_page([out, back], in_carls_thread())
    assert verdicts[back.gmail_id].owner == "con_dora"
    assert verdicts[back.gmail_id].thread_id == verdicts[out.gmail_id].thread_id


# S11, S20, S21
def test_s11_the_copy_of_a_mail_that_the_crm_sent_belongs_to_it_whoever_it_went_to() -> None:
    ours = KnownMessage("msg_ours", OF_CARL, ALICE, outbound=True)
    head = sent(XAVIER, headers=[("X-CRM-Send-Id", "stamp-1")])
    verdict = decide(head, world(stamped={"stamp-1": ours}))
    assert (ruling(verdict), verdict.thread_id) == (("synced", "S11"), "thr_carl")


def test_s11_a_stamp_on_somebody_elses_mail_proves_nothing() -> None:
    ours = KnownMessage("msg_ours", OF_CARL, ALICE, outbound=True)
    head = mail(XAVIER, ALICE, headers=[("X-CRM-Send-Id", "stamp-1")])
    assert ruling(decide(head, world(stamped={"stamp-1": ours}))) == ("skipped", "S9")


def bounce_of(recipient: str, message_id: str) -> bytes:
    return raw_mail(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        [ALICE],
        subject="Delivery Status Notification (Failure)",
        answers=[message_id],
        headers=[
            ("Auto-Submitted", "auto-replied"),
            ("X-Failed-Recipients", recipient),
            ("Return-Path", "<>"),
        ],
        text=f"Address not found\n\nYour message wasn't delivered to {recipient} because it couldn't be found.",
    )


def test_s20_a_notice_is_read_whoever_sends_it_and_kept_only_if_it_is_about_our_mail() -> None:
    ours = KnownMessage("msg_ours", OF_CARL, ALICE, outbound=True)
    known = world(known={id_hash("<a1@acme.com>"): (ours,)})
    raw = bounce_of(CARL, "<a1@acme.com>")
    head = headline(raw)
    first = decide(head, known)
    assert (first.synced, first.needs_body) == (False, True)
    assert (ruling(decide(head, known, parse(raw))), decide(head, known, parse(raw)).about) == (
        ("synced", "S20"),
        "msg_ours",
    )
    assert ruling(decide(head, world(), parse(raw))) == ("skipped", "S9")


def test_s19_a_notice_about_the_auto_bcc_copy_is_noted_and_never_a_failure_of_the_mail() -> None:
    ours = KnownMessage("msg_ours", OF_CARL, ALICE, outbound=True)
    raw = bounce_of(ALICES_BCC, "<a1@acme.com>")
    verdict = decide(headline(raw), world(known={id_hash("<a1@acme.com>"): (ours,)}), parse(raw))
    assert (ruling(verdict), verdict.about) == (("skipped", "S19"), "msg_ours")


def test_s12_a_notice_about_internal_mail_in_a_synced_gmail_thread_stays_out() -> None:
    raw = bounce_of(BOB, "<internal@acme.com>")
    assert ruling(decide(headline(raw), in_carls_thread(), parse(raw))) == ("skipped", "S12")


def test_s21_a_copy_of_a_message_syncs_where_the_narrow_scope_alone_would_not_let_it() -> None:
    known = KnownMessage("msg_d", OF_DORA, DORA, outbound=False)
    narrow = world(inbound_scope=InboundScope.ASSIGNED_TO_ME, known={id_hash("<d@lead.com>"): (known,)})
    assert ruling(decide(mail(DORA, ALICE, BOB, message_id="<d@lead.com>"), narrow)) == ("synced", "S21")


# The order in which rules meet
PAUSED = {"pauses": (Pause("S4", NOON - timedelta(hours=1), None),)}
LEFT = {"left": {id_hash("<f@acme.com>")}}


@pytest.mark.parametrize(
    ("winner", "over", "head", "around"),
    [
        ("S4", "S31", mail(CARL, ALICE, labels=("SPAM",)), world(**PAUSED)),
        ("S31", "S12", mail(BOB, ALICE, labels=("TRASH",)), world()),
        ("S31", "S8", mail(CARL, ALICE, labels=("SPAM",)), in_carls_thread()),
        ("S12", "S16", sent(BOB, bcc=[ALICES_BCC]), world()),
        ("S12", "S8", mail(BOB, ALICE), in_carls_thread()),
        ("S16", "S18", forwarded(DORA, bcc=[ALICES_BCC], answers=["<m@lead.com>"]), in_carls_thread()),
        ("S16", "S8", sent(CARL, bcc=[ALICES_BCC]), in_carls_thread()),
        ("S18", "S8", forwarded(XAVIER, answers=["<m@lead.com>"]), in_carls_thread()),
        ("S18", "S7", mail(DORA, ALICE, answers=["<m@lead.com>", "<f@acme.com>"]), in_carls_thread(**LEFT)),
        ("S8", "S7", mail(CARL, ALICE), in_carls_thread()),
        ("S8", "S10", sent(CARL), in_carls_thread()),
        ("S8", "S9", mail(XAVIER, ALICE), in_carls_thread()),
    ],
)
def test_the_earlier_rule_decides(winner: str, over: str, head: Headline, around: World) -> None:
    assert decide(head, around).rule == winner, f"{winner} goes before {over}"


def test_the_table_holds_the_order_of_the_specification() -> None:
    names = [rule.__name__.removesuffix("_") for rule in policy.RULES]
    order = ["s4_s5", "s3", "s31", "s11", "s20", "s12", "s16", "s18", "s8", "s10", "s7_s14"]
    assert [name for name, prefix in zip(names, order, strict=True) if not name.startswith(prefix)] == []


def test_a_page_does_not_change_the_world_that_it_was_decided_in() -> None:
    around = world()
    decide_page([mail(CARL, ALICE)], around)
    assert around == world()
