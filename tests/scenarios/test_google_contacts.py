"""S23: a user's Google contacts come, change, merge and go, told on the whole running system."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from devstack.story import Json, LocationInStory, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import new_mailbox, reauthorize

pytestmark = pytest.mark.servers


@pytest.fixture
def ann_with(story: Story, acme: LocationInStory) -> Callable[..., tuple[UserInStory, list[str]]]:
    """Ann, connected, whose address book holds these people; and their names at Google."""

    def connect(*people: Json) -> tuple[UserInStory, list[str]]:
        user = acme.user(name="Ann Archer")
        mailbox = new_mailbox(story)
        names = story.gmail.put_contacts(mailbox, list(people))
        user.connect(mailbox, create=False)
        return user, names

    return connect


def read_again(user: UserInStory) -> None:
    """A consent has the address book read again, as the daily upkeep does."""
    reauthorize(user)


def test_s23_a_person_with_several_addresses_is_one_contact(
    acme: LocationInStory, ann_with: Callable[..., tuple[UserInStory, list[str]]]
) -> None:
    home, work = f"{unique('fred')}@home.example", f"{unique('fred')}@work.example"
    ann_with({"name": "Fred Friend", "emails": [home, work]})
    (contact,) = eventually(lambda: acme.contacts_with(work), "Fred")
    assert sorted(contact["emails"]) == sorted([home, work])
    assert [one["id"] for one in acme.contacts_with(home)] == [contact["id"]]


def test_s23_a_known_contact_is_matched_and_enriched_and_not_doubled(
    acme: LocationInStory, ann_with: Callable[..., tuple[UserInStory, list[str]]]
) -> None:
    known, other = f"{unique('lea')}@lead.example", f"{unique('lea')}@home.example"
    lea = acme.contact("Lea Lead", known)
    ann_with({"name": "Lea L.", "emails": [known, other]})
    (found,) = eventually(lambda: acme.contacts_with(other), "her other address")
    assert (found["id"], found["name"]) == (lea.id, "Lea Lead"), "what the CRM knows stays"


def test_s23_what_changes_at_google_changes_here_also_when_the_token_has_expired(
    story: Story, acme: LocationInStory, ann_with: Callable[..., tuple[UserInStory, list[str]]]
) -> None:
    first, second, third = (f"{unique('fred')}@friend.example" for _ in range(3))
    ann, (name,) = ann_with({"name": "Fred", "emails": [first]})
    (contact,) = eventually(lambda: acme.contacts_with(first), "Fred")
    story.gmail.put_contacts(
        ann.mailbox, [{"name": "Fred", "emails": [first, second], "resource_name": name}]
    )
    read_again(ann)
    (found,) = eventually(lambda: acme.contacts_with(second), "his second address")
    assert found["id"] == contact["id"]
    story.gmail.expire_sync_tokens(ann.mailbox)
    story.gmail.put_contacts(
        ann.mailbox, [{"name": "Fred", "emails": [first, second, third], "resource_name": name}]
    )
    read_again(ann)
    (found,) = eventually(lambda: acme.contacts_with(third), "his third address, after Google said 400")
    assert found["id"] == contact["id"]
    refused = story.gmail.requests("people.people.connections.list", mailbox=ann.mailbox, status=400)
    assert refused, "Google did refuse the old token"


def test_s23_people_that_are_merged_at_google_become_no_third_contact(
    story: Story, acme: LocationInStory, ann_with: Callable[..., tuple[UserInStory, list[str]]]
) -> None:
    one, two = f"{unique('max')}@one.example", f"{unique('max')}@two.example"
    ann, (first, second) = ann_with({"name": "Max", "emails": [one]}, {"name": "Max M.", "emails": [two]})
    before = {eventually(partial(acme.contacts_with, email), "Max")[0]["id"] for email in (one, two)}
    story.gmail.delete_contact(ann.mailbox, second)
    story.gmail.put_contacts(
        ann.mailbox,
        [
            {
                "name": "Max",
                "emails": [one, two, (seen := f"{unique('max')}@three.example")],
                "replaces": first,
            }
        ],
    )
    read_again(ann)
    (merged,) = eventually(lambda: acme.contacts_with(seen), "the merged person's new address")
    assert merged["id"] in before
    assert {c["id"] for email in (one, two) for c in acme.contacts_with(email)} <= before


def test_s23_deletions_at_google_never_delete_here(
    story: Story, acme: LocationInStory, ann_with: Callable[..., tuple[UserInStory, list[str]]]
) -> None:
    gone, stays = f"{unique('gone')}@friend.example", f"{unique('new')}@friend.example"
    ann, (name,) = ann_with({"name": "Gone", "emails": [gone]})
    eventually(lambda: acme.contacts_with(gone), "the contact")
    story.gmail.delete_contact(ann.mailbox, name)
    story.gmail.put_contacts(ann.mailbox, [{"name": "New", "emails": [stays]}])
    read_again(ann)
    eventually(lambda: acme.contacts_with(stays), "the address book was read again")
    assert len(acme.contacts_with(gone)) == 1
