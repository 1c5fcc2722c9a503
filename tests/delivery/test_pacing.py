"""The pace of mail to one domain."""

from __future__ import annotations

from itertools import pairwise

from delivery.pacing import BURST_S, DomainPace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def mails_within(pace: DomainPace, clock: Clock, domain: str, seconds: float) -> int:
    """How many leave when each is asked for as soon as it may be."""
    end, count = clock.now + seconds, 0
    while clock.now <= end:
        wait = pace.wait_for("mx", domain)
        if wait == 0:
            count += 1
        else:
            clock.now += wait + 1e-6
    return count


def test_a_domain_gets_no_more_than_its_rate_after_a_short_burst() -> None:
    clock = Clock()
    pace = DomainPace(60, clock)
    count = mails_within(pace, clock, "a.example", 120)
    assert 120 <= count <= 120 + BURST_S + 1


def test_another_domain_and_another_provider_have_a_pace_of_their_own() -> None:
    clock = Clock()
    pace = DomainPace(6, clock)
    assert pace.wait_for("mx", "a.example") == 0
    assert pace.wait_for("mx", "a.example") > 0
    assert pace.wait_for("mx", "b.example") == 0
    assert pace.wait_for("other", "a.example") == 0


def test_asking_too_early_takes_no_place() -> None:
    clock = Clock()
    pace = DomainPace(6, clock)
    pace.wait_for("mx", "a.example")
    first = pace.wait_for("mx", "a.example")
    assert pace.wait_for("mx", "a.example") == first
    clock.now += first
    assert pace.wait_for("mx", "a.example") == 0


def test_a_thousand_quiet_domains_are_forgotten() -> None:
    clock = Clock()
    pace = DomainPace(600, clock)
    for number in range(30_000):
        clock.now += 0.01
        pace.wait_for("mx", f"d{number}.example")
    assert len(pace._next) <= 10_001


def test_each_of_many_who_wait_is_told_a_time_of_its_own_and_finds_its_place_then() -> None:
    clock = Clock()
    pace = DomainPace(6, clock)
    assert pace.turn("mx", "a.example") == 0
    dues = [clock.now + pace.turn("mx", "a.example") for _ in range(20)]
    assert [later - earlier for earlier, later in pairwise(dues)] == [10.0] * 19
    for due in dues:
        clock.now = due + 0.5
        assert pace.turn("mx", "a.example") == 0
