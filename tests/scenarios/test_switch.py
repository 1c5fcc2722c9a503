"""S4: a user moves to another Gmail address, and whatever may go wrong with it, on the whole running system."""

from __future__ import annotations

from email import message_from_bytes

import pytest

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import (
    PROFILE,
    active_accounts,
    asked,
    completeness,
    consent_to_switch,
    lead,
    new_mailbox,
    subjects,
    switch_is_over,
    switch_to,
    switched,
    sync,
)

pytestmark = pytest.mark.servers

SEND_AS, WATCH, STOP = "gmail.users.settings.sendAs.list", "gmail.users.watch", "gmail.users.stop"


@pytest.mark.parametrize("how", ["denied", "partial", "the same address"])
def test_s4_a_consent_that_is_refused_changes_nothing(
    story: Story, acme: LocationInStory, ann: UserInStory, how: str
) -> None:
    new = ann.mailbox if how == "the same address" else new_mailbox(story)
    if how == "denied":
        assert consent_to_switch(ann, new, deny=True) == {"error": "access_denied"}
    elif how == "partial":
        outcome = consent_to_switch(ann, new, scopes=["openid", "email"])
        assert outcome == {"error": "missing_scopes"}
        assert asked(story, "oauth.revoke") >= 1, "the half grant is given back"
    else:
        assert consent_to_switch(ann, new) == {"error": "already_connected"}
    assert [one["id"] for one in ann.api.all("/v1/accounts", user_id=ann.id)] == [ann.account_id]
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Still here")
    lea.message("Still here")
    assert ann.account()["state"] == "active"


@pytest.mark.parametrize("step", [PROFILE, SEND_AS, WATCH, STOP])
def test_s4_a_switch_gets_through_whichever_step_fails_at_first(
    story: Story, acme: LocationInStory, ann: UserInStory, step: str
) -> None:
    lea = lead(acme)
    first, first_mailbox, second_mailbox = ann.account_id, ann.mailbox, new_mailbox(story)
    troubled = first_mailbox if step == STOP else second_mailbox
    story.gmail.fault(step, mailbox=troubled, times=4, status=503)
    try:
        second = consent_to_switch(ann, second_mailbox)["account_id"]
        ann.wait_for_state("active", second)
        ann.wait_for_state("paused", first)
        for account_id in (first, second):
            sync(ann, account_id)
    finally:
        story.gmail.clear_faults()
    assert active_accounts(ann) == [second]
    (late,) = story.mail_from(lea.email, first_mailbox, "Too late").values()
    story.mail_from(lea.email, second_mailbox, "In time")
    lea.message("In time")
    eventually(lambda: ann.account(second)["watch_expires_at"], "the new mailbox is watched")
    eventually(lambda: asked(story, "stop", mailbox=first_mailbox), "the old mailbox is not watched any more")
    assert subjects(lea) == ["In time"]
    switch_to(ann, first)
    ann.wait_for_state("active", first)
    assert ann.decision(late, first)["rule"] == "S4"


@pytest.mark.parametrize("moment", ["before the change", "after the change"])
def test_s4_a_worker_that_dies_in_the_middle_leaves_both_or_neither(
    stack: Stack, story: Story, acme: LocationInStory, ann: UserInStory, moment: str
) -> None:
    lea = lead(acme)
    first, second_mailbox = ann.account_id, new_mailbox(story)
    slow = PROFILE if moment == "before the change" else WATCH
    story.gmail.fault(slow, mailbox=second_mailbox, times=1, latency_s=3.0)
    second = consent_to_switch(ann, second_mailbox)["account_id"]
    eventually(
        lambda: [fault for fault in story.gmail.faults() if fault["struck"]], "the worker waits for Google"
    )
    assert active_accounts(ann) == ([first] if moment == "before the change" else [second])
    stack.kill("worker")
    stack.wait_healthy("worker")
    story.gmail.clear_faults()
    ann.wait_for_state("active", second)
    ann.wait_for_state("paused", first)
    story.mail_from(lea.email, second_mailbox, "After the crash")
    lea.message("After the crash")
    assert active_accounts(ann) == [second]


def test_s4_of_two_switches_at_once_the_last_one_counts(stack: Stack, story: Story, ann: UserInStory) -> None:
    first = ann.account_id
    second = switched(ann, new_mailbox(story))
    third = switched(ann, new_mailbox(story))
    (slow,) = [one["email"] for one in ann.api.all("/v1/accounts", user_id=ann.id) if one["id"] == second]
    story.gmail.fault(PROFILE, mailbox=slow, times=1000, status=503)
    try:
        switch_to(ann, second)
        switch_to(ann, first)
        ann.wait_for_state("active", first)
        switch_is_over(stack, ann)
    finally:
        story.gmail.clear_faults()
    assert active_accounts(ann) == [first]
    assert {ann.account(one)["state"] for one in (second, third)} == {"paused"}


def test_s4_a_user_who_thinks_better_of_it_stays(stack: Stack, story: Story, ann: UserInStory) -> None:
    """The switch is under way, since Google does not answer; the user asks for the mailbox that is still active."""
    first, second_mailbox = ann.account_id, new_mailbox(story)
    story.gmail.fault(PROFILE, mailbox=second_mailbox, times=1000, status=503)
    try:
        second = consent_to_switch(ann, second_mailbox)["account_id"]
        switch_to(ann, first)
        switch_is_over(stack, ann)
    finally:
        story.gmail.clear_faults()
    assert active_accounts(ann) == [first]
    assert ann.account(second)["state"] == "connecting"


def test_s4_mail_to_either_mailbox_at_each_moment_of_switching_to_and_fro(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    """Five moments: before, with Ann away, back, away again, and back for good."""
    lea = lead(acme)
    first, mailboxes = ann.account_id, [ann.mailbox, new_mailbox(story)]
    ids: dict[str, str] = {}

    def mail_to_both(moment: str) -> None:
        for name, mailbox in zip(("first", "second"), mailboxes, strict=True):
            subject = f"{moment}, {name}"
            (ids[subject],) = story.mail_from(lea.email, mailbox, subject).values()

    mail_to_both("before")
    lea.message("before, first")
    second = switched(ann, mailboxes[1])
    expected = {"before, first": (first, "synced", "S7"), "before, second": (second, "", "S3")}
    for moment, active, other in (
        ("away", second, first),
        ("back", first, second),
        ("away again", second, first),
        ("for good", first, second),
    ):
        if moment != "away":
            switch_to(ann, active)
            ann.wait_for_state("active", active)
            ann.wait_for_state("paused", other)
        mail_to_both(moment)
        name, idle = ("first", "second") if active == first else ("second", "first")
        lea.message(f"{moment}, {name}")
        expected[f"{moment}, {name}"] = (active, "synced", "")
        expected[f"{moment}, {idle}"] = (other, "skipped", "S4")
    switch_to(ann, second)
    ann.wait_for_state("active", second)
    for account_id in (second, first):
        if account_id == first:
            switch_to(ann, first)
            ann.wait_for_state("active", first)
        for subject, (owner, outcome, rule) in expected.items():
            if owner == account_id and outcome:
                decision = ann.decision(ids[subject], owner)
                assert (decision["outcome"], rule or decision["rule"]) == (outcome, decision["rule"]), subject
    ann.account_id = first
    assert completeness(ann)["missing"] == 0
    assert subjects(lea) == sorted(s for s, (_, outcome, _) in expected.items() if outcome == "synced")


def test_s4_a_running_thread_goes_on_from_the_new_address(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    """What Lea gets answers what she has, her answer to the new address is in the thread, and so is Ann's to it."""
    lea = lead(acme)
    opening = ann.message(ann.send(lea, "A kitchen")["id"], status="sent")
    hers = story.gmail.deliver_full(
        {
            "from": lea.email,
            "to": ann.mailbox,
            "subject": "Re: A kitchen",
            "text": "Yes.",
            "in_reply_to": opening["message_id_header"],
            "references": [opening["message_id_header"]],
        }
    )["message_id"]
    question = lea.message("Re: A kitchen", direction="inbound")
    switched(ann, new_mailbox(story))

    accepted = ann.send(lea, "Re: A kitchen", "Tuesday?", reply_to_message_id=question["id"])
    sent = ann.message(accepted["id"], status="sent")
    assert sent["from"]["email"] == ann.mailbox
    assert sent["thread_id"] == question["thread_id"] == opening["thread_id"]
    received = message_from_bytes(story.gmail.outbox(lea.email)[-1]["raw"])
    assert ann.mailbox in str(received["From"])
    assert str(received["In-Reply-To"]).strip() == hers
    assert str(received["References"]).split() == [opening["message_id_header"], hers]

    (arrived,) = story.mail_from(
        lea.email,
        ann.mailbox,
        "Re: A kitchen",
        "At nine.",
        in_reply_to=sent["message_id_header"],
        references=[opening["message_id_header"], hers, sent["message_id_header"]],
    ).values()
    decision = ann.decision(arrived)
    assert (decision["outcome"], decision["rule"]) == ("synced", "S8")
    story.gmail.reply(ann.mailbox, arrived, "Good.")

    def whole() -> bool:
        return [m["thread_id"] for m in lea.messages()] == [opening["thread_id"]] * 5

    assert eventually(whole, "five messages in one thread")


def test_s4_mail_that_waits_leaves_from_the_new_address(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    """Ann's password has changed, so that her mail waits; instead of consenting again she switches."""
    lea = lead(acme)
    old = ann.mailbox
    story.gmail.change_password(old)
    sync(ann)
    ann.wait_for_state("reauthorization_required")
    waiting = ann.send(lea, "Later")
    switched(ann, new_mailbox(story))
    sent = ann.message(waiting["id"], status="sent")
    assert sent["from"]["email"] == ann.mailbox != old
    assert [
        ann.mailbox in str(message_from_bytes(one["raw"])["From"]) for one in story.gmail.outbox(lea.email)
    ] == [True]


def test_s4_a_stranger_to_the_user_is_no_target(acme: LocationInStory, ann: UserInStory) -> None:
    bob = acme.user(f"{unique('bob')}@acme.example", "Bob Builder")
    bobs = bob.connect()
    answer = ann.api.http.post(f"/v1/users/{ann.id}/switch", json={"account_id": bobs})
    assert answer.status_code == 404
    assert active_accounts(ann) == [ann.account_id]
    assert active_accounts(bob) == [bobs]
