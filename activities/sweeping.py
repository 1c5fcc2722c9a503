"""What the rows say should have moved, and did not: its workflow is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity

from crm import campaigns, inbound_mails, outbound, webhooks
from models.columns import now
from storage.database import Database
from workflows.commands import Commands

log = structlog.get_logger("sweep")

LOST_AFTER = timedelta(minutes=2)
UNTOLD_AFTER = timedelta(seconds=30)
"""Events that a webhook endpoint has not been told: the API was away when they were committed."""


class Sweeping:
    """Async, since it only speaks to Temporal; what it reads of the database it reads in a thread."""

    def __init__(self, database: Database, commands: Commands) -> None:
        self._database = database
        self._commands = commands

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.restart_lost]

    @activity.defn
    async def restart_lost(self) -> int:
        """Messages and campaigns that should have left, mails that nobody filed, endpoints not told."""
        messages, inbound, lost_campaigns, endpoints = await asyncio.to_thread(self._lost)
        for message_id in messages:
            await self._commands.send_message(message_id)
        for inbound_id in inbound:
            await self._commands.file_inbound(inbound_id)
        for campaign_id in lost_campaigns:
            await self._commands.run_campaign(campaign_id)
        for endpoint_id in endpoints:
            await self._commands.deliver_webhooks(endpoint_id)
        if messages or inbound or lost_campaigns or endpoints:
            log.warning(
                "workflows_restarted",
                messages=len(messages),
                inbound=len(inbound),
                campaigns=len(lost_campaigns),
                webhook_endpoints=len(endpoints),
            )
        return len(messages) + len(inbound) + len(lost_campaigns) + len(endpoints)

    def _lost(self) -> tuple[list[str], list[str], list[str], list[str]]:
        before = now() - LOST_AFTER
        with self._database.session() as session:
            return (
                outbound.overdue(session, before),
                inbound_mails.unfiled(session, before),
                campaigns.unfinished(session, before),
                webhooks.due(session, before=now() - UNTOLD_AFTER),
            )
