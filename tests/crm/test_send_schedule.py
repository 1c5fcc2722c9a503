"""S26: who may leave when, out of what has left and what waits. Pure, no database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crm.ledger import Limits, Waiting, schedule

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


def leaves(
    left: list[tuple[datetime, int]], waiting: list[int], limit: int, **more: datetime
) -> list[datetime | None]:
    mails = [Waiting(str(i), recipients) for i, recipients in enumerate(waiting)]
    return [at for _, at in schedule(left, mails, limit=limit, window=DAY, now=NOON, **more)]


def test_s26_below_the_limit_mail_leaves_now() -> None:
    assert leaves([(ago(1), 3)], [1, 1], 5) == [NOON, NOON]


def test_s26_over_the_limit_it_waits_until_the_oldest_is_a_day_old() -> None:
    assert leaves([(ago(23), 1), (ago(2), 4)], [1, 1], 5) == [ago(23) + DAY, ago(2) + DAY]


def test_s26_recipients_count_not_mails() -> None:
    assert leaves([(ago(10), 3)], [3], 5) == [ago(10) + DAY]


def test_s26_no_mail_overtakes_a_larger_one_before_it() -> None:
    assert leaves([(ago(20), 2), (ago(10), 2)], [3, 1], 4) == [ago(10) + DAY, ago(10) + DAY]


def test_s26_what_is_older_than_a_day_does_not_count() -> None:
    assert leaves([(ago(24.01), 5)], [5], 5) == [NOON]


def test_s26_more_recipients_than_the_limit_can_never_leave() -> None:
    assert leaves([], [6, 1], 5) == [None, NOON]


def test_s20_a_limit_notice_moves_every_estimate() -> None:
    later = NOON + timedelta(hours=3)
    assert leaves([], [1, 1], 5, blocked_until=later) == [later, later]


def test_s26_personal_and_workspace_addresses_have_their_own_limits() -> None:
    limits = Limits(consumer=500, workspace=2000)
    assert limits.of("ann@gmail.com", None) == 500
    assert limits.of("ann@firm.example", None) == 2000
    assert limits.of("ann@gmail.com", 40) == 40


mails = st.lists(st.integers(1, 6), max_size=12)
past = st.lists(st.tuples(st.floats(0.01, 30), st.integers(1, 6)), max_size=12)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(past, mails, st.integers(6, 12))
def test_s26_no_day_ever_holds_more_than_the_limit_and_nobody_waits_longer_than_needed(
    before: list[tuple[float, int]], waiting: list[int], limit: int
) -> None:
    # Whatever left before may be over the limit already: the owner's own mails in Gmail are not ours to stop.
    left = [(ago(hours), recipients) for hours, recipients in before]
    times = leaves(left, waiting, limit)
    assert all(a is not None and b is not None and a <= b for a, b in itertools.pairwise(times))
    gone = list(left)
    previous = NOON
    for at, recipients in zip(times, waiting, strict=True):
        assert at is not None

        def fits(
            moment: datetime, recipients: int = recipients, gone: list[tuple[datetime, int]] = gone
        ) -> bool:
            return sum(r for t, r in gone if moment - DAY < t <= moment) + recipients <= limit

        assert fits(at)
        earlier = [previous, *(t + DAY for t, _ in gone if previous < t + DAY < at)]
        assert at == previous or not any(fits(moment) for moment in earlier if moment < at)
        gone.append((at, recipients))
        previous = at
