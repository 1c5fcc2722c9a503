"""Whether one mailbox with much waiting mail delays the others: fifty mailboxes on two workers."""

from __future__ import annotations

import threading
from datetime import datetime

from bench.result import Result, percentile
from bench.stream import EventStream
from devstack.stack import Stack
from devstack.story import Story, UserInStory, eventually, unique

OTHERS = 49
ROUNDS = 3
"""Mails that each of the others gets, alone and beside the busy one."""
PAUSE_S = 0.1
WAITING = 20_000
SETTINGS = {"GMAIL_UNITS_PER_MINUTE": "100000000", "RECONCILE_INTERVAL_S": "86400"}


def measure(others: int = OTHERS, waiting: int = WAITING) -> list[Result]:
    """The others' p99, push to event, while one mailbox catches up, against their p99 when it does not."""
    with Stack.start(settings=SETTINGS) as stack:
        stack.add_worker()
        story = Story(stack)
        quiet = story.location("Others")
        users = [quiet.user() for _ in range(others)]
        for user in users:
            user.connect()
        # Each has a contact of its own: mail of one contact is kept one after the other, in one conversation.
        leads = {user.mailbox: quiet.contact("Lea", f"{unique('lea')}@lead.example").email for user in users}
        busy = story.location("Busy").user()
        busy.connect()
        stream = EventStream(stack.api_url, quiet.api.http.headers["Authorization"].removeprefix("Bearer "))
        _latencies(story, stream, users[:5], leads, "warm-up")
        alone = _latencies(story, stream, users * ROUNDS, leads, "alone")
        _wait_with_mail(story, busy, waiting)
        beside = _latencies(story, stream, users * ROUNDS, leads, "beside")
        stream.close()
        if story.gmail.usage(mailbox=busy.mailbox)["count"] >= 2 * waiting:
            raise RuntimeError("the busy mailbox had caught up before the others were measured")
    return [
        Result.against_floor(
            "p99 of a push beside a mailbox that catches up",
            percentile(beside, 0.99),
            "ms",
            percentile(alone, 0.99),
            at_most=2.0,
        )
    ]


def _wait_with_mail(story: Story, busy: UserInStory, waiting: int) -> None:
    """The busy mailbox fills up unnoticed, and then Gmail tells of it."""
    busy.location.contact("Max", "max@busy.example")
    story.gmail.behaviour(push_lose_rate=1.0)
    story.gmail.fill(busy.mailbox, waiting, senders=["max@busy.example"])
    story.gmail.behaviour(push_lose_rate=0.0)
    story.gmail.publish(busy.mailbox)
    eventually(
        lambda: busy.api.get(f"/v1/accounts/{busy.account_id}/decisions", limit=1)["items"], "it began"
    )


def _latencies(
    story: Story, stream: EventStream, users: list[UserInStory], leads: dict[str, str], name: str
) -> list[float]:
    """Milliseconds from push to event, of one mail for each; sent at a steady pace, whatever became of the last."""
    sending = threading.Event()
    for number, user in enumerate(users):
        story.mail_from(leads[user.mailbox], user.mailbox, f"{name} {number}")
        sending.wait(PAUSE_S)
    told = [stream.told_at(f"{name} {number}") for number in range(len(users))]
    pushed: dict[str, list[float]] = {}
    for push in story.gmail.pushes():
        pushed.setdefault(push["mailbox"], []).append(_unix(push["at"]))
    rounds = {user.mailbox: sum(1 for one in users if one is user) for user in users}
    left = {mailbox: sorted(pushed[mailbox])[-count:] for mailbox, count in rounds.items()}
    return [max(0.0, at - left[user.mailbox].pop(0)) * 1000 for at, user in zip(told, users, strict=True)]


def _unix(at: float | str) -> float:
    return float(at) if isinstance(at, int | float) else datetime.fromisoformat(at).timestamp()
