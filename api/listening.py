"""Hears of committed events: one LISTEN connection for each process, however many streams are open."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import structlog

from crm.events import ACCOUNT_CHANNEL, CHANNEL

log = structlog.get_logger()
RECONNECT_S = 1.0
CHECK_S = 20.0


class EventFeed:
    """Wakes those who wait for events of a location. The events themselves are read from the table."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._on_event: list[Callable[[str], None]] = []
        self._on_account: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to listen; where the database is away, try until it is back."""
        self._task = asyncio.create_task(self._listen())

    def on_event(self, call: Callable[[str], None]) -> None:
        """Call with the location's id at each event."""
        self._on_event.append(call)

    def on_account(self, call: Callable[[], None]) -> None:
        """Call whenever the state of an account has changed, or may have."""
        self._on_account.append(call)

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def subscribed(self, location_id: str) -> AsyncIterator[asyncio.Event]:
        """An asyncio.Event that is set whenever the location has news; the reader clears it."""
        news = asyncio.Event()
        self._waiting[location_id].add(news)
        try:
            yield news
        finally:
            self._waiting[location_id].discard(news)
            if not self._waiting[location_id]:
                del self._waiting[location_id]

    def _tell(self, location_id: str) -> None:
        for call in self._on_event:
            call(location_id)
        for news in self._waiting.get(location_id, ()):
            news.set()

    def _tell_of_account(self) -> None:
        for call in self._on_account:
            call()

    def _tell_all(self) -> None:
        """Something may have been missed while nobody listened: all look."""
        self._tell_of_account()
        for location_id in list(self._waiting):
            self._tell(location_id)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5
                )
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}; LISTEN {ACCOUNT_CHANNEL}")
                    self._tell_all()
                    while True:
                        async for notice in connection.notifies(timeout=CHECK_S):
                            if notice.channel == ACCOUNT_CHANNEL:
                                self._tell_of_account()
                            else:
                                self._tell(notice.payload)
                        # A connection that died silently shows here.
                        await connection.execute("SELECT 1")
            except psycopg.Error as error:
                log.warning("event_feed_lost", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_S)
