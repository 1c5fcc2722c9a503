"""S2, S5, S6: what ends a grant, what it means for the user, and that nobody else is cut off; and Gmail's limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.story import LocationInStory, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import (
    asked,
    disconnect,
    first_sync,
    lead,
    new_mailbox,
    reauthorize,
    subjects,
    switched,
    sync,
)

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def without_faults(story: Story) -> Iterator[None]:
    yield
    story.gmail.clear_faults()


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ({"why": "Account has been deleted"}, "deleted"),
        ({"why": "Account disabled"}, "disabled"),
        ({"why": "admin_policy_enforced"}, "administrator"),
        ({"subtype": "invalid_rapt"}, "sign in again"),
        ({}, "password was changed, or access was revoked"),
    ],
    ids=["account deleted", "account disabled", "admin policy", "sign in again", "revoked"],
)
def test_s6_whatever_ends_a_grant_is_named_and_a_consent_brings_what_was_missed(
    story: Story, acme: LocationInStory, ann: UserInStory, ends: dict[str, str], words: str
) -> None:
    lea = lead(acme)
    first_sync(ann)
    story.gmail.revoke_grant(ann.mailbox, **ends)
    story.gmail.expire_access_tokens(ann.mailbox)
    story.mail_from(lea.email, ann.mailbox, "Missed")
    account = ann.wait_for_state("reauthorization_required")
    assert words in account["reason"]
    assert "Consent with the same address" in account["next_action"]
    assert reauthorize(ann)["account_id"] == ann.account_id
    ann.wait_for_state("active")
    lea.message("Missed")


def test_s2_s6_a_partial_consent_does_not_heal_and_a_full_one_does(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    story.gmail.change_password(ann.mailbox)
    story.mail_from(lea.email, ann.mailbox, "Missed")
    sync(ann)
    ann.wait_for_state("reauthorization_required")
    assert reauthorize(ann, scopes=["openid", "email"]) == {"error": "missing_scopes"}
    assert ann.account()["state"] == "reauthorization_required"
    assert reauthorize(ann)["account_id"] == ann.account_id
    lea.message("Missed")


def test_s6_a_mailbox_whose_gmail_was_turned_off_waits_for_its_user(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    first_sync(ann)
    story.gmail.mail_service(ann.mailbox, enabled=False)
    sync(ann)
    account = ann.wait_for_state("reauthorization_required")
    assert "no Gmail" in account["reason"]
    story.gmail.mail_service(ann.mailbox, enabled=True)
    reauthorize(ann)
    ann.wait_for_state("active")
    story.mail_from(lea.email, ann.mailbox, "On again")
    lea.message("On again")


def test_s6_another_address_is_refused_and_points_nowhere_else(story: Story, ann: UserInStory) -> None:
    story.gmail.change_password(ann.mailbox)
    sync(ann)
    ann.wait_for_state("reauthorization_required")
    mailbox, ann.mailbox = ann.mailbox, new_mailbox(story)
    assert reauthorize(ann) == {"error": "wrong_account"}
    account = ann.account()
    assert (account["email"], account["state"]) == (mailbox, "reauthorization_required")


@pytest.mark.parametrize("whose", ["of another location", "of another user"])
def test_s5_a_mailbox_of_two_connections_is_let_go_with_the_last(
    story: Story, acme: LocationInStory, ann: UserInStory, whose: str
) -> None:
    """Watch, stop and revoke are counted: neither disconnecting nor switching away cuts the other off."""
    mailbox = ann.mailbox
    location = story.location("Other") if whose == "of another location" else acme
    bob = location.user(name="Bob Builder")
    bob.connect(mailbox, create=False)
    first_sync(bob)
    lea = lead(location)
    ann_first = ann.account_id
    switched(ann, new_mailbox(story))
    assert asked(story, "stop", mailbox=mailbox) == 0, "the other one is watched by it"
    ann.account_id = ann_first
    before = asked(story, "oauth.revoke")
    disconnect(ann)
    assert (asked(story, "stop", mailbox=mailbox), asked(story, "oauth.revoke")) == (0, before)
    told = len(story.gmail.pushes(mailbox))
    story.mail_from(lea.email, mailbox, "Still told at once")
    lea.message("Still told at once")
    assert len(story.gmail.pushes(mailbox)) > told
    disconnect(bob)
    assert (asked(story, "stop", mailbox=mailbox), asked(story, "oauth.revoke")) == (1, before + 1)


def test_s6_a_changed_password_is_told_to_each_connection_and_each_is_healed(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    bob = story.location("Other").user(name="Bob Builder")
    bob.connect(ann.mailbox, create=False)
    leads = lead(acme), lead(bob.location)
    story.gmail.change_password(ann.mailbox)
    for user, lea in zip((ann, bob), leads, strict=True):
        story.mail_from(lea.email, ann.mailbox, f"Missed by {user.email}")
        sync(user)
        user.wait_for_state("reauthorization_required")
    for user, lea in zip((ann, bob), leads, strict=True):
        reauthorize(user)
        user.wait_for_state("active")
        lea.message(f"Missed by {user.email}")


def in_the_header(story: Story, mailbox: str, wait_s: int) -> None:
    story.gmail.fault(
        "gmail.users.history.list",
        mailbox=mailbox,
        status=429,
        reason="rateLimitExceeded",
        headers={"Retry-After": str(wait_s)},
    )


def in_the_text(story: Story, mailbox: str, wait_s: int) -> None:
    until = datetime.now(UTC) + timedelta(seconds=wait_s)
    story.gmail.fault(
        "gmail.users.history.list",
        mailbox=mailbox,
        status=403,
        reason="rateLimitExceeded",
        message=f"User-rate limit exceeded.  Retry after {until:%Y-%m-%dT%H:%M:%S.000Z}",
    )


@pytest.mark.parametrize("throttle", [in_the_header, in_the_text])
def test_a_throttle_is_obeyed_to_the_second_and_is_no_failure(
    story: Story, acme: LocationInStory, ann: UserInStory, throttle: Any
) -> None:
    lea = lead(acme)
    first_sync(ann)
    throttle(story, ann.mailbox, 6)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "In good time").values()
    account = eventually(
        lambda: found if "limit" in ((found := ann.account())["next_action"] or "") else None,
        "the limit is shown",
    )
    assert account["state"] == "active"
    assert account["reason"] is None
    until = datetime.fromisoformat(account["next_action_at"])
    for _ in range(3):
        sync(ann)  # nobody's impatience goes before Google's
    lea.message("In good time")
    looks = story.gmail.requests("messages.get", path_id=gmail_id)
    assert looks[0]["at"] >= until.timestamp() - 1.0, "Gmail was left alone until then"
    states = [entry for entry in ann.timeline() if entry["kind"] == "state"]
    assert len(states) == 1, "it was active all the time"


def test_a_mailbox_unknown_to_the_user_stays_unknown(acme: LocationInStory, ann: UserInStory) -> None:
    """S5: what is disconnected cannot be reauthorised, since that would fill a gap (S6)."""
    disconnect(ann)
    answer = ann.api.http.post(f"/v1/accounts/{ann.account_id}/reauthorize", json={})
    assert answer.status_code == 409
    lea = acme.contact("Lea", f"{unique('lea')}@lead.example")
    assert subjects(lea) == []
