"""What users do with their mailboxes in the stories: new ones, consents, switches, and looks at what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devstack.stack import Stack
from devstack.story import ContactInStory, Json, LocationInStory, Story, UserInStory, eventually, unique
from tests.model.traces import has_ended

Reconcile = Callable[[], None]
PROFILE = "gmail.users.getProfile"


def lead(acme: LocationInStory) -> ContactInStory:
    """A new contact."""
    return acme.contact("Lea Lead", f"{unique('lea')}@lead.example")


def new_mailbox(story: Story) -> str:
    """The address of a Gmail account that nobody has connected."""
    mailbox = f"{unique('ann')}@gmail.com"
    story.gmail.create_mailbox(mailbox)
    return mailbox


def consent_to_switch(
    user: UserInStory, mailbox: str, *, scopes: list[str] | None = None, deny: bool = False
) -> dict[str, str]:
    """The user asks to switch and goes through Google's page with a mailbox; where that led."""
    url = user.api.post(f"/v1/users/{user.id}/switch")["authorization_url"]
    return user.consent(url, mailbox, scopes=scopes, deny=deny)


def switched(user: UserInStory, mailbox: str) -> str:
    """The user has switched to a mailbox, by consent; the account's id. What the user wrote from is paused."""
    before = user.account_id
    account_id = consent_to_switch(user, mailbox)["account_id"]
    user.wait_for_state("active", account_id)
    user.wait_for_state("paused", before)
    user.mailbox, user.account_id = mailbox, account_id
    return account_id


def switch_to(user: UserInStory, account_id: str) -> None:
    """The user asks to switch to an account whose grant is still good."""
    user.api.post(f"/v1/users/{user.id}/switch", {"account_id": account_id})


def switch_is_over(stack: Stack, user: UserInStory) -> None:
    """Wait until no switch of the user is under way."""
    eventually(
        lambda: asyncio.run(has_ended(stack, f"switch/{user.id}")), f"the switches of {user.id} are over"
    )


def begin_to_connect(user: UserInStory, mailbox: str) -> str:
    """The user gives consent; the account's id, in whatever state."""
    url = user.api.post("/v1/accounts/connect", {"user_id": user.id})["authorization_url"]
    user.mailbox, user.account_id = mailbox, user.consent(url, mailbox)["account_id"]
    return user.account_id


def reauthorize(user: UserInStory, *, scopes: list[str] | None = None) -> dict[str, str]:
    """The user gives consent again, with the same mailbox; where that led."""
    url = user.api.post(f"/v1/accounts/{user.account_id}/reauthorize")["authorization_url"]
    return user.consent(url, user.mailbox, scopes=scopes)


def disconnect(user: UserInStory) -> None:
    """The user disconnects, and it is done."""
    user.api.post(f"/v1/accounts/{user.account_id}/disconnect")
    user.wait_for_state("disconnected")


def sync(user: UserInStory, account_id: str | None = None) -> None:
    """Somebody presses the button."""
    user.api.post(f"/v1/accounts/{account_id or user.account_id}/sync")


def subjects(contact: ContactInStory) -> list[str]:
    """Of all messages of a contact, in order of the alphabet."""
    return sorted(message["subject"] for message in contact.messages())


def active_accounts(user: UserInStory) -> list[str]:
    """Ids of the user's accounts that collect."""
    items = user.api.all("/v1/accounts", user_id=user.id)
    return [one["id"] for one in items if one["state"] in ("active", "recovering")]


def first_sync(user: UserInStory) -> None:
    """Wait until the mailbox has been read once."""
    eventually(lambda: user.account()["last_synced_at"], "a first sync")


def asked(story: Story, method: str, **match: object) -> int:
    """How often Gmail was asked for something."""
    return int(story.gmail.usage(method=method, **match)["count"])


def completeness(user: UserInStory) -> Json:
    """A fresh proof of completeness."""
    before = user.account()["completeness"]["checked_at"]
    sync(user)

    def proven() -> Json | None:
        shown: Json = user.account()["completeness"]
        return shown if shown["checked_at"] not in (None, before) else None

    return eventually(proven, "a proof of completeness")
