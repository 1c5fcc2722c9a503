"""S26 on the whole stack: over the limit mail waits with a true estimate, leaves by itself, in order, once.

The window is short instead of a day; emulator, ledger and timers go by the one real clock.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from devstack.stack import Stack
from devstack.story import ContactInStory, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers

TOGETHER = timedelta(seconds=4)


def play(stack: Stack, *, limit: int, ours: int, owners: int, window_s: float) -> None:
    """`owners` mails sent in Gmail itself, then `ours` from the CRM, against a limit."""
    story = Story(stack)
    acme = story.location(daily_recipient_limit=limit)
    ann = acme.user()
    ann.connect()
    lea = acme.contact("Lea", f"{unique('lea')}@lead.example")
    for number in range(owners):
        ann.writes_in_gmail("somebody@elsewhere.example", f"Own {number}")
    eventually(lambda: ann.account()["sends"]["used_24h"] == owners, "the owner's own mails are counted")
    ids = [ann.send(lea, f"Ours {number}")["id"] for number in range(ours)]
    over = owners + ours - limit
    eventually(lambda: len(waiting(ann, ids)) >= min(over, 1), "mail over the limit waits")
    estimates = {message["id"]: moment(message["leaves_at"]) for message in waiting(ann, ids)}
    sent = [ann.message(message_id, status="sent") for message_id in ids]
    assert_within_limit(sent, limit - owners if window_s > 60 else limit, timedelta(seconds=window_s))
    for message in sent:
        if message["id"] in estimates:
            assert moment(message["sent_at"]) >= estimates[message["id"]] - timedelta(seconds=1)
    for earlier, later in itertools.pairwise(message for message in sent if message["id"] in estimates):
        # Those that get their places together leave together, each by its own workflow.
        assert moment(earlier["sent_at"]) <= moment(later["sent_at"]) + TOGETHER
    assert_once(ann, lea, ours)


def waiting(ann: UserInStory, ids: list[str]) -> list[dict[str, str]]:
    found = [ann.message(message_id) for message_id in ids]
    return [m for m in found if m["status"] == "waiting_for_limit" and m["leaves_at"]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def assert_within_limit(sent: list[dict[str, str]], limit: int, window: timedelta) -> None:
    """No window ever held more than the limit; clocks of Gmail and ours may differ by a moment."""
    times = sorted(moment(message["sent_at"]) for message in sent)
    for index, at in enumerate(times):
        inside = [other for other in times[: index + 1] if other > at - window + timedelta(seconds=0.5)]
        assert len(inside) <= limit


def assert_once(ann: UserInStory, lea: ContactInStory, ours: int) -> None:
    counted = Counter(
        m["subject"]
        for m in ann.gmail.messages(ann.mailbox)
        if m["subject"].startswith("Ours") and "SENT" in m["labels"]
    )
    assert counted == Counter({f"Ours {number}": 1 for number in range(ours)})
    assert len(ann.gmail.outbox(lea.email)) == ours


@pytest.mark.timeout(600)
def test_s26_mail_over_the_limit_waits_and_leaves_by_itself(fresh_stack: Callable[..., Stack]) -> None:
    stack = fresh_stack(settings={"SEND_LIMIT_WINDOW_S": "20", "GMAIL_UNITS_PER_MINUTE": "1000000"})
    play(stack, limit=10, ours=12, owners=4, window_s=20)
    assert stack.parts


@pytest.mark.soak
def test_s26_six_hundred_mails_against_five_hundred(fresh_stack: Callable[..., Stack]) -> None:
    stack = fresh_stack(settings={"SEND_LIMIT_WINDOW_S": "240", "GMAIL_UNITS_PER_MINUTE": "1000000"})
    play(stack, limit=500, ours=600, owners=50, window_s=240)
    assert stack.parts
