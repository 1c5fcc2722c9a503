"""Mail between Gmail and the CRM, told on the whole running system."""

from __future__ import annotations

import time
from typing import Any

import pytest

from devstack.story import LocationInStory, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import Reconcile, lead

pytestmark = pytest.mark.servers


def test_s1_connecting_shows_the_address_its_state_and_a_watch(ann: UserInStory) -> None:
    account = ann.account()
    assert account["email"] == ann.mailbox
    assert account["connected_at"] is not None
    assert eventually(lambda: ann.account()["last_synced_at"], "a first sync")
    assert ann.account()["watch_expires_at"] is not None
    assert ann.account()["reason"] is None


def test_s7_s8_s10_a_contact_writes_and_is_answered_from_gmail(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "Your offer", "How much is it?").values()
    question = lea.message("Your offer", direction="inbound")
    assert question["text"].strip() == "How much is it?"
    assert ann.decision(gmail_id)["rule"] == "S7"
    sent = story.gmail.reply(ann.mailbox, gmail_id, "It is free.")
    answer = lea.message("Re: Your offer", direction="outbound")
    assert answer["thread_id"] == question["thread_id"]
    assert ann.decision(sent["id"])["rule"] == "S8"
    fresh = ann.writes_in_gmail(lea.email, "One more thing")
    assert lea.message("One more thing", direction="outbound")
    assert ann.decision(fresh["id"])["rule"] == "S10"


def test_s9_the_body_of_a_stranger_is_never_downloaded(story: Story, ann: UserInStory) -> None:
    stranger = f"{unique('who')}@nowhere.example"
    (gmail_id,) = story.mail_from(stranger, ann.mailbox, "Win a car", "Secret words").values()
    decision = ann.decision(gmail_id)
    assert (decision["outcome"], decision["rule"]) == ("skipped", "S9")
    assert stranger not in decision["detail"]
    gets = story.gmail.requests("messages.get", path_id=gmail_id)
    assert [request["form"] for request in gets] == ["metadata"]
    assert ann.location.contacts_with(stranger) == []


def test_s12_mail_between_colleagues_stays_out(story: Story, acme: LocationInStory, ann: UserInStory) -> None:
    bob = acme.user(name="Bob Builder")
    (gmail_id,) = story.mail_from(bob.email, ann.mailbox, "Lunch").values()
    decision = ann.decision(gmail_id)
    assert (decision["outcome"], decision["rule"]) == ("skipped", "S12")
    assert bob.email in decision["detail"]
    assert [r["form"] for r in story.gmail.requests("messages.get", path_id=gmail_id)] == ["metadata"]


def test_s21_one_mail_in_two_mailboxes_is_one_message(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    bob = acme.user(name="Bob Builder")
    bob.connect()
    lea = lead(acme)
    story.mail_from(lea.email, [ann.mailbox, bob.mailbox], "To both of you")

    def in_both() -> Any:
        found = [m for m in lea.messages() if m["subject"] == "To both of you"]
        return found if found and len(found[0]["gmail"]) == 2 else None

    (message,) = eventually(in_both, "the mail seen from both mailboxes")
    assert {copy["account_id"] for copy in message["gmail"]} == {ann.account_id, bob.account_id}


def test_s3_mail_from_before_the_connection_is_not_fetched(story: Story, acme: LocationInStory) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    story.gmail.create_mailbox(mailbox)
    lea = lead(acme)
    an_hour_ago = int((time.time() - 3600) * 1000)
    old = {"from": lea.email, "to": mailbox, "subject": "Long ago", "text": "Hello."}
    story.gmail.insert(mailbox, [{"fields": old, "internal_date": an_hour_ago}])
    ann = acme.user(name="Ann Archer")
    ann.connect(mailbox, create=False)
    story.mail_from(lea.email, mailbox, "Today")
    lea.message("Today")
    assert [message["subject"] for message in lea.messages()] == ["Today"]


def test_s24_s32_read_state_and_deletion_in_gmail_are_followed(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "Read me").values()
    assert lea.message("Read me")["read"] is False
    story.gmail.modify(ann.mailbox, gmail_id, remove=["UNREAD"])
    lea.message("Read me", read=True)
    story.gmail.modify(ann.mailbox, gmail_id, add=["UNREAD"])
    lea.message("Read me", read=False)
    story.gmail.move(ann.mailbox, gmail_id, "nowhere")
    lea.message("Read me", deleted_in_gmail=True)


def test_s31_mail_that_leaves_spam_syncs_and_drafts_never_do(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    (gmail_id,) = story.gmail.deliver(
        {"from": lea.email, "to": ann.mailbox, "subject": "Not spam", "text": "Really"}, spam=True
    ).values()
    assert ann.decision(gmail_id)["rule"] == "S31"
    story.gmail.move(ann.mailbox, gmail_id, "inbox")
    assert lea.message("Not spam")
    draft = story.gmail.draft(ann.mailbox, {"to": lea.email, "subject": "Unfinished", "text": "..."})
    story.mail_from(lea.email, ann.mailbox, "After the draft")
    lea.message("After the draft")
    assert ann.decision(draft["id"])["rule"] == "S31"
    assert not [m for m in lea.messages() if m["subject"] == "Unfinished"]


def test_i1_a_lost_push_is_found_by_reconciliation(
    story: Story, acme: LocationInStory, ann: UserInStory, reconcile: Reconcile
) -> None:
    lea = lead(acme)
    eventually(lambda: ann.account()["last_synced_at"], "a first sync")
    story.gmail.behaviour(push_lose_rate=1.0)
    try:
        (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "Unannounced").values()
    finally:
        story.gmail.behaviour(push_lose_rate=0.0)
    reconcile()
    assert lea.message("Unannounced")["gmail"][0]["gmail_id"] == gmail_id


def test_s30_completeness_is_a_number_after_sync_now(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Counted")
    story.mail_from(f"{unique('x')}@nowhere.example", ann.mailbox, "Counted too")
    lea.message("Counted")
    ann.api.post(f"/v1/accounts/{ann.account_id}/sync")

    def proven() -> Any:
        found = ann.account()["completeness"]
        return found if found["checked_at"] and found["listed"] == 2 else None

    assert eventually(proven, "a proof of two ids")["missing"] == 0
