"""People API: contacts, other contacts, sync tokens."""

from __future__ import annotations

from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from devstack.gmail.control import GmailControl

pytestmark = pytest.mark.servers
BOB = "bob@gmail.com"
AUTH = "https://www.googleapis.com/auth/"
FIELDS = {"resourceName": "people/me", "personFields": "names,emailAddresses"}


def people(gmail: GmailControl, scopes: list[str]) -> Any:
    token = Credentials(token=gmail.token(BOB, scopes))  # type: ignore[no-untyped-call]
    options = {"api_endpoint": gmail.base_url}
    return build("people", "v1", credentials=token, client_options=options, cache_discovery=False)


@pytest.fixture
def connections(gmail: GmailControl) -> Any:
    gmail.create_mailbox(BOB)
    return people(gmail, [AUTH + "contacts.readonly"]).people().connections()


def test_contacts_come_in_pages_and_the_token_on_the_last(gmail: GmailControl, connections: Any) -> None:
    gmail.put_contacts(BOB, [{"name": f"Lead {i}", "emails": [f"L{i}@out.example"]} for i in range(5)])
    request = connections.list(**FIELDS, pageSize=2, requestSyncToken=True)
    pages = []
    while request is not None:
        pages.append(request.execute())
        request = connections.list_next(request, pages[-1])
    assert [len(page["connections"]) for page in pages] == [2, 2, 1]
    assert ["nextSyncToken" in page for page in pages] == [False, False, True]
    first = pages[0]["connections"][0]
    assert first["names"][0]["displayName"] == "Lead 0"
    assert first["emailAddresses"][0]["value"] == "L0@out.example"
    assert first["resourceName"].startswith("people/c")


def test_a_sync_token_brings_changes_and_deletions_alone(gmail: GmailControl, connections: Any) -> None:
    names = gmail.put_contacts(
        BOB, [{"name": n, "emails": [f"{n}@out.example"]} for n in ("ann", "ben", "cid")]
    )
    token = connections.list(**FIELDS, requestSyncToken=True).execute()["nextSyncToken"]
    gmail.put_contacts(BOB, [{"name": "Anna", "emails": ["anna@out.example"], "resource_name": names[0]}])
    gmail.delete_contact(BOB, names[1])
    page = connections.list(**FIELDS, syncToken=token).execute()
    changed = {p["resourceName"]: p for p in page["connections"]}
    assert set(changed) == set(names[:2])
    assert changed[names[0]]["names"][0]["displayName"] == "Anna"
    assert changed[names[1]]["metadata"]["deleted"] is True
    assert "connections" not in connections.list(**FIELDS, syncToken=page["nextSyncToken"]).execute()
    assert len(connections.list(**FIELDS).execute()["connections"]) == 2


def test_a_sync_token_dies_seven_days_after_the_full_sync(gmail: GmailControl, connections: Any) -> None:
    gmail.put_contacts(BOB, [{"name": "Ann", "emails": ["ann@out.example"]}])
    token = connections.list(**FIELDS, requestSyncToken=True).execute()["nextSyncToken"]
    newer = connections.list(**FIELDS, syncToken=token).execute()["nextSyncToken"]
    gmail.expire_sync_tokens(BOB)
    with pytest.raises(HttpError) as expired:
        connections.list(**FIELDS, syncToken=newer).execute()
    assert expired.value.resp.status == 400
    assert "Sync token is expired. Clear local cache and retry call without the sync token." in str(
        expired.value
    )
    token = connections.list(**FIELDS, requestSyncToken=True).execute()["nextSyncToken"]
    gmail.advance_clock(7 * 86_400 + 1)
    connections = people(gmail, [AUTH + "contacts.readonly"]).people().connections()
    with pytest.raises(HttpError, match="Sync token is expired"):
        connections.list(**FIELDS, syncToken=token).execute()


def test_other_contacts_need_their_own_scope_and_mask(gmail: GmailControl, connections: Any) -> None:
    gmail.put_contacts(BOB, [{"name": "Met once", "emails": ["met@out.example"]}], other=True)
    others = people(gmail, [AUTH + "contacts.other.readonly"]).otherContacts()
    (person,) = others.list(readMask="names,emailAddresses").execute()["otherContacts"]
    assert person["resourceName"].startswith("otherContacts/c")
    with pytest.raises(HttpError, match="readMask"):
        others.list(readMask="birthdays").execute()
    with pytest.raises(HttpError, match="insufficient"):
        people(gmail, [AUTH + "contacts.readonly"]).otherContacts().list(readMask="names").execute()
    with pytest.raises(HttpError, match="mask is required"):
        connections.list(resourceName="people/me", personFields="").execute()


def test_a_contact_that_gets_a_new_name_knows_its_old_one(gmail: GmailControl, connections: Any) -> None:
    (old,) = gmail.put_contacts(BOB, [{"name": "Ann", "emails": ["ann@out.example"]}])
    token = connections.list(**FIELDS, requestSyncToken=True).execute()["nextSyncToken"]
    (new,) = gmail.put_contacts(BOB, [{"name": "Ann", "emails": ["ann@out.example"], "replaces": old}])
    (person,) = connections.list(**FIELDS, syncToken=token).execute()["connections"]
    assert person["resourceName"] == new != old
    assert person["metadata"]["previousResourceNames"] == [old]


def test_too_many_full_syncs_are_refused(gmail: GmailControl, connections: Any) -> None:
    gmail.behaviour(full_syncs_per_minute=1)
    token = connections.list(**FIELDS, requestSyncToken=True).execute()["nextSyncToken"]
    with pytest.raises(HttpError) as refused:
        connections.list(**FIELDS).execute()
    assert refused.value.resp.status == 429
    assert "nextSyncToken" in connections.list(**FIELDS, syncToken=token).execute()
