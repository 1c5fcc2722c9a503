"""Settings and addresses that apply backwards (S12), told on the whole running system."""

from __future__ import annotations

import pytest

from devstack.story import Json, LocationInStory, Refused, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers


def review(acme: LocationInStory, **changed: object) -> Json:
    """A review once Gmail was asked."""
    made = acme.api.post("/v1/reviews", changed)

    def look() -> Json | None:
        found: Json = acme.api.get(f"/v1/reviews/{made['id']}")
        return found if found["state"] != "looking" else None

    return eventually(look, f"review {made['id']} has its preview")


def act(acme: LocationInStory, review_id: str, what: str) -> Json:
    done: Json = acme.api.post(f"/v1/reviews/{review_id}/{what}")
    return done


def shown(acme: LocationInStory, message_id: str) -> bool:
    """Whether the CRM still shows a message."""
    try:
        acme.api.get(f"/v1/messages/{message_id}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return False
    return True


def test_s12_a_domain_that_becomes_internal_hides_its_mail_and_undoing_brings_it_back(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    domain = f"{unique('partner')}.example"
    pat, lea = acme.contact("Pat", f"pat@{domain}"), acme.contact("Lea", f"{unique('lea')}@lead.example")
    (internal_id,) = story.mail_from(pat.email, ann.mailbox, "Between us").values()
    story.mail_from(lea.email, [ann.mailbox, pat.email], "To both of you")
    internal, mixed = pat.message("Between us"), lea.message("To both of you")

    acme.api.patch(f"/v1/locations/{acme.id}", {"internal_domains": [domain]})
    found = review(acme, domains=[domain])
    assert (found["would_add"], found["would_hide"], found["not_read"]) == (0, 1, [])
    assert shown(acme, internal["id"]), "a preview changes nothing"

    assert act(acme, found["id"], "apply")["state"] == "applied"
    assert not shown(acme, internal["id"])
    assert shown(acme, mixed["id"]), "a contact sent it (S12)"
    decision = ann.decision(internal_id)
    assert (decision["outcome"], decision["rule"]) == ("skipped", "S12")

    assert act(acme, found["id"], "undo")["state"] == "undone"
    assert shown(acme, internal["id"])
    assert ann.decision(internal_id)["outcome"] == "synced"


def test_a_new_contact_brings_in_its_earlier_mail_from_gmail_and_undoing_hides_it(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    nora, other = f"{unique('nora')}@new.example", f"{unique('other')}@new.example"
    message_id = f"<{unique('first')}@new.example>"
    (first_id,) = story.mail_from(nora, ann.mailbox, "An idea", "Words", message_id=message_id).values()
    (second_id,) = story.mail_from(
        other, ann.mailbox, "Re: An idea", in_reply_to=message_id, references=message_id
    ).values()
    (stranger_id,) = story.mail_from(other, ann.mailbox, "Something else").values()
    for gmail_id in (first_id, second_id, stranger_id):
        assert ann.decision(gmail_id)["rule"] == "S9"

    contact = acme.contact("Nora", nora)
    found = review(acme, contact_id=contact.id)
    assert (found["would_add"], found["would_hide"], found["not_read"]) == (2, 0, [])
    assert ann.decision(first_id)["rule"] == "S9", "a preview changes nothing"
    assert {r["form"] for r in story.gmail.requests("messages.get", path_id=first_id)} == {"metadata"}

    act(acme, found["id"], "apply")
    message = contact.message("An idea", direction="inbound")
    assert message["text"].strip() == "Words"
    answer = eventually(
        lambda: next((m for m in contact.in_conversation() if m["subject"] == "Re: An idea"), None),
        "what a stranger wrote in the thread (S8)",
    )
    assert answer["thread_id"] == message["thread_id"]
    assert ann.decision(first_id)["rule"] == "S7"
    assert ann.decision(stranger_id)["rule"] == "S9"

    act(acme, found["id"], "undo")
    assert not shown(acme, message["id"])
    assert not shown(acme, answer["id"])
    assert contact.messages() == []
    assert ann.decision(first_id)["outcome"] == "skipped"


def test_a_mailbox_that_cannot_be_asked_is_named(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    story.gmail.change_password(ann.mailbox)
    found = review(acme, emails=[f"{unique('x')}@new.example"])
    assert [one["account_id"] for one in found["not_read"]] == [ann.account_id]
    assert "password" in found["not_read"][0]["reason"]
    assert act(acme, found["id"], "apply")["state"] == "applied"


def test_s12_an_address_that_becomes_internal_hides_its_mail_and_one_that_no_longer_is_shows_it_again(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    pat = acme.contact("Pat", f"{unique('pat')}@freelance.example")
    story.mail_from(pat.email, ann.mailbox, "As a client")
    message = pat.message("As a client")
    acme.api.patch(f"/v1/locations/{acme.id}", {"internal_addresses": [pat.email]})
    hiding = review(acme, emails=[pat.email])
    assert (hiding["would_add"], hiding["would_hide"]) == (0, 1)
    act(acme, hiding["id"], "apply")
    assert not shown(acme, message["id"])
    (meanwhile,) = story.mail_from(pat.email, ann.mailbox, "As a colleague").values()
    assert ann.decision(meanwhile)["rule"] == "S12"

    acme.api.patch(f"/v1/locations/{acme.id}", {"internal_addresses": []})
    showing = review(acme, emails=[pat.email])
    assert (showing["would_add"], showing["would_hide"], showing["would_show"]) == (1, 0, 1)
    act(acme, showing["id"], "apply")
    assert shown(acme, message["id"])
    pat.message("As a colleague")


def test_a_contact_that_moved_to_another_address_brings_its_mail_along(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    old, new = f"{unique('nora')}@old.example", f"{unique('nora')}@new.example"
    nora = acme.contact("Nora", old)
    story.mail_from(old, ann.mailbox, "From the old one")
    nora.message("From the old one")
    (early,) = story.mail_from(new, ann.mailbox, "From the new one").values()
    assert ann.decision(early)["rule"] == "S9"
    acme.api.patch(f"/v1/contacts/{nora.id}", {"emails": [old, new]})
    found = review(acme, contact_id=nora.id)
    assert (found["would_add"], found["would_hide"]) == (1, 0)
    act(acme, found["id"], "apply")
    assert nora.message("From the new one")["contact_id"] == nora.id
    assert sorted(m["subject"] for m in nora.messages()) == ["From the new one", "From the old one"]
