"""Timers of an account's workflow: as few as possible, since each costs an action."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


def due(moment: datetime | None) -> bool:
    """Whether a moment has come; there may be none."""
    return moment is not None and moment <= workflow.now()


class Alarms:
    """None is taken back: one that rings too early only has the next one set."""

    def __init__(self, next_due: Callable[[], datetime | None]) -> None:
        """`next_due`: when something is to be done, as far as that is known now."""
        self._next_due = next_due
        self._set: dict[datetime, asyncio.Task[None]] = {}

    def set(self) -> None:
        """A timer for what is due next, unless it is due now or another rings before it."""
        wake = self._next_due()
        if wake is None or wake <= workflow.now() or any(at <= wake for at in self._set):
            return
        self._set[wake] = asyncio.create_task(self._ring(wake))

    async def _ring(self, wake: datetime) -> None:
        delay = wake - workflow.now() + timedelta(milliseconds=1)
        await workflow.sleep(delay, summary=f"Wake at {wake:%Y-%m-%d %H:%M:%S} UTC")
        del self._set[wake]
        self.set()  # what this one was for may have been put off meanwhile
