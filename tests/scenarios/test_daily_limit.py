"""S26 on the whole stack: over the limit mail waits with a true estimate, leaves by itself, in order, once.

The window is short instead of a day; emulator, ledger and timers go by the one real clock.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.stack import Stack
from devstack.story import ContactInStory, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers

TOGETHER = timedelta(seconds=4)
CLOCKS = timedelta(seconds=1)
"""Gmail's clock and ours may differ by a moment."""
AGES_S = 1200
"""A window in which hundreds of mails leave before the first of them grows old, also on a busy machine."""


class Mailbox:
    """A user whose mailbox may send so many mails within a window, and a contact."""

    def __init__(self, stack: Stack, *, limit: int, window_s: float) -> None:
        self.limit, self.window = limit, timedelta(seconds=window_s)
        acme = Story(stack).location(daily_recipient_limit=limit)
        self.ann: UserInStory = acme.user()
        self.ann.connect()
        self.lea: ContactInStory = acme.contact("Lea", f"{unique('lea')}@lead.example")
        self.ids: list[str] = []

    def sends(self, count: int) -> None:
        self.ids += [self.ann.send(self.lea, f"Ours {number}")["id"] for number in range(count)]

    def owner_writes_in_gmail(self, count: int) -> None:
        for number in range(count):
            self.ann.writes_in_gmail("somebody@elsewhere.example", f"Own {number}")

    def until_used(self, count: int) -> None:
        eventually(
            lambda: self.ann.account()["sends"]["used_24h"] == count, f"{count} are counted", patience_s=900
        )

    def ours(self) -> list[dict[str, Any]]:
        """Our mails as they stand, in the order in which they were handed over."""
        by_id = {message["id"]: message for message in self.lea.in_conversation()}
        return [by_id[message_id] for message_id in self.ids]

    def waiting(self) -> list[dict[str, Any]]:
        return [m for m in self.ours() if m["status"] == "waiting_for_limit" and m["leaves_at"]]

    def sent(self) -> list[dict[str, Any]]:
        """All of ours, once they have left."""

        def found() -> list[dict[str, Any]] | None:
            ours = self.ours()
            return ours if {message["status"] for message in ours} == {"sent"} else None

        # The last one is asked for first, since all of them are pages of an answer.
        last = f"/v1/messages/{self.ids[-1]}"
        patience_s = self.window.total_seconds() + 240
        eventually(
            lambda: self.ann.api.get(last)["status"] == "sent", "the last is sent", patience_s=patience_s
        )
        return eventually(found, "all of ours are sent", patience_s=240)

    def left(self) -> list[datetime]:
        """When anything left the mailbox, by Gmail's clock."""
        return sorted(
            datetime.fromtimestamp(m["internal_date"] / 1000, UTC)
            for m in self.ann.gmail.messages(self.ann.mailbox)
            if "SENT" in m["labels"]
        )

    def assert_limit_kept(self, sent: list[dict[str, Any]]) -> None:
        """When a mail of ours left, the window held no more than the limit, the owner's own included."""
        left = self.left()
        for message in sent:
            at = moment(message["sent_at"])
            inside = [other for other in left if at - self.window + CLOCKS < other <= at]
            assert len(inside) <= self.limit

    def assert_once_each(self) -> None:
        counted = Counter(
            m["subject"]
            for m in self.ann.gmail.messages(self.ann.mailbox)
            if m["subject"].startswith("Ours") and "SENT" in m["labels"]
        )
        assert counted == Counter({f"Ours {number}": 1 for number in range(len(self.ids))})
        assert len(self.ann.gmail.outbox(self.lea.email)) == len(self.ids)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.timeout(600)
def test_s26_mail_over_the_limit_waits_and_leaves_by_itself(fresh_stack: Callable[..., Stack]) -> None:
    stack = fresh_stack(settings={"SEND_LIMIT_WINDOW_S": "20", "GMAIL_UNITS_PER_MINUTE": "1000000"})
    box = Mailbox(stack, limit=10, window_s=20)
    box.owner_writes_in_gmail(4)
    box.until_used(4)
    box.sends(12)
    eventually(box.waiting, "mail over the limit waits")
    estimates = {message["id"]: moment(message["leaves_at"]) for message in box.waiting()}
    sent = box.sent()
    for message in sent:
        if message["id"] in estimates:
            assert moment(message["sent_at"]) >= estimates[message["id"]] - CLOCKS
    box.assert_limit_kept(sent)
    box.assert_once_each()


@pytest.mark.soak
def test_s26_six_hundred_mails_against_five_hundred(fresh_stack: Callable[..., Stack]) -> None:
    more_than_the_limit(fresh_stack, limit=500, over=100, meanwhile=50)


def more_than_the_limit(
    fresh_stack: Callable[..., Stack], *, limit: int, over: int, meanwhile: int, window_s: float = AGES_S
) -> None:
    """As many as the limit leave, `over` wait; the owner sends `meanwhile` in Gmail, and they wait for longer."""
    stack = fresh_stack(settings={"SEND_LIMIT_WINDOW_S": str(window_s), "GMAIL_UNITS_PER_MINUTE": "1000000"})
    box = Mailbox(stack, limit=limit, window_s=window_s)
    started = datetime.now(UTC)
    box.sends(limit + over)
    box.until_used(limit)
    eventually(lambda: len(box.waiting()) == over, "the rest waits", patience_s=240)
    box.owner_writes_in_gmail(meanwhile)
    box.until_used(limit + meanwhile)
    at = [moment(m["leaves_at"]) for m in box.waiting()]
    grown_old = box.left()[meanwhile : meanwhile + over]
    assert datetime.now(UTC) < started + box.window, "too slow a machine: the first ones are old already"
    assert len(at) == over
    for leaves_at, old in zip(at, grown_old, strict=True):
        assert abs(leaves_at - (old + box.window)) < CLOCKS
    sent = box.sent()
    late = [moment(m["sent_at"]) - leaves_at for m, leaves_at in zip(sent[-over:], at, strict=True)]
    print(f"left {min(late)} to {max(late)} after the time that was told")
    assert min(late) >= -CLOCKS
    for earlier, later in itertools.pairwise(sent[-over:]):
        # Those that get their places together leave together, each by its own workflow.
        assert moment(earlier["sent_at"]) <= moment(later["sent_at"]) + TOGETHER
    box.assert_limit_kept(sent)
    box.assert_once_each()
