"""The budget of one mailbox: units a minute and requests in flight, with interactive work first.

Gmail counts units per project and mailbox, and requests in flight per mailbox over all programs. What a call
costs is the table of "Usage limits" of the Gmail API as of May 2026; the format of a get makes no difference.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil, inf
from typing import Protocol

from gmail.errors import Throttled, ThrottleScope

UNITS: dict[str, int] = {
    "getProfile": 1,
    "history.list": 2,
    "messages.list": 5,
    "messages.get": 20,
    "messages.modify": 5,
    "attachments.get": 20,
    "threads.get": 40,
    "drafts.create": 10,
    "drafts.list": 5,
    "drafts.get": 20,
    "drafts.delete": 10,
    "drafts.send": 100,
    "sendAs.list": 1,
    "watch": 100,
    "stop": 50,
}

WINDOW_S = 60.0
GRAIN_S = 0.25
"""Spending is kept per quarter of a second, so that a mailbox's record stays small."""
LONGEST_PAUSE_S = 24 * 3600.0
QUIET_S = 0.08
"""Longer than the pauses between the calls of one push."""
LONGEST_WAY_S = 0.3
"""A catch-up call waits for pushes of other mailboxes no longer than this: it slows down, and never stands still."""
SWEEP_FROM = 1000
"""From this many mailboxes on, idle ones are forgotten."""


class Priority(IntEnum):
    """Who goes first; a lower number does."""

    INTERACTIVE = 0
    SYNC = 1
    CATCH_UP = 2


RESERVED = {Priority.INTERACTIVE: 0.0, Priority.SYNC: 0.05, Priority.CATCH_UP: 0.2}
"""The share of a minute's units that each priority leaves to the ones before it."""


class Budget(Protocol):
    """Shared by all calls of a mailbox; the key is the Gmail address, not the account."""

    def acquire(self, mailbox: str, units: int, priority: Priority) -> None:
        """Waits for a place in flight and for units.

        Raises:
            Throttled: the wait would be too long to spend it here; `retry_after` says how long.
        """

    def release(self, mailbox: str) -> None:
        """Gives the place in flight back; the units are spent."""

    def throttled(self, mailbox: str, seconds: float, scope: ThrottleScope) -> None:
        """Google asked for a pause: nothing of the mailbox (or project) is sent before it is over."""


class _Waiter:
    """A call that waits for its turn; woken when it comes first and something was given back."""

    __slots__ = ("woken",)

    def __init__(self) -> None:
        self.woken = threading.Event()


@dataclass(slots=True)
class _Mailbox:
    lock: threading.Lock = field(default_factory=threading.Lock)
    spent: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0
    """The sum of `spent`."""
    in_flight: int = 0
    waiting: tuple[deque[_Waiter], ...] = field(default_factory=lambda: tuple(deque() for _ in Priority))
    """By priority, the one that came first in front."""
    blocked_until: float = -inf

    def idle(self, now: float) -> bool:
        """Nothing here would be missed."""
        spent = self.spent[-1][0] if self.spent else -inf
        busy = self.in_flight or any(self.waiting)
        return not busy and max(spent + WINDOW_S, self.blocked_until) < now

    def is_next(self, waiter: _Waiter, priority: Priority) -> bool:
        return not any(self.waiting[:priority]) and self.waiting[priority][0] is waiter

    def wake_next(self) -> None:
        """Only the one whose turn it is: waking all would cost each call a switch for every thread that waits."""
        first = next((queue[0] for queue in self.waiting if queue), None)
        if first is not None:
            first.woken.set()


class LocalBudget:
    """The budget within one process.

    Counts units over a sliding minute instead of a token bucket: a bucket that holds a minute's units lets
    nearly two minutes' worth through in its first minute.

    Args:
        patience_s: the longest wait inside `acquire`; longer ones are raised as Throttled.
    """

    def __init__(
        self,
        units_per_minute: int = 6000,
        requests_in_flight: int = 5,
        patience_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units_per_minute = units_per_minute
        self._requests_in_flight = requests_in_flight
        self._patience_s = patience_s
        self._clock = clock
        self._table = threading.Lock()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._project_blocked_until = -inf
        self._sweep_at = SWEEP_FROM
        self._urgent_at = -inf

    def acquire(self, mailbox: str, units: int, priority: Priority) -> None:
        """See `Budget.acquire`."""
        self._give_way(priority)
        waiter = _Waiter()
        state = self._enter(mailbox, priority, waiter)
        try:
            self._wait_for_turn(state, waiter, mailbox, units, priority)
        finally:
            with state.lock:
                state.waiting[priority].remove(waiter)
                if state.in_flight < self._requests_in_flight:
                    state.wake_next()

    def _give_way(self, priority: Priority) -> None:
        """Catch-up waits while mailboxes are served that somebody waits for: within a process they share a core."""
        now = time.monotonic()
        if priority is not Priority.CATCH_UP:
            self._urgent_at = now
            return
        deadline = now + LONGEST_WAY_S
        while (wait := min(self._urgent_at + QUIET_S, deadline) - time.monotonic()) > 0:
            time.sleep(wait)

    def release(self, mailbox: str) -> None:
        """See `Budget.release`."""
        state = self._mailboxes[mailbox]
        with state.lock:
            state.in_flight -= 1
            state.wake_next()

    def throttled(self, mailbox: str, seconds: float, scope: ThrottleScope) -> None:
        """See `Budget.throttled`. A limit on sending stops no reading, so it is the sender's to obey."""
        until = self._clock() + min(seconds, LONGEST_PAUSE_S)
        if scope in (ThrottleScope.PROJECT, ThrottleScope.PROJECT_DAY):
            self._project_blocked_until = max(self._project_blocked_until, until)
        elif scope is not ThrottleScope.SENDING:
            with self._table:
                state = self._mailboxes.setdefault(mailbox, _Mailbox())
            with state.lock:
                state.blocked_until = max(state.blocked_until, until)

    def _enter(self, mailbox: str, priority: Priority, waiter: _Waiter) -> _Mailbox:
        """The mailbox's state with the waiter in it, so that it is not dropped as idle meanwhile."""
        with self._table:
            if mailbox not in self._mailboxes and len(self._mailboxes) >= self._sweep_at:
                self._drop_idle()
            state = self._mailboxes.setdefault(mailbox, _Mailbox())
            with state.lock:
                state.waiting[priority].append(waiter)
            return state

    def _drop_idle(self) -> None:
        now = self._clock()
        self._mailboxes = {name: state for name, state in self._mailboxes.items() if not state.idle(now)}
        self._sweep_at = max(SWEEP_FROM, 2 * len(self._mailboxes))

    def _wait_for_turn(
        self, state: _Mailbox, waiter: _Waiter, mailbox: str, units: int, priority: Priority
    ) -> None:
        """Takes the place in flight and the units; in order, so that no thread is passed over for ever."""
        deadline = self._clock() + self._patience_s
        while True:
            with state.lock:
                waiter.woken.clear()
                wait = self._wait(state, waiter, units, priority)
                if wait <= 0:
                    state.in_flight += 1
                    self._spend(state, units)
                    return
            left = deadline - self._clock()
            if left <= 0 or left < wait < inf:
                raise Throttled(
                    "Our own budget for this mailbox is used up for now.",
                    mailbox=mailbox,
                    retry_after=wait if wait < inf else 1.0,
                    scope=ThrottleScope.OWN_BUDGET,
                )
            waiter.woken.wait(min(wait, left))

    def _wait(self, state: _Mailbox, waiter: _Waiter, units: int, priority: Priority) -> float:
        """Seconds until this call might go: 0 for now, infinity for "when another one ends"."""
        now = self._clock()
        blocked = max(state.blocked_until, self._project_blocked_until) - now
        if blocked > 0:
            return blocked
        if state.in_flight >= self._requests_in_flight or not state.is_next(waiter, priority):
            return inf
        while state.spent and state.spent[0][0] <= now - WINDOW_S:
            state.total -= state.spent.popleft()[1]
        allowed = self._units_per_minute * (1 - RESERVED[priority])
        over = state.total + units - max(allowed, units)
        if over <= 0:
            return 0.0
        for at, spent in state.spent:
            over -= spent
            if over <= 0:
                return max(at + WINDOW_S - now, GRAIN_S)
        return GRAIN_S

    def _spend(self, state: _Mailbox, units: int) -> None:
        at = ceil(self._clock() / GRAIN_S) * GRAIN_S
        state.total += units
        if state.spent and state.spent[-1][0] == at:
            units += state.spent.pop()[1]
        state.spent.append((at, units))
