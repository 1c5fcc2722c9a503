"""A push: how soon its mail is visible, how many Temporal actions, units and bytes it costs."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.floor import running_floor
from bench.result import Result, percentile
from bench.stream import EventStream
from devstack.stack import Stack
from devstack.story import ContactInStory, Story, UserInStory, eventually, unique

SAMPLES = 60
WARM_UP = 10
ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continue as new",
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child",
}
"""What Temporal Cloud bills, by the event that shows it."""
UPKEEP_S = 2
DAYS = 10
SETTINGS = {"GMAIL_UNITS_PER_MINUTE": "100000000", "RECONCILE_INTERVAL_S": "3600"}


def measure(samples: int = SAMPLES) -> list[Result]:
    """All budgets of a push, on one stack; then those of an idle account, on another with a short day."""
    with Stack.start(settings=SETTINGS) as stack:
        story, user, lead = _people(stack)
        results = [*_latency(stack, story, user, lead, samples), _actions(stack, story, user, lead)]
        results += _units(story, user, lead)
    return [*results, _idle()]


def latency(samples: int) -> list[Result]:
    """How long a push takes, alone."""
    with Stack.start(settings=SETTINGS) as stack:
        return _latency(stack, *_people(stack), samples)


def _people(stack: Stack) -> tuple[Story, UserInStory, ContactInStory]:
    story = Story(stack)
    user = story.location().user()
    user.connect()
    return story, user, user.location.contact("Lea", f"{unique('lea')}@lead.example")


def _latency(
    stack: Stack, story: Story, user: UserInStory, lead: ContactInStory, samples: int
) -> list[Result]:
    stream = EventStream(stack.api_url, user.api.http.headers["Authorization"].removeprefix("Bearer "))
    ours: list[float] = []
    bare: list[float] = []
    with running_floor(stack.temporal_address) as floor:
        for number in range(samples + WARM_UP):
            subject = f"Latency {number}"
            before = len(story.gmail.pushes(user.mailbox))
            story.mail_from(lead.email, user.mailbox, subject)
            told = stream.told_at(subject)
            pushed = story.gmail.pushes(user.mailbox)[before]["at"]
            found = lead.message(subject)
            assert found["direction"] == "inbound"
            if number >= WARM_UP:
                ours.append(max(told - _unix(pushed), 0.0) * 1000)
                bare.append(floor.sample() * 1000)
            else:
                floor.sample()
    stream.close()
    return [
        Result.against_floor(
            f"push to visible, {name}", percentile(ours, share), "ms", percentile(bare, share), at_most=most
        )
        for name, share, most in (("p50", 0.5, 2.0), ("p99", 0.99, 4.0))
    ]


def _unix(at: Any) -> float:
    return float(at) if isinstance(at, int | float) else datetime.fromisoformat(at).timestamp()


def _actions(stack: Stack, story: Story, user: UserInStory, lead: ContactInStory) -> Result:
    """One push that tells of 50 mails."""
    _settled(stack, user.account_id)  # no look that an earlier push has left finds them before it
    story.gmail.behaviour(push_lose_rate=1.0)
    for number in range(50):
        story.mail_from(lead.email, user.mailbox, f"One of fifty {number}")
    story.gmail.behaviour(push_lose_rate=0.0)
    before = _count_actions(stack, user.account_id)
    story.gmail.publish(user.mailbox)
    lead.message("One of fifty 49")
    _settled(stack, user.account_id)
    spent = _count_actions(stack, user.account_id) - before
    return Result.bounded("Temporal actions of a push with 50 messages", spent.total(), "actions", at_most=4)


def _units(story: Story, user: UserInStory, lead: ContactInStory) -> list[Result]:
    results = []
    names = itertools.count()
    for who, sender, budget in (
        ("does not sync", "stranger@elsewhere.example", 22),
        ("syncs", lead.email, 42),
    ):
        for burst in (1, 5):
            story.gmail.clear_log()
            spent = 0.0
            for _ in range(4):
                story.gmail.behaviour(push_lose_rate=1.0)
                ids = [
                    story.mail_from(sender, user.mailbox, f"Units {next(names)}")[user.mailbox]
                    for _ in range(burst)
                ]
                story.gmail.behaviour(push_lose_rate=0.0)
                story.gmail.publish(user.mailbox)
                for gmail_id in ids:
                    user.decision(gmail_id)
                # Gmail tells at most once a second; pushes closer together than that are one burst to us.
                spent = eventually(lambda: _units_at_rest(story, user), "the mailbox is quiet")
            results.append(
                Result.bounded(
                    f"units of a message that {who}, {burst} a push",
                    spent / (4 * burst),
                    "units",
                    at_most=budget,
                )
            )
        if who == "does not sync":
            whole = [
                r for r in story.gmail.requests(mailbox=user.mailbox) if r.get("form") in {"raw", "full"}
            ]
            results.append(
                Result.bounded("bodies fetched of messages that do not sync", len(whole), "bodies", at_most=0)
            )
    return results


def _units_at_rest(story: Story, user: UserInStory) -> float | None:
    """The units spent, once nothing was asked for three seconds (late looks count too)."""
    before = story.gmail.usage(mailbox=user.mailbox)["units"]
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        time.sleep(0.1)
    after = story.gmail.usage(mailbox=user.mailbox)["units"]
    return float(after) if before == after else None


def _idle() -> Result:
    """Actions of one account's day: one renewal of its watch, with a day of two seconds."""
    with Stack.start(settings={"WATCH_RENEWAL_S": str(UPKEEP_S), "RECONCILE_INTERVAL_S": "3600"}) as stack:
        story = Story(stack)
        user = story.location().user()
        user.connect()
        day = f"{ACTIONS[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]} keep_up_account"

        def lived(days: int, since: Counter[str]) -> bool:
            return (_count_actions(stack, user.account_id) - since)[day] >= days

        # The first day still reads what the connection caused.
        eventually(lambda: lived(2, Counter()), "two renewals of the watch")
        _settled(stack, user.account_id)
        before = _count_actions(stack, user.account_id)
        eventually(lambda: lived(DAYS, before), f"{DAYS} more renewals of the watch")
        # From noon to noon: whole days, with the push that each renewal causes and the next day's timer.
        _settled(stack, user.account_id)
        spent = _count_actions(stack, user.account_id) - before
    return Result.bounded(
        "Temporal actions of an idle account a day", spent.total() / spent[day], "actions", at_most=3
    )


def _settled(stack: Stack, account_id: str) -> None:
    """Wait until the account's history has not grown for a second."""
    last = -1
    quiet = 0
    while quiet < 5:
        length = sum(_count_actions(stack, account_id).values())
        quiet = quiet + 1 if length == last else 0
        last = length
        time.sleep(0.25)


def _count_actions(stack: Stack, account_id: str) -> Counter[str]:
    async def count() -> Counter[str]:
        client = await Client.connect(stack.temporal_address)
        counted: Counter[str] = Counter()
        async for run in client.list_workflows(f"WorkflowId = 'account/{account_id}'"):
            handle = client.get_workflow_handle(f"account/{account_id}", run_id=run.run_id)
            async for event in handle.fetch_history_events():
                if event.event_type in ACTIONS:
                    step = event.activity_task_scheduled_event_attributes.activity_type.name
                    counted[f"{ACTIONS[event.event_type]} {step}".strip()] += 1
        return counted

    return asyncio.run(count())
