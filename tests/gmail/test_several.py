"""Several calls at a time, in order."""

from __future__ import annotations

import threading

import pytest

from gmail.several import several


def test_results_come_in_order_whichever_call_ends_first() -> None:
    later = threading.Event()

    def call(number: int) -> int:
        if number % 3 == 0:
            later.wait(0.002)
        return number * 10

    assert list(several(call, range(40), 5)) == [number * 10 for number in range(40)]


def test_never_more_than_asked_for_at_once_and_each_argument_once() -> None:
    lock, now_in, most, seen = threading.Lock(), 0, 0, list[int]()

    def call(number: int) -> None:
        nonlocal now_in, most
        with lock:
            now_in += 1
            most = max(most, now_in)
            seen.append(number)
        threading.Event().wait(0.001)
        with lock:
            now_in -= 1

    assert len(list(several(call, range(60), 4))) == 60
    assert most == 4
    assert sorted(seen) == list(range(60))


def test_only_a_few_are_begun_before_they_are_taken() -> None:
    begun: list[int] = []
    results = several(begun.append, range(30), 5)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert max(begun) < 5


def test_what_a_call_raises_is_raised_in_its_turn() -> None:
    def call(number: int) -> int:
        if number == 3:
            raise LookupError(number)
        return number

    results = several(call, range(10), 4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError):
        next(results)


def test_nothing_runs_for_nothing() -> None:
    assert list(several(str, [], 5)) == []
    assert list(several(str, [1], 5)) == ["1"]
