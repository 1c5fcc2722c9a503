"""The user's Google contacts: connections and "other contacts", in full and by sync token (People API).

A sync token lives 7 days from the full read and answers HTTP 400 afterwards; a read with a token must repeat
the parameters of the read that gave it, so they are fixed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from googleapiclient.http import HttpRequest

from gmail.budget import Priority
from gmail.client import Gmail
from gmail.tokens import TokenSource

PAGE_SIZE = 1000
ME = "people/me"
MASK = "names,emailAddresses,metadata"
_PERSON = (
    "resourceName,names(displayName,metadata/primary),emailAddresses(value,metadata/primary),"
    "metadata(deleted,previousResourceNames)"
)


@dataclass(frozen=True, slots=True)
class Person:
    """One contact. `names` and `emails` (lower case): the primary one first, none twice.

    A deleted person has only its `resource_name`; `previous_resource_names` are names that this one replaces.
    """

    resource_name: str
    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    deleted: bool = False
    previous_resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page; `next_sync_token` comes with the last one only."""

    people: tuple[Person, ...]
    next_page_token: str | None = None
    next_sync_token: str | None = None


class People:
    """The contacts of one Google account. Every method raises GoogleError, naming `address`.

    People has quotas of its own, so its calls do not spend the mailbox's units, and a throttle here stops no
    mail.
    """

    def __init__(
        self, gmail: Gmail, address: str, tokens: TokenSource, priority: Priority = Priority.CATCH_UP
    ) -> None:
        self._gmail = gmail
        self.address = address
        self._tokens = tokens
        self._priority = priority

    def connections(self, sync_token: str | None = None, page_token: str | None = None) -> PeoplePage:
        """One page of the contacts that the user keeps; with `sync_token` only what changed.

        Raises:
            ExpiredSyncToken: read in full instead.
            ConsentMissing: the user did not tick the contacts.
        """
        request = self._gmail.people()[0].list(
            resourceName=ME,
            personFields=MASK,
            pageSize=PAGE_SIZE,
            requestSyncToken=True,
            syncToken=sync_token,
            pageToken=page_token,
            fields=f"connections({_PERSON}),nextPageToken,nextSyncToken",
        )
        return self._call("connections.list", request, lambda answer: _page(answer, "connections"))

    def other_contacts(self, sync_token: str | None = None, page_token: str | None = None) -> PeoplePage:
        """One page of the addresses that Google collected by itself; otherwise as `connections`."""
        request = self._gmail.people()[1].list(
            readMask=MASK,
            pageSize=PAGE_SIZE,
            requestSyncToken=True,
            syncToken=sync_token,
            pageToken=page_token,
            fields=f"otherContacts({_PERSON}),nextPageToken,nextSyncToken",
        )
        return self._call("otherContacts.list", request, lambda answer: _page(answer, "otherContacts"))

    def _call(
        self, name: str, request: HttpRequest, read: Callable[[dict[str, Any]], PeoplePage]
    ) -> PeoplePage:
        return self._gmail.call(
            request,
            read,
            name=name,
            units=1,
            mailbox=self.address,
            tokens=self._tokens,
            priority=self._priority,
            bucket=f"people:{self.address}",
        )


def all_pages(
    read: Callable[[str | None, str | None], PeoplePage], sync_token: str | None = None
) -> Iterator[PeoplePage]:
    """Every page of `People.connections` or `People.other_contacts`; the last one has the next sync token."""
    page = read(sync_token, None)
    yield page
    while page.next_page_token:
        page = read(sync_token, page.next_page_token)
        yield page


def _page(answer: dict[str, Any], key: str) -> PeoplePage:
    return PeoplePage(
        tuple(_person(item) for item in answer.get(key, ())),
        answer.get("nextPageToken") or None,
        answer.get("nextSyncToken") or None,
    )


def _person(item: dict[str, Any]) -> Person:
    metadata = item.get("metadata", {})
    emails = (value.strip().lower() for value in _values(item, "emailAddresses", "value"))
    return Person(
        item["resourceName"],
        tuple(dict.fromkeys(_values(item, "names", "displayName"))),
        tuple(dict.fromkeys(emails)),
        bool(metadata.get("deleted", False)),
        tuple(metadata.get("previousResourceNames", ())),
    )


def _values(item: dict[str, Any], key: str, value: str) -> list[str]:
    entries = sorted(item.get(key, ()), key=lambda entry: not entry.get("metadata", {}).get("primary", False))
    return [entry[value] for entry in entries if entry.get(value)]
