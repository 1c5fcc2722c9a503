"""Mails of mixed kind while the worker is killed: every Gmail id one decision, nothing doubled, nothing leaked."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

import psycopg
import pytest

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory, eventually, unique
from workflows import temporal

pytestmark = pytest.mark.servers

MARK = "kumquat"
"""A word in every mail of a stranger; it must be nowhere afterwards."""
NO_QUOTA = {"GMAIL_UNITS_PER_MINUTE": "100000000"}
"""A thousand mails would take Gmail's quota seven minutes."""
SEED = int(os.environ.get("SEED", "20261128"))


class Traffic:
    """Mail of mixed kind for two colleagues: contacts, strangers, each other, threads, both at once."""

    def __init__(self, story: Story, acme: LocationInStory, ann: UserInStory, bob: UserInStory) -> None:
        self.story, self.ann, self.bob = story, ann, bob
        self.random = random.Random(SEED)
        self.leads = [acme.contact(f"Lead {n}", f"{unique('lead')}@lead.example") for n in range(5)]
        self.answerable: list[str] = []

    def mail(self, number: int) -> None:
        """One mail."""
        lead = self.random.choice(self.leads).email
        kind = self.random.randrange(6)
        subject = f"Mail {number}"
        if kind == 0:
            self.answerable += self.story.mail_from(lead, self.ann.mailbox, subject).values()
        elif kind == 1:
            self.story.mail_from(lead, [self.ann.mailbox, self.bob.mailbox], subject)
        elif kind == 2:
            stranger = f"{unique('who')}@nowhere.example"
            self.story.mail_from(stranger, self.ann.mailbox, subject, f"{MARK} {number}")
        elif kind == 3:
            self.story.mail_from(self.bob.email, self.ann.mailbox, subject)
        elif kind == 4 and self.answerable:
            answered = self.random.choice(self.answerable)
            self.story.gmail.reply(self.ann.mailbox, answered, f"Answer {number}")
        else:
            self.ann.writes_in_gmail(lead, subject)


def all_decided(user: UserInStory) -> bool:
    """Every id of the mailbox has a decision for good."""
    decided = {d["gmail_id"] for d in user.decisions() if d["outcome"] != "failed"}
    return all(mail["id"] in decided for mail in user.gmail.messages(user.mailbox))


def killed_in_the_middle(stack: Stack, number: int, kills: int) -> None:
    story = Story(stack)
    acme = story.location("Acme")
    ann, bob = acme.user(name="Ann"), acme.user(name="Bob")
    ann.connect()
    bob.connect()
    traffic = Traffic(story, acme, ann, bob)
    moments = {number * (n + 1) // (kills + 1) for n in range(kills)}
    for n in range(number):
        traffic.mail(n)
        if n in moments:
            stack.wait_healthy("worker")
            stack.kill("worker")
    for user in (ann, bob):
        eventually(partial(all_decided, user), f"all of {user.mailbox} is decided", patience_s=120)
    assert_one_decision_each(ann, bob)
    assert_one_message_per_mail(acme, ann, bob)
    assert_no_stranger_anywhere(stack, story, ann)


def assert_one_decision_each(*users: UserInStory) -> None:
    for user in users:
        counted = Counter(decision["gmail_id"] for decision in user.decisions())
        assert set(counted.values()) == {1}


def assert_one_message_per_mail(acme: LocationInStory, *users: UserInStory) -> None:
    copies: dict[str, set[str]] = {}
    for user in users:
        synced = {d["gmail_id"]: d["message_id"] for d in user.decisions() if d["outcome"] == "synced"}
        for mail in user.gmail.messages(user.mailbox):
            if mail["id"] in synced:
                copies.setdefault(mail["message_id"], set()).add(synced[mail["id"]])
    assert copies
    assert all(len(messages) == 1 for messages in copies.values()), "a mail is two messages"
    messages = [next(iter(found)) for found in copies.values()]
    assert len(set(messages)) == len(messages), "two mails are one message"


def assert_no_stranger_anywhere(stack: Stack, story: Story, ann: UserInStory) -> None:
    strangers = [d["gmail_id"] for d in ann.decisions() if d["rule"] == "S9"]
    assert strangers
    whole = [
        r["path_id"] for form in ("raw", "full") for r in story.gmail.requests("messages.get", form=form)
    ]
    assert not set(whole) & set(strangers)
    with psycopg.connect(stack.database_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{MARK}%"]
            ).fetchone()
            assert rows == (0,), table
    history = asyncio.run(everything_kept(stack, ann.account_id))
    assert ann.account_id.encode() in history
    assert MARK.encode() not in history


async def everything_kept(stack: Stack, account_id: str) -> bytes:
    """All that Temporal keeps of an account, payloads as they are."""
    client = await temporal.connect(stack.settings)
    handle = client.get_workflow_handle(f"account/{account_id}")
    history = await handle.fetch_history()
    return b"".join(event.SerializeToString() for event in history.events)


def test_i1_i2_i3_a_killed_worker_loses_and_doubles_nothing(fresh_stack: Callable[..., Stack]) -> None:
    killed_in_the_middle(fresh_stack(settings=NO_QUOTA), 120, 2)


@pytest.mark.soak
def test_i1_i2_i3_a_thousand_mails_and_five_kills(fresh_stack: Callable[..., Stack]) -> None:
    killed_in_the_middle(fresh_stack(settings=NO_QUOTA), 1000, 5)
