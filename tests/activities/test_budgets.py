"""One budget of a mailbox over all processes: units, requests in flight, pauses that Google asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from activities.budgets import SLOT_MARGIN_S, SLOT_S, SharedBudget
from gmail.budget import Priority
from gmail.errors import Throttled, ThrottleScope

pytestmark = pytest.mark.servers

ANN = "ann@gmail.com"


@pytest.fixture
def processes(database: str) -> Iterator[list[SharedBudget]]:
    """Two budgets that share nothing but the database."""
    made = [SharedBudget(database, units_per_minute=1000, requests_in_flight=5) for _ in range(2)]
    yield made
    for one in made:
        one.close()


def spend(budget: SharedBudget, units: int, priority: Priority = Priority.INTERACTIVE) -> bool:
    """Whether there were units left; used at once."""
    try:
        budget.acquire(ANN, units, priority)
    except Throttled:
        return False
    budget.release(ANN)
    return True


def test_units_are_counted_over_all_processes(processes: list[SharedBudget]) -> None:
    spent = 0
    for number in range(200):
        if not spend(processes[number % 2], 20):
            break
        spent += 20
    assert 600 <= spent <= 1000, "together never more than a minute's units; leases hold some back"
    with pytest.raises(Throttled) as refused:
        processes[0].acquire(ANN, 500, Priority.INTERACTIVE)
    assert refused.value.scope is ThrottleScope.OWN_BUDGET
    assert 5 < (refused.value.retry_after or 0) <= 120


def test_catch_up_leaves_units_to_who_is_waited_for(processes: list[SharedBudget]) -> None:
    while spend(processes[0], 20, Priority.CATCH_UP):
        pass
    assert spend(processes[0], 100, Priority.INTERACTIVE)


def test_five_requests_in_flight_over_all_processes(processes: list[SharedBudget]) -> None:
    for number in range(5):
        processes[number % 2].acquire(ANN, 1, Priority.SYNC)
    gone = threading.Event()

    def sixth() -> None:
        processes[1].acquire(ANN, 1, Priority.SYNC)
        gone.set()

    waiting = threading.Thread(target=sixth)
    waiting.start()
    assert not gone.wait(0.5)
    processes[1].release(ANN)
    assert gone.wait(10)
    waiting.join()


def test_what_a_dead_process_held_comes_back(processes: list[SharedBudget]) -> None:
    for _ in range(5):
        processes[0].acquire(ANN, 1, Priority.SYNC)
    start = time.monotonic()
    processes[1].acquire(ANN, 1, Priority.SYNC)
    assert time.monotonic() - start < 5


def test_a_process_goes_on_with_the_places_that_it_has(database: str) -> None:
    clock = [1000.0]
    alone = SharedBudget(database, units_per_minute=1000, requests_in_flight=5, clock=lambda: clock[0])
    for _ in range(5):
        alone.acquire(ANN, 1, Priority.SYNC)
    for _ in range(5):
        alone.release(ANN)
    clock[0] += SLOT_S - SLOT_MARGIN_S
    start = time.monotonic()
    for _ in range(5):
        alone.acquire(ANN, 1, Priority.SYNC)
    assert time.monotonic() - start < SLOT_S / 2, "it would have waited until its own leases lapsed"
    alone.close()


def test_who_holds_all_places_gives_some_up_for_who_waits(processes: list[SharedBudget]) -> None:
    served, all_taken = threading.Event(), threading.Barrier(6)

    def catch_up() -> None:
        processes[0].acquire(ANN, 0, Priority.CATCH_UP)
        all_taken.wait(30)
        processes[0].release(ANN)
        while not served.is_set():
            with suppress(Throttled):
                processes[0].acquire(ANN, 0, Priority.CATCH_UP)
                served.wait(0.02)
                processes[0].release(ANN)

    busy = [threading.Thread(target=catch_up) for _ in range(5)]
    for thread in busy:
        thread.start()
    deadline = time.monotonic() + 60
    try:
        all_taken.wait(30)
        while not served.is_set():
            assert time.monotonic() < deadline
            with suppress(Throttled):
                processes[1].acquire(ANN, 0, Priority.INTERACTIVE)
                served.set()
    finally:
        served.set()
        for thread in busy:
            thread.join()


def test_a_pause_reaches_every_process(processes: list[SharedBudget]) -> None:
    processes[0].throttled(ANN, 900, ThrottleScope.MAILBOX)
    with pytest.raises(Throttled) as refused:
        processes[1].acquire(ANN, 1, Priority.INTERACTIVE)
    assert 880 < (refused.value.retry_after or 0) <= 900
    processes[1].acquire("bob@gmail.com", 1, Priority.INTERACTIVE)


def test_a_pause_of_the_project_is_everybodys(processes: list[SharedBudget]) -> None:
    processes[0].throttled(ANN, 900, ThrottleScope.PROJECT_DAY)
    with pytest.raises(Throttled):
        processes[1].acquire("bob@gmail.com", 1, Priority.INTERACTIVE)


def test_most_calls_cost_no_query(processes: list[SharedBudget], database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:

        def transactions() -> int:
            connection.execute("SELECT pg_stat_force_next_flush()")
            row = connection.execute(
                "SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'mailbox_budgets'"
            ).fetchone()
            return int(row[0] or 0) if row else 0

        before = transactions()
        for _ in range(40):
            assert spend(processes[0], 20)
        processes[0].close()
        assert transactions() - before < 30
