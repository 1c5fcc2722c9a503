"""A user's Google contacts, with the changes that sync tokens need."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from devstack.gmail.clock import Clock


@dataclass(slots=True)
class Person:
    """A contact: `version` is the change that last touched it."""

    resource_name: str
    data: dict[str, Any]
    version: int
    deleted: bool = False
    previous: tuple[str, ...] = ()


@dataclass(slots=True)
class Book:
    """One list of contacts (`people/` or `otherContacts/`) of one mailbox, and its live sync tokens."""

    prefix: str
    version: int = 0
    persons: dict[str, Person] = field(default_factory=dict)
    tokens: dict[str, tuple[int, float, str]] = field(default_factory=dict)

    def put(
        self, name: str, emails: list[str], phones: list[str] | None = None, resource_name: str = ""
    ) -> str:
        """Add or change a contact; returns its resource name."""
        self.version += 1
        key = resource_name or f"{self.prefix}c{secrets.randbelow(10**18)}"
        source = {"type": "CONTACT", "id": key.rpartition("/c")[2]}
        data: dict[str, Any] = {}
        if name:
            given, _, family = name.partition(" ")
            shown = {
                "displayName": name,
                "givenName": given,
                "displayNameLastFirst": f"{family}, {given}" if family else given,
            }
            if family:
                shown["familyName"] = family
            data["names"] = [
                {"metadata": {"primary": True, "source": source}, **shown, "unstructuredName": name}
            ]
        data["emailAddresses"] = [
            {
                "metadata": {"primary": i == 0, "source": source} if i == 0 else {"source": source},
                "value": email,
            }
            for i, email in enumerate(emails)
        ]
        if phones:
            data["phoneNumbers"] = [{"metadata": {"source": source}, "value": phone} for phone in phones]
        self.persons[key] = Person(key, data, self.version)
        return key

    def move(self, old: str, new: str) -> None:
        """A contact's resource name changed: the old one goes, the new one knows it."""
        self.persons.pop(old, None)
        self.persons[new].previous = (old,)

    def delete(self, resource_name: str) -> None:
        """Delete a contact; sync tokens report it."""
        self.version += 1
        person = self.persons[resource_name]
        person.deleted, person.version, person.data = True, self.version, {}

    def token(self, clock: Clock, full_sync_at: float, shape: str) -> str:
        """A sync token for what this book is now."""
        value = secrets.token_urlsafe(24)
        self.tokens[value] = (self.version, full_sync_at or clock.now(), shape)
        return value


def books(extensions: dict[str, Any], email: str) -> tuple[Book, Book]:
    """The contacts and the other contacts of a mailbox."""
    known = extensions.setdefault("books", {})
    if email not in known:
        known[email] = (Book("people/"), Book("otherContacts/"))
    found: tuple[Book, Book] = known[email]
    return found
