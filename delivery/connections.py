"""Connections to SMTP providers that wait for the next mail, so that not every mail dials and logs in anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from delivery.smtp import Provider, SmtpConnection

MOST_IDLE = 16
IDLE_S = 60.0
"""Providers hang up on silent clients after some minutes (RFC 5321 4.5.3.2.7: five)."""


class Connections:
    """Of one process, to any number of providers. Thread-safe; a connection serves one mail at a time.

    Args:
        local_hostname: what we call ourselves.
    """

    def __init__(
        self, local_hostname: str = "localhost", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._local_hostname = local_hostname
        self._clock = clock
        self._idle: list[tuple[float, Provider, SmtpConnection]] = []
        self._lock = threading.Lock()

    @contextmanager
    def to(self, provider: Provider) -> Iterator[SmtpConnection]:
        """A connection for one mail; one that waited is asked first whether it is still there."""
        connection = self._take(provider) or SmtpConnection(
            provider, local_hostname=self._local_hostname, checked_after_s=0.0
        )
        try:
            yield connection
        finally:
            self._give_back(provider, connection)

    def close(self) -> None:
        """Hang up on all that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, _, connection in idle:
            connection.close()

    def _take(self, provider: Provider) -> SmtpConnection | None:
        with self._lock:
            for place in reversed(range(len(self._idle))):
                if self._idle[place][1] == provider:
                    return self._idle.pop(place)[2]
        return None

    def _give_back(self, provider: Provider, connection: SmtpConnection) -> None:
        moment = self._clock()
        with self._lock:
            if connection.is_open:
                self._idle.append((moment, provider, connection))
            kept = [one for one in self._idle[-MOST_IDLE:] if one[0] > moment - IDLE_S]
            surplus = [one for one in self._idle if one not in kept]
            self._idle = kept
        for _, _, unused in surplus:
            unused.close()
