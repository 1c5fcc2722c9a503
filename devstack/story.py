"""Words to tell a story with: a location, its users and contacts, their mailboxes, and what each of them does.

Speaks to a running stack only as the outside does: the HTTP API, Gmail (the emulator's users), and SMTP.
The demo, the scenarios and the benchmarks are told with it.

    story = Story(stack)
    acme = story.location("Acme")
    ann = acme.user("ann@acme.example", "Ann")
    ann.connect("ann@gmail.com")
    lead = acme.contact("Lea", "lea@lead.example")
    ann.send(lead, "Hello", "Shall we talk?")
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx

from devstack.gmail.control import GmailControl

T = TypeVar("T")
Json = dict[str, Any]

PATIENCE_S = 60.0
"""How long a condition is waited for; a quiet machine needs a fraction of a second."""


class NeverHappened(AssertionError):
    """What was waited for did not come true in time; the text tells what was last seen."""


class Running(Protocol):
    """What a story needs of a running stack."""

    @property
    def api_url(self) -> str: ...

    @property
    def gmail_url(self) -> str: ...

    @property
    def admin_key(self) -> str: ...


def eventually(look: Callable[[], T | None], what: str, *, patience_s: float = PATIENCE_S) -> T:
    """The first true answer of `look`, asked again and again.

    Raises:
        NeverHappened: naming `what`, and the last answer.
    """
    deadline = time.monotonic() + patience_s
    for pause in itertools.chain((0.02, 0.02, 0.05, 0.05, 0.1), itertools.repeat(0.2)):
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"after {patience_s:.0f} s still not: {what} (last seen: {found!r})")
        time.sleep(pause)
    raise AssertionError("unreachable")


class Refused(Exception):
    """The API answered with a problem.

    Attributes:
        status: HTTP status.
        problem: the problem document.
    """

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class Api:
    """The HTTP API with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def call(self, method: str, path: str, *, body: Any = None, **params: Any) -> Any:
        """One call; the JSON answer, or None where there is none.

        Raises:
            Refused: any status from 400 on.
        """
        answer = self.http.request(
            method, path, json=body, params={k: v for k, v in params.items() if v is not None}
        )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, _json(answer))
        return _json(answer) if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body=body if body is not None else {})

    def patch(self, path: str, body: Any) -> Any:
        return self.call("PATCH", path, body=body)

    def delete(self, path: str, **params: Any) -> Any:
        return self.call("DELETE", path, **params)

    def all(self, path: str, **params: Any) -> list[Json]:
        """All items of a list, over its pages."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=200, **params)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items


def _json(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type", "")
    return answer.json() if "json" in kind else {"text": answer.text[:500]}


class Story:
    """A running stack, and the people around it."""

    def __init__(self, stack: Running) -> None:
        self.stack = stack
        self.gmail = GmailControl(stack.gmail_url)
        self.admin = Api(stack.api_url, stack.admin_key)

    def location(self, name: str = "Acme", **settings: Any) -> LocationInStory:
        """A new location, with settings of the contract where given."""
        made = self.admin.post("/v1/locations", {"name": name})
        location = LocationInStory(self, made["id"], Api(self.stack.api_url, made["api_key"]))
        if settings:
            location.api.patch(f"/v1/locations/{location.id}", settings)
        return location

    def mail_from(
        self, sender: str, to: str | list[str], subject: str, text: str = "Hello.", **more: Any
    ) -> dict[str, str]:
        """Somebody outside sends a mail; returns Gmail ids by mailbox."""
        return self.gmail.deliver({"from": sender, "to": to, "subject": subject, "text": text, **more})


@dataclass
class LocationInStory:
    """A location with its key."""

    story: Story
    id: str
    api: Api

    def user(self, email: str | None = None, name: str = "Ann Archer") -> UserInStory:
        """A new user of the location."""
        made = self.api.post("/v1/users", {"email": email or f"{unique('user')}@acme.example", "name": name})
        return UserInStory(self, made["id"], made["email"], made["auto_bcc_address"])

    def contact(self, name: str, *emails: str, assigned_to: UserInStory | None = None) -> ContactInStory:
        """A new contact with these addresses."""
        body: Json = {"name": name, "emails": list(emails)}
        if assigned_to is not None:
            body["assigned_user_id"] = assigned_to.id
        made = self.api.post("/v1/contacts", body)
        return ContactInStory(self, made["id"], emails[0] if emails else "")

    def contacts_with(self, email: str) -> list[Json]:
        """The contacts that have an address."""
        return self.api.all("/v1/contacts", email=email)


@dataclass
class ContactInStory:
    """A contact; `email` is its first address."""

    location: LocationInStory
    id: str
    email: str

    def messages(self) -> list[Json]:
        """All messages that the contact takes part in."""
        return self.location.api.all(f"/v1/contacts/{self.id}/messages")

    def conversation(self) -> Json | None:
        """The contact's conversation, if there is one."""
        found = self.location.api.all("/v1/conversations", contact_id=self.id)
        return found[0] if found else None

    def in_conversation(self) -> list[Json]:
        """The messages of the contact's own conversation."""
        conversation = self.conversation()
        if conversation is None:
            return []
        return self.location.api.all(f"/v1/conversations/{conversation['id']}/messages")

    def message(self, subject: str, *, patience_s: float = PATIENCE_S, **fields: Any) -> Json:
        """Wait for the contact's message with this subject and these values of its fields."""

        def look() -> Json | None:
            for message in self.messages():
                if message["subject"] == subject and all(message[k] == v for k, v in fields.items()):
                    return message
            return None

        return eventually(look, f"message {subject!r} {fields} of {self.email}", patience_s=patience_s)


@dataclass
class UserInStory:
    """A user; `mailbox` is the Gmail address connected last."""

    location: LocationInStory
    id: str
    email: str
    auto_bcc_address: str
    mailbox: str = ""
    account_id: str = ""

    @property
    def api(self) -> Api:
        return self.location.api

    @property
    def gmail(self) -> GmailControl:
        return self.location.story.gmail

    def connect(
        self, mailbox: str | None = None, *, scopes: list[str] | None = None, create: bool = True
    ) -> str:
        """Connect a Gmail mailbox (opened if `create`) and wait until it is active; returns the account's
        id."""
        mailbox = mailbox or f"{unique('ann')}@gmail.com"
        if create:
            self.gmail.create_mailbox(mailbox)
        url = self.api.post("/v1/accounts/connect", {"user_id": self.id})["authorization_url"]
        outcome = self.consent(url, mailbox, scopes=scopes)
        if "account_id" not in outcome:
            raise Refused(302, {"outcome": outcome})
        self.mailbox, self.account_id = mailbox, outcome["account_id"]
        self.wait_for_state("active")
        return self.account_id

    def consent(
        self, authorization_url: str, mailbox: str, *, scopes: list[str] | None = None, deny: bool = False
    ) -> dict[str, str]:
        """Go through Google's page and come back; the outcome in the final address: `account_id` or
        `error`."""
        redirect = self.gmail.consent(authorization_url, mailbox, scopes=scopes, deny=deny)
        answer = httpx.get(redirect, follow_redirects=False, timeout=60)
        if answer.status_code != 302:
            raise Refused(answer.status_code, _json(answer))
        return dict(httpx.URL(answer.headers["location"]).params)

    def account(self, account_id: str | None = None) -> Json:
        """The account as the API shows it."""
        found: Json = self.api.get(f"/v1/accounts/{account_id or self.account_id}")
        return found

    def wait_for_state(self, state: str, account_id: str | None = None) -> Json:
        """Wait until the account is in a state."""

        def look() -> Json | None:
            account = self.account(account_id)
            return account if account["state"] == state else None

        return eventually(look, f"account {account_id or self.account_id} is {state}")

    def decisions(self, account_id: str | None = None) -> list[Json]:
        """All decisions of the account."""
        return self.api.all(f"/v1/accounts/{account_id or self.account_id}/decisions")

    def decision(self, gmail_id: str, account_id: str | None = None) -> Json:
        """Wait until a Gmail id is decided for good."""

        def look() -> Json | None:
            found = self.api.get(
                f"/v1/accounts/{account_id or self.account_id}/decisions", gmail_id=gmail_id
            )["items"]
            return found[0] if found and found[0]["outcome"] != "failed" else None

        return eventually(look, f"a decision of {gmail_id}")

    def send(self, to: ContactInStory | str, subject: str, text: str = "Hello.", **more: Any) -> Json:
        """Send an individual mail from the CRM; the message as accepted."""
        address = to if isinstance(to, str) else to.email
        body = {
            "user_id": self.id,
            "kind": "individual",
            "to": [address],
            "subject": subject,
            "text": text,
            **more,
        }
        accepted: Json = self.api.post("/v1/messages", body)
        return accepted

    def message(self, message_id: str, *, status: str | None = None) -> Json:
        """A message; with `status` wait until it has it."""
        if status is None:
            found: Json = self.api.get(f"/v1/messages/{message_id}")
            return found

        def look() -> Json | None:
            message: Json = self.api.get(f"/v1/messages/{message_id}")
            return message if message["status"] == status else None

        return eventually(look, f"message {message_id} is {status}")

    def writes_in_gmail(self, to: str | list[str], subject: str, text: str = "Hello.", **more: Any) -> Json:
        """The user writes a mail in Gmail's own page."""
        return self.gmail.send_as_user(self.mailbox, {"to": to, "subject": subject, "text": text, **more})

    def mails_in_gmail(self, subject: str) -> list[Json]:
        """The mailbox's messages with this subject."""
        return [m for m in self.gmail.messages(self.mailbox) if m["subject"] == subject]

    def timeline(self) -> list[Json]:
        """The account's timeline, newest first."""
        return self.api.all(f"/v1/accounts/{self.account_id}/timeline")


def unique(word: str) -> str:
    """A word that no other story uses."""
    return f"{word}-{uuid.uuid4().hex[:8]}"
