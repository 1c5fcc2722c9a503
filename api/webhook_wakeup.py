"""Starts deliveries to webhook endpoints as events are committed; a sweep starts what this missed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.context import Context, within_deadline
from crm import webhooks
from workflows.commands import WorkflowsUnavailable

log = structlog.get_logger()
GATHER_S = 0.1
"""Events so close together cost one look and at most one signal for each endpoint."""


class WebhookWakeup:
    """Hears of a location's events and tells the workflows of those endpoints of it that want them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._locations: set[str] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._context.feed.on_event(self.heard)
        self._task = asyncio.create_task(self._run())

    def heard(self, location_id: str) -> None:
        """A location has events."""
        self._locations.add(location_id)
        self._news.set()

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        locations: set[str] | None = None  # first all: what was committed while this process was away
        while True:
            try:
                for endpoint_id in await asyncio.to_thread(self._due, locations):
                    await within_deadline(self._context.commands.deliver_webhooks(endpoint_id))
            except (SQLAlchemyError, WorkflowsUnavailable) as error:
                log.warning("webhooks_wait_for_sweep", error=type(error).__name__)
            await asyncio.sleep(GATHER_S)
            await self._news.wait()
            self._news.clear()
            locations, self._locations = self._locations, set()

    def _due(self, locations: set[str] | None) -> list[str]:
        with self._context.database.session() as session:
            return webhooks.due(session, locations)
