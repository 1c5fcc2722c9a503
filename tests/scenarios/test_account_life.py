"""An account comes, breaks, is healed, is switched and goes, told on the whole running system."""

from __future__ import annotations

import pytest

from devstack.story import LocationInStory, Refused, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import first_sync, lead, new_mailbox, reauthorize, subjects, switched

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("cause", ["password", "revoked"])
def test_s6_a_dead_grant_says_so_and_the_gap_is_filled(
    story: Story, acme: LocationInStory, ann: UserInStory, cause: str
) -> None:
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Before")
    lea.message("Before")
    if cause == "password":
        story.gmail.change_password(ann.mailbox)
    else:
        story.gmail.revoke_grant(ann.mailbox)
    story.mail_from(lea.email, ann.mailbox, "In between")
    ann.api.post(f"/v1/accounts/{ann.account_id}/sync")
    account = ann.wait_for_state("reauthorization_required")
    assert "no longer accepts" in account["reason"]
    assert account["next_action"]
    assert reauthorize(ann)["account_id"] == ann.account_id
    ann.wait_for_state("active")
    lea.message("In between")
    story.mail_from(lea.email, ann.mailbox, "After")
    lea.message("After")
    assert subjects(lea) == ["After", "Before", "In between"]


def test_s6_the_gap_is_filled_also_past_gmails_history(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Before")
    lea.message("Before")
    story.gmail.change_password(ann.mailbox)
    for number in range(5):
        story.mail_from(lea.email, ann.mailbox, f"Missed {number}")
    story.gmail.expire_history(ann.mailbox)
    ann.api.post(f"/v1/accounts/{ann.account_id}/sync")
    ann.wait_for_state("reauthorization_required")
    reauthorize(ann)
    for number in range(5):
        lea.message(f"Missed {number}")
    ann.wait_for_state("active")
    ledger = eventually(
        lambda: [e["detail"] for e in ann.timeline() if e["kind"] == "gap" and "closed" in e["detail"]],
        "a ledger",
    )
    assert "5 synced" in ledger[0]
    assert "0 missing" in ledger[0]
    story.mail_from(lea.email, ann.mailbox, "After")
    lea.message("After")
    assert len(subjects(lea)) == 7


def test_s5_disconnect_forgets_and_reconnecting_fills_no_gap(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Kept")
    lea.message("Kept")
    ann.api.post(f"/v1/accounts/{ann.account_id}/disconnect")
    ann.wait_for_state("disconnected")
    (away,) = story.mail_from(lea.email, ann.mailbox, "While away").values()
    first = ann.account_id
    assert ann.connect(ann.mailbox, create=False) == first, "reconnecting revives the same account"
    story.mail_from(lea.email, ann.mailbox, "Back again")
    lea.message("Back again")
    assert subjects(lea) == ["Back again", "Kept"]
    decision = ann.decision(away)
    assert (decision["outcome"], decision["rule"]) == ("skipped", "S5")


@pytest.mark.parametrize("history", ["is there", "has expired"])
@pytest.mark.parametrize("end", ["a switch", "a disconnect"])
def test_s4_s5_what_came_before_the_end_syncs_though_no_push_told_of_it(
    story: Story, acme: LocationInStory, ann: UserInStory, end: str, history: str
) -> None:
    lea = lead(acme)
    first_sync(ann)
    mailbox, first = ann.mailbox, ann.account_id
    story.gmail.behaviour(push_lose_rate=1.0)
    try:
        (gmail_id,) = story.mail_from(lea.email, mailbox, "Just before").values()
        if history == "has expired":
            story.gmail.expire_history(mailbox)
        if end == "a switch":
            switched(ann, new_mailbox(story))
        else:
            ann.api.post(f"/v1/accounts/{first}/disconnect")
        ann.wait_for_state("paused" if end == "a switch" else "disconnected", first)
        lea.message("Just before")
    finally:
        story.gmail.reset_behaviour()
    assert ann.decision(gmail_id, first)["outcome"] == "synced"
    if (end, history) == ("a switch", "is there"):
        back = "Switch to it at any time"
        eventually(lambda: ann.account(first)["next_action"] == back, "nothing from before is left to read")


def test_s5_disconnect_holds_queued_mail(acme: LocationInStory, ann: UserInStory) -> None:
    lea = lead(acme)
    queued = ann.send(lea, "Later", send_at="2099-01-01T00:00:00Z")
    ann.api.post(f"/v1/accounts/{ann.account_id}/disconnect")
    ann.wait_for_state("disconnected")
    assert ann.message(queued["id"])["status"] == "held"


def test_s5_disconnect_ends_while_google_is_away(story: Story, ann: UserInStory) -> None:
    story.gmail.fault("gmail.users.stop", mailbox=ann.mailbox, times=10, status=503)
    ann.api.post(f"/v1/accounts/{ann.account_id}/disconnect")
    ann.wait_for_state("disconnected")
    assert [entry for entry in ann.timeline() if "could not be stopped" in entry["detail"]]


def test_s5_another_connection_of_the_mailbox_goes_on(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    other = story.location("Other")
    bob = other.user(name="Bob")
    bob.connect(ann.mailbox, create=False)
    lea = other.contact("Lea", f"{unique('lea')}@lead.example")
    ann.api.post(f"/v1/accounts/{ann.account_id}/disconnect")
    ann.wait_for_state("disconnected")
    story.mail_from(lea.email, ann.mailbox, "Still here")
    lea.message("Still here")
    assert bob.account()["state"] == "active"


def test_s4_switch_moves_sync_and_sending_and_back_needs_no_consent(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    old_mailbox, old_account = ann.mailbox, ann.account_id
    story.mail_from(lea.email, old_mailbox, "To the old one")
    lea.message("To the old one")
    new_mailbox = f"{unique('ann')}@gmail.com"
    story.gmail.create_mailbox(new_mailbox)
    url = ann.api.post(f"/v1/users/{ann.id}/switch")["authorization_url"]
    new_account = ann.consent(url, new_mailbox)["account_id"]
    assert new_account != old_account
    ann.wait_for_state("active", new_account)
    ann.wait_for_state("paused", old_account)
    ann.account_id, ann.mailbox = new_account, new_mailbox
    (paused,) = story.mail_from(lea.email, old_mailbox, "To the old one, too late").values()
    story.mail_from(lea.email, new_mailbox, "To the new one")
    lea.message("To the new one")
    sent = ann.send(lea, "From the new one")
    assert ann.message(sent["id"], status="sent")["from"]["email"] == new_mailbox
    ann.api.post(f"/v1/users/{ann.id}/switch", {"account_id": old_account})
    ann.wait_for_state("active", old_account)
    ann.wait_for_state("paused", new_account)
    story.mail_from(lea.email, old_mailbox, "Old one again")
    lea.message("Old one again")
    assert "To the old one, too late" not in subjects(lea)
    assert ann.decision(paused, old_account)["rule"] == "S4"


def test_s4_a_switch_to_a_dead_grant_changes_nothing(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    old_mailbox, old_account = ann.mailbox, ann.account_id
    new_mailbox = f"{unique('ann')}@gmail.com"
    story.gmail.create_mailbox(new_mailbox)
    url = ann.api.post(f"/v1/users/{ann.id}/switch")["authorization_url"]
    new_account = ann.consent(url, new_mailbox)["account_id"]
    ann.wait_for_state("active", new_account)
    story.gmail.change_password(old_mailbox)
    ann.wait_for_state("paused", old_account)
    with pytest.raises(Refused) as refused:
        ann.api.post(f"/v1/users/{ann.id}/switch", {"account_id": old_account})
    assert refused.value.status == 409
    assert refused.value.problem["type"].endswith("reauthorization-required")
    ann.wait_for_state("reauthorization_required", old_account)
    assert ann.account(new_account)["state"] == "active"


def test_a_wrong_client_of_ours_blames_no_user(story: Story, acme: LocationInStory, ann: UserInStory) -> None:
    lea = lead(acme)
    eventually(lambda: ann.account()["last_synced_at"], "a first sync")
    body = '{"error": "invalid_client", "error_description": "The OAuth client was not found."}'
    story.gmail.expire_access_tokens(ann.mailbox)
    story.gmail.fault("oauth.token", times=1000, status=401, body=body)
    try:
        story.mail_from(lea.email, ann.mailbox, "Through trouble")
        account = ann.wait_for_state("recovering")
        assert "not your doing" in account["reason"]
    finally:
        story.gmail.clear_faults()
    ann.api.post(f"/v1/accounts/{ann.account_id}/sync")
    lea.message("Through trouble")
    ann.wait_for_state("active")


def test_s23_google_contacts_are_imported_and_kept_current(story: Story, acme: LocationInStory) -> None:
    user = acme.user(name="Ann Archer")
    mailbox = f"{unique('ann')}@gmail.com"
    story.gmail.create_mailbox(mailbox)
    friend = f"{unique('fred')}@friend.example"
    (name,) = story.gmail.put_contacts(mailbox, [{"name": "Fred Friend", "emails": [friend]}])
    user.connect(mailbox, create=False)
    (contact,) = eventually(lambda: acme.contacts_with(friend), "an imported contact")
    assert (contact["name"], contact["source"]) == ("Fred Friend", "gmail_contacts")
    story.gmail.delete_contact(mailbox, name)
    assert len(acme.contacts_with(friend)) == 1, "deletions never delete a CRM contact"
