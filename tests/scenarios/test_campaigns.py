"""Bulk mail on the whole running system: through the SMTP provider, each recipient once or shown as unknown (S25)."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import httpx
import pytest

from devstack.catcher import CatcherClient
from devstack.gmail.control import GmailControl
from devstack.stack import Stack
from devstack.story import Json, LocationInStory, Refused, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers

ENDED = ("done", "cancelled")


@dataclass
class Post:
    """A location with a user, contacts, and the provider that catches what leaves."""

    acme: LocationInStory
    ann: UserInStory
    catcher: CatcherClient

    def contacts(self, count: int, domain: str | None = None) -> list[Json]:
        domain = domain or f"{unique('lead')}.example"
        return [
            self.acme.api.post("/v1/contacts", {"name": f"Lead {n}", "emails": [f"lead{n}@{domain}"]})
            for n in range(count)
        ]

    def campaign(self, contacts: list[Json], **more: Any) -> Json:
        body: Json = {
            "user_id": self.ann.id,
            "subject": "News",
            "html": "<p>Hello</p>",
            "contact_ids": [contact["id"] for contact in contacts],
            **more,
        }
        made: Json = self.acme.api.post("/v1/campaigns", body)
        return made

    def read(self, campaign: Json) -> Json:
        found: Json = self.acme.api.get(f"/v1/campaigns/{campaign['id']}")
        return found

    def act(self, campaign: Json, what: str) -> Json:
        found: Json = self.acme.api.post(f"/v1/campaigns/{campaign['id']}/{what}")
        return found

    def until(
        self, campaign: Json, condition: Callable[[Json], Any], what: str, patience_s: float = 60
    ) -> Json:
        def look() -> Json | None:
            found = self.read(campaign)
            return found if condition(found) else None

        return eventually(look, what, patience_s=patience_s)

    def done(self, campaign: Json, patience_s: float = 60) -> Json:
        return self.until(campaign, lambda found: found["state"] in ENDED, "campaign done", patience_s)

    def recipients(self, campaign: Json, **params: Any) -> dict[str, Json]:
        items = self.acme.api.all(f"/v1/campaigns/{campaign['id']}/recipients", **params)
        return {item["contact_id"]: item for item in items}

    def caught(self, contact: Json) -> list[Any]:
        return self.catcher.messages(to=contact["emails"][0])


@pytest.fixture
def post(stack: Stack) -> Post:
    return open_post(stack)


def open_post(stack: Stack) -> Post:
    acme = Story(stack).location("Acme")
    return Post(acme, acme.user(name="Ann Archer"), CatcherClient(stack.catcher_url))


def test_s25_each_contact_gets_its_own_mail_shown_in_its_conversation(post: Post) -> None:
    contacts = post.contacts(3)
    made = post.campaign(contacts)
    assert (made["total"], made["sent"], made["failed"], made["unknown"]) == (3, 0, 0, 0)
    found = post.done(made)
    assert (found["state"], found["sent"], found["total"]) == ("done", 3, 3)
    for contact in contacts:
        (mail,) = post.caught(contact)
        assert mail.rcpt_tos == (contact["emails"][0],)
        headers = dict(mail.headers)
        assert parseaddr(headers["From"]) == (post.ann.name if hasattr(post.ann, "name") else "Ann Archer", post.ann.email)
        assert parseaddr(headers["To"])[1] == contact["emails"][0]
        recipient = post.recipients(made)[contact["id"]]
        assert recipient["state"] == "sent"
        (message,) = post.acme.api.all(f"/v1/contacts/{contact['id']}/messages")
        assert (message["id"], message["kind"], message["status"]) == (recipient["message_id"], "bulk", "sent")
        assert message["gmail"] == []
        assert message["message_id_header"] == headers["Message-ID"]
