"""Google contacts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gmail.client import Gmail
from gmail.errors import ConsentMissing, ExpiredSyncToken, Throttled
from gmail.mailbox import Mailbox
from gmail.people import People, PeoplePage, Person, all_pages
from gmail.tokens import FixedToken
from tests.gmail.conftest import ADDRESS
from tests.gmail.scripted import ScriptedGoogle, refuses, says

pytestmark = pytest.mark.servers

CONNECTIONS, OTHERS = "/v1/people/me/connections", "/v1/otherContacts"


@pytest.fixture
def gmail(gmail_of: Callable[..., Gmail]) -> Gmail:
    return gmail_of()


@pytest.fixture
def people(gmail: Gmail) -> People:
    return People(gmail, ADDRESS, FixedToken("access-1"))


def test_s23_contacts_are_read_with_their_primary_name_and_address_first(
    google: ScriptedGoogle, people: People
) -> None:
    google.on(
        CONNECTIONS,
        says(
            {
                "connections": [
                    {
                        "resourceName": "people/c1",
                        "names": [
                            {"displayName": "B. Bo"},
                            {"displayName": "Bob", "metadata": {"primary": True}},
                        ],
                        "emailAddresses": [
                            {"value": "bob@old.example"},
                            {"value": " Bob@X.example", "metadata": {"primary": True}},
                            {"value": "BOB@x.example"},
                            {"type": "home"},
                        ],
                        "metadata": {"previousResourceNames": ["people/c0"]},
                    },
                    {"resourceName": "people/c2"},
                ],
                "nextPageToken": "p2",
            }
        ),
        says({"nextSyncToken": "sync-1"}),
    )

    pages = list(all_pages(people.connections))

    assert pages == [
        PeoplePage(
            (
                Person(
                    "people/c1",
                    ("Bob", "B. Bo"),
                    ("bob@x.example", "bob@old.example"),
                    previous_resource_names=("people/c0",),
                ),
                Person("people/c2"),
            ),
            next_page_token="p2",
        ),
        PeoplePage((), next_sync_token="sync-1"),
    ]
    first, second = (asked.query for asked in google.asked)
    assert first["personFields"] == ["names,emailAddresses,metadata"]
    assert first["requestSyncToken"] == ["true"]
    assert second == {**first, "pageToken": ["p2"]}


def test_s23_changes_are_read_with_the_same_parameters_and_deletions_are_marked(
    google: ScriptedGoogle, people: People
) -> None:
    gone = {"resourceName": "otherContacts/c1", "metadata": {"deleted": True}}
    google.on(
        OTHERS, says({"nextSyncToken": "sync-1"}), says({"otherContacts": [gone], "nextSyncToken": "sync-2"})
    )

    people.other_contacts()
    changed = people.other_contacts(sync_token="sync-1")

    assert changed == PeoplePage((Person("otherContacts/c1", deleted=True),), next_sync_token="sync-2")
    first, second = (asked.query for asked in google.asked)
    assert first["readMask"] == ["names,emailAddresses,metadata"]
    assert second == {**first, "syncToken": ["sync-1"]}


def test_s23_an_expired_sync_token_asks_for_a_full_read(google: ScriptedGoogle, people: People) -> None:
    text = "Sync token is expired. Clear local cache and retry call without the sync token."
    google.on(CONNECTIONS, refuses(400, "failedPrecondition", text))

    with pytest.raises(ExpiredSyncToken):
        people.connections("sync-0")


def test_s23_contacts_without_consent_are_no_dead_grant(google: ScriptedGoogle, people: People) -> None:
    google.on(
        OTHERS, refuses(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
    )

    with pytest.raises(ConsentMissing):
        people.other_contacts()


def test_i4_a_throttle_of_people_stops_no_mail(google: ScriptedGoogle, people: People, gmail: Gmail) -> None:
    text = "Quota exceeded for quota metric 'Critical read requests' and limit 'Reads per minute' of service 'x'."
    google.on(CONNECTIONS, refuses(429, "rateLimitExceeded", text, Retry_After="600"))
    google.on("/gmail/v1/users/me/profile", says({"emailAddress": ADDRESS, "historyId": "7"}))

    for _ in range(2):
        with pytest.raises(Throttled):
            people.connections()

    assert len(google.asked_for(CONNECTIONS)) == 1
    assert Mailbox(gmail, ADDRESS, FixedToken("a")).profile().history_id == 7
