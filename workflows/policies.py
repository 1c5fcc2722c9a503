"""How long steps may take, how they are tried again, and who goes first: named constants with their reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio.common import Priority, RetryPolicy, SearchAttributeKey

STEP_TIMEOUT = timedelta(seconds=60)
"""Of a step of some calls: connect, watch, disconnect."""

PAGE_TIMEOUT = timedelta(minutes=10)
"""Of one round of mail; a round stops by itself after about a minute, so this is only for a stuck one."""

HEARTBEAT = timedelta(seconds=10)
"""A worker that died is noticed after this long; activities beat every 3 s by themselves."""

STEP_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=3,
)
"""For what no step answers itself: a lost worker, the database away. After that the workflow waits."""

PATIENT_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
"""For steps that must happen and have nothing else to do meanwhile."""

FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 600.0
DETAILS_EVENTS = 500
"""Continue as new after about this many history events: waking a cold account replays them, 0.3 ms each."""


def growing_delay(failures: int) -> timedelta:
    """How long an account waits after so many failures in a row: 5 s, doubled each time, at most 10 minutes."""
    return timedelta(seconds=min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(max(failures, 1) - 1, 20)))


Priorities = Callable[[str | None], Priority]
"""Who goes first, within a location's fair share."""


def user_waits(location_id: str | None) -> Priority:
    """Somebody looks at the screen: connect, disconnect, switch, sync now."""
    return Priority(priority_key=1, fairness_key=location_id)


def new_mail(location_id: str | None) -> Priority:
    """A push said that mail is there."""
    return Priority(priority_key=2, fairness_key=location_id)


def upkeep(location_id: str | None) -> Priority:
    """Watch renewal, checks."""
    return Priority(priority_key=4, fairness_key=location_id)


def catch_up(location_id: str | None) -> Priority:
    """Long gaps, in rounds; a location's gap delays no other location."""
    return Priority(priority_key=5, fairness_key=location_id)


ACCOUNT_STATE = SearchAttributeKey.for_keyword("AccountState")
LOCATION_ID = SearchAttributeKey.for_keyword("LocationId")
STATE_REASON = SearchAttributeKey.for_keyword("StateReason")
NEXT_ACTION = SearchAttributeKey.for_keyword("NextAction")
NEXT_ACTION_AT = SearchAttributeKey.for_datetime("NextActionAt")
SEARCH_ATTRIBUTES = (ACCOUNT_STATE, LOCATION_ID, STATE_REASON, NEXT_ACTION, NEXT_ACTION_AT)
"""Set when an account's state changes, not more often: each change is an action."""


def bulk_queue(task_queue: str) -> str:
    """Where batches of campaigns wait for a worker: a slow provider takes no place of the sync's."""
    return f"{task_queue}-bulk"


def webhook_queue(task_queue: str) -> str:
    """Where deliveries to webhook endpoints wait: a slow consumer takes no place of the sync's."""
    return f"{task_queue}-webhooks"


def later_of(first: datetime | None, second: datetime | None) -> datetime | None:
    """The later of two moments that may be unknown."""
    return max((moment for moment in (first, second) if moment is not None), default=None)


def earlier_of(*moments: datetime | None) -> datetime | None:
    """The earliest of some moments that may be unknown."""
    return min((moment for moment in moments if moment is not None), default=None)
