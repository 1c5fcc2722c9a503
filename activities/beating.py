"""Heartbeats for activities that may take long: one thread beats for all that run in this process.

A killed worker's activities go to another after the heartbeat timeout, however slow a single call to Gmail is; an
activity of less than `EVERY_S` never beats, and so costs no action.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from temporalio import activity

EVERY_S = 3.0


class _Heart:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, contextvars.Context] = {}
        self._thread: threading.Thread | None = None
        self._next = 0

    def add(self, context: contextvars.Context) -> int:
        with self._lock:
            self._next += 1
            self._running[self._next] = context
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="heartbeats", daemon=True)
                self._thread.start()
            return self._next

    def remove(self, number: int) -> None:
        with self._lock:
            self._running.pop(number, None)

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_S):
            with self._lock:
                contexts = list(self._running.values())
            for context in contexts:
                context.run(activity.heartbeat)


_heart = _Heart()


@contextmanager
def beating() -> Iterator[None]:
    """Beat while the block runs; outside of an activity nothing happens."""
    if not activity.in_activity():
        yield
        return
    number = _heart.add(contextvars.copy_context())
    try:
        yield
    finally:
        _heart.remove(number)


@asynccontextmanager
async def beating_alongside() -> AsyncIterator[None]:
    """`beating`, for an activity that runs in the event loop."""
    if not activity.in_activity():
        yield
        return

    async def beat() -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            activity.heartbeat()

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
