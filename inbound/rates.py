"""How many of something came in the last minute, for each peer and each address."""

from __future__ import annotations

import ipaddress
import time
from collections import defaultdict, deque
from collections.abc import Callable

MINUTE_S = 60.0
MOST_NAMES = 10_000
"""Above so many, those who were silent for a minute are forgotten."""


class PerMinute:
    """Counts in a window that slides."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    @property
    def remembered(self) -> int:
        """How many names it knows."""
        return len(self._seen)

    def too_many(self, whose: str) -> bool:
        """Count one more, unless the limit is reached."""
        now = self._clock()
        times = self._seen[whose]
        while times and times[0] <= now - MINUTE_S:
            times.popleft()
        if len(times) >= self._limit:
            return True
        times.append(now)
        if len(self._seen) > MOST_NAMES:
            self._seen = defaultdict(
                deque, {name: seen for name, seen in self._seen.items() if seen[-1] > now - MINUTE_S}
            )
        return False


def peer_of(address: str) -> str:
    """Whom limits count: an IPv4 address, or the /64 that one subscriber of IPv6 has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
