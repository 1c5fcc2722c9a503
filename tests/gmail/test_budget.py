"""The budget of a mailbox."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmail.budget import LONGEST_WAY_S, QUIET_S, SWEEP_FROM, UNITS, LocalBudget, Priority
from gmail.errors import Throttled, ThrottleScope

ANN, BOB = "ann@example.com", "bob@example.com"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spend(
    budget: LocalBudget, units: int, mailbox: str = ANN, priority: Priority = Priority.INTERACTIVE
) -> None:
    budget.acquire(mailbox, units, priority)
    budget.release(mailbox)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_the_table_has_the_prices_of_2026() -> None:
    assert {
        name: UNITS[name] for name in ("messages.get", "threads.get", "drafts.get", "attachments.get")
    } == {
        "messages.get": 20,
        "threads.get": 40,
        "drafts.get": 20,
        "attachments.get": 20,
    }
    assert UNITS["drafts.create"] + UNITS["drafts.send"] == 110


def test_a_minute_has_6000_units_and_they_come_back_a_minute_later(clock: Clock) -> None:
    budget = LocalBudget(6000, patience_s=0, clock=clock)
    for _ in range(300):
        spend(budget, 20)

    with pytest.raises(Throttled) as raised:
        spend(budget, 20)
    assert raised.value.scope is ThrottleScope.OWN_BUDGET
    assert raised.value.mailbox == ANN
    assert raised.value.retry_after == pytest.approx(60, abs=1)

    clock.now += 61
    for _ in range(300):
        spend(budget, 20)


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from([1, 2, 5, 20, 40, 100]), st.sampled_from(list(Priority))),
        max_size=120,
    )
)
@settings(derandomize=True, deadline=None)
def test_no_minute_whatever_its_beginning_sees_more_than_allowed(
    steps: list[tuple[float, int, Priority]],
) -> None:
    clock = Clock()
    budget = LocalBudget(200, patience_s=0, clock=clock)
    spent: list[tuple[float, int]] = []
    waits: list[float] = []
    for pause, units, priority in steps:
        clock.now += pause
        try:
            spend(budget, units, priority=priority)
        except Throttled as error:
            waits.append(error.retry_after or 0)
        else:
            spent.append((clock.now, units))

    assert all(0 < wait <= 61 for wait in waits)

    for start, _ in spent:
        assert sum(units for at, units in spent if start <= at < start + 60) <= 200


def test_catching_up_leaves_units_for_sync_and_sync_for_people(clock: Clock) -> None:
    budget = LocalBudget(1000, patience_s=0, clock=clock)
    spent = dict.fromkeys(Priority, 0)
    for priority in (Priority.CATCH_UP, Priority.SYNC, Priority.INTERACTIVE):
        with suppress(Throttled):
            while spent[priority] < 2000:
                spend(budget, 10, priority=priority)
                spent[priority] += 10

    assert spent == {Priority.CATCH_UP: 800, Priority.SYNC: 150, Priority.INTERACTIVE: 50}


def test_i4_one_mailbox_at_its_limit_stops_no_other(clock: Clock) -> None:
    budget = LocalBudget(100, requests_in_flight=1, patience_s=0, clock=clock)
    budget.acquire(ANN, 100, Priority.SYNC)

    spend(budget, 20, BOB)
    with pytest.raises(Throttled):
        budget.acquire(ANN, 1, Priority.INTERACTIVE)


def test_a_call_dearer_than_the_whole_minute_goes_alone(clock: Clock) -> None:
    budget = LocalBudget(50, patience_s=0, clock=clock)
    spend(budget, 100, priority=Priority.CATCH_UP)
    with pytest.raises(Throttled):
        spend(budget, 100)
    clock.now += 61
    spend(budget, 100)


def test_never_more_than_five_are_in_flight() -> None:
    budget = LocalBudget(10**9, requests_in_flight=5, patience_s=30)
    lock, now_in, most = threading.Lock(), 0, 0

    def call(_: int) -> None:
        nonlocal now_in, most
        budget.acquire(ANN, 1, Priority.SYNC)
        with lock:
            now_in += 1
            most = max(most, now_in)
        threading.Event().wait(0.001)
        with lock:
            now_in -= 1
        budget.release(ANN)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, range(200)))

    assert most == 5


def test_interactive_work_goes_before_what_waits_longer() -> None:
    budget = LocalBudget(10**9, requests_in_flight=1, patience_s=30)
    budget.acquire(ANN, 1, Priority.SYNC)
    order: list[Priority] = []

    def call(priority: Priority) -> None:
        budget.acquire(ANN, 1, priority)
        order.append(priority)
        budget.release(ANN)

    threads = []
    for number, priority in enumerate([Priority.CATCH_UP, Priority.SYNC, Priority.INTERACTIVE], 1):
        threads.append(threading.Thread(target=call, args=(priority,), daemon=True))
        threads[-1].start()
        until(lambda n=number: sum(map(len, budget._mailboxes[ANN].waiting)) == n)  # type: ignore[misc]
    budget.release(ANN)
    for thread in threads:
        thread.join(30)

    assert order == [Priority.INTERACTIVE, Priority.SYNC, Priority.CATCH_UP]


def test_no_call_is_passed_over_by_those_that_come_after_it() -> None:
    budget = LocalBudget(10**9, requests_in_flight=1, patience_s=30)
    budget.acquire(ANN, 1, Priority.SYNC)
    order: list[int] = []

    def call(number: int) -> None:
        budget.acquire(ANN, 1, Priority.SYNC)
        order.append(number)
        budget.release(ANN)

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=call, args=(number,), daemon=True))
        threads[-1].start()
        until(lambda n=number: sum(map(len, budget._mailboxes[ANN].waiting)) == n + 1)  # type: ignore[misc]
    budget.release(ANN)
    for thread in threads:
        thread.join(30)

    assert order == list(range(8))


def test_googles_pause_is_obeyed_by_the_mailbox_alone(clock: Clock) -> None:
    budget = LocalBudget(patience_s=0, clock=clock)
    budget.throttled(ANN, 900, ThrottleScope.MAILBOX)
    budget.throttled(ANN, 1, ThrottleScope.CONCURRENCY)

    with pytest.raises(Throttled) as raised:
        spend(budget, 1)
    assert raised.value.retry_after == 900
    spend(budget, 1, BOB)
    clock.now += 901
    spend(budget, 1)


def test_a_limit_of_the_project_stops_all_and_one_of_sending_stops_no_reading(clock: Clock) -> None:
    budget = LocalBudget(patience_s=0, clock=clock)
    budget.throttled(ANN, 900, ThrottleScope.SENDING)
    spend(budget, 1)

    budget.throttled(ANN, 30, ThrottleScope.PROJECT)
    for mailbox in (ANN, BOB):
        with pytest.raises(Throttled):
            spend(budget, 1, mailbox)
    clock.now += 31
    spend(budget, 1, BOB)


def test_mailboxes_that_are_quiet_are_forgotten(clock: Clock) -> None:
    budget = LocalBudget(patience_s=0, clock=clock)
    budget.acquire(ANN, 1, Priority.SYNC)
    for number in range(5 * SWEEP_FROM):
        spend(budget, 1, f"user-{number}@example.com")
        clock.now += 1

    assert len(budget._mailboxes) <= 2 * SWEEP_FROM
    assert budget._mailboxes[ANN].in_flight == 1
    budget.release(ANN)


def test_catch_up_waits_while_another_mailbox_is_served_and_then_goes_on() -> None:
    budget = LocalBudget(10**9)
    budget.acquire(ANN, 1, Priority.SYNC)
    served = time.monotonic()
    budget.acquire(BOB, 1, Priority.CATCH_UP)
    assert time.monotonic() - served >= QUIET_S


def test_catch_up_never_stands_still_however_many_pushes_come() -> None:
    budget = LocalBudget(10**9)
    over = threading.Event()

    def pushes() -> None:
        while not over.wait(QUIET_S / 10):
            budget.acquire(ANN, 1, Priority.SYNC)
            budget.release(ANN)

    budget.acquire(ANN, 1, Priority.SYNC)
    thread = threading.Thread(target=pushes, daemon=True)
    thread.start()
    waited = time.monotonic()
    budget.acquire(BOB, 1, Priority.CATCH_UP)
    waited = time.monotonic() - waited
    over.set()
    thread.join(30)
    assert LONGEST_WAY_S <= waited < 10 * LONGEST_WAY_S
