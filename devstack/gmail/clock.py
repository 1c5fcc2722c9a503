"""The emulator's clock, which tests may move."""

from __future__ import annotations

import time


class Clock:
    """Wall clock with an offset in seconds."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch, moved by the offset."""
        return time.time() + self.offset

    def now_ms(self) -> int:
        """Milliseconds since the epoch, moved by the offset."""
        return int(self.now() * 1000)
