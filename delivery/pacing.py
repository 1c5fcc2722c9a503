"""How fast mail goes to one domain: a steady rate, with room for a short burst."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BURST_S = 10.0
"""So many seconds' worth may go at once."""


class DomainPace:
    """The pace of one process, over all its campaigns, or all its other mail. Thread-safe.

    Holds two numbers for each busy domain.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = 60.0 / per_minute
        self._burst_s = max(BURST_S, self._every_s)
        self._clock = clock
        self._next: dict[tuple[str, str], float] = {}
        self._line: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def wait_for(self, provider: str, domain: str) -> float:
        """Take the next place at a domain: 0 where it may go now, else seconds until it may be asked for again."""
        with self._lock:
            moment = self._clock()
            due = max(self._next.get((provider, domain), 0.0), moment - self._burst_s + self._every_s)
            if due > moment:
                return due - moment
            self._next[(provider, domain)] = due + self._every_s
            if len(self._next) > 10_000:
                self._forget(moment)
            return 0.0

    def turn(self, provider: str, domain: str) -> float:
        """As `wait_for`, for many who ask one by one: each that has to wait is told a time behind the others."""
        pause = self.wait_for(provider, domain)
        if pause == 0.0:
            return 0.0
        with self._lock:
            moment = self._clock()
            due = max(self._line.get((provider, domain), 0.0), moment + pause)
            self._line[(provider, domain)] = due + self._every_s
            return due - moment

    def _forget(self, moment: float) -> None:
        self._next = {key: due for key, due in self._next.items() if due > moment - self._burst_s}
        self._line = {key: due for key, due in self._line.items() if due > moment}
