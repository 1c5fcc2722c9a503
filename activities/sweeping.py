"""What the rows say should have moved, and did not: its workflow is started again. Blobs of erased mail go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity

from activities.beating import beating, beating_alongside
from crm import (
    campaigns,
    erasure,
    expiry,
    inbound_mails,
    ledger,
    outbound,
    read_state,
    review_views,
    webhooks,
)
from models.columns import now
from storage.blobs import Blobs, BlobStoreAway
from storage.database import Database
from workflows.commands import Commands

log = structlog.get_logger("sweep")

LOST_AFTER = timedelta(minutes=2)
UNTOLD_AFTER = timedelta(seconds=30)
"""Events that a webhook endpoint has not been told, marks that Gmail has not: we were away after the commit."""


class Sweeping:
    """Starts what lost its workflow, and removes what has had its time."""

    def __init__(self, database: Database, commands: Commands, blobs: Blobs) -> None:
        self._database = database
        self._commands = commands
        self._blobs = blobs

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.restart_lost, self.forget_expired]

    @activity.defn
    async def restart_lost(self) -> int:
        """Mail and campaigns that should have left, mails that nobody filed, endpoints not told, reviews, marks."""
        async with beating_alongside():
            return await self._restart_lost()

    async def _restart_lost(self) -> int:
        lost = await asyncio.to_thread(self._lost)
        for message_id in lost.messages:
            await self._commands.send_message(message_id)
        for inbound_id in lost.inbound:
            await self._commands.file_inbound(inbound_id)
        for campaign_id in lost.campaigns:
            await self._commands.run_campaign(campaign_id)
        for endpoint_id in lost.webhook_endpoints:
            await self._commands.deliver_webhooks(endpoint_id)
        for review_id in lost.reviews:
            await self._commands.run_review(review_id)
        for message_id in lost.marks:
            await self._commands.follow_mark(message_id)
        for account_id in lost.uncounted:
            await self._commands.count_sent(account_id)
        if lost.number:
            log.warning("workflows_restarted", **{name: len(ids) for name, ids in asdict(lost).items()})
        await asyncio.to_thread(self._remove_doomed)
        return lost.number

    @activity.defn
    def forget_expired(self) -> int:
        """Answers to repeated requests, sign-ins and consents that are of no use any more."""
        with beating(), self._database.session() as session:
            return expiry.forget_expired(session)

    def _lost(self) -> _Lost:
        before = now() - LOST_AFTER
        with self._database.session() as session:
            return _Lost(
                outbound.overdue(session, before),
                inbound_mails.unfiled(session, before),
                campaigns.unfinished(session, before),
                webhooks.due(session, before=now() - UNTOLD_AFTER),
                review_views.unread(session, before),
                read_state.unfollowed(session, now() - UNTOLD_AFTER),
                ledger.uncounted(session),
            )

    def _remove_doomed(self) -> None:
        """Blobs of erased mail whose removal was cut short (S29); where the store fails, the next sweep tries."""
        try:
            with self._database.session() as session:
                keys = erasure.doomed(session, before=now() - LOST_AFTER)
                if keys:
                    self._blobs.delete(keys)
                    erasure.forget(session, keys)
                    log.warning("doomed_blobs_removed", blobs=len(keys))
        except BlobStoreAway as error:
            log.error("doomed_blobs_stay", error=type(error.__cause__).__name__)


@dataclass(frozen=True, slots=True)
class _Lost:
    """Ids of what should have moved."""

    messages: list[str]
    inbound: list[str]
    campaigns: list[str]
    webhook_endpoints: list[str]
    reviews: list[str]
    marks: list[str]
    uncounted: list[str]

    @property
    def number(self) -> int:
        return sum(len(ids) for ids in asdict(self).values())
