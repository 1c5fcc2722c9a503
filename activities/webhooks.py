"""One round of deliveries to a webhook endpoint, in order, until it has been told all or does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from temporalio import activity

from crm import webhooks
from crm.ledger import Limits
from crm.webhooks import Waiting
from delivery.webhooks import GONE, ConsumerFailed, WebhookSender, sign
from models.columns import now
from storage.database import Database
from storage.encryption import DecryptionError, Vault
from workflows.values import WebhookInput, WebhookStep

log = structlog.get_logger("webhooks")

AT_ONCE = 50
"""Events that are read together; how far the endpoint has been told is written down after each."""
ROUND_S = 20.0


class Webhooks:
    """The activity of WebhookWorkflow. Async: a consumer that is slow costs a waiting task and no thread."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        sender: WebhookSender,
        limits: Limits,
        first_pause: timedelta,
    ) -> None:
        self._database = database
        self._vault = vault
        self._sender = sender
        self._limits = limits
        self._first_pause = first_pause

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.deliver_events]

    @activity.defn
    async def deliver_events(self, value: WebhookInput) -> WebhookStep:
        """Tell the endpoint what it has not been told."""
        delivered, ends_at = 0, time.monotonic() + ROUND_S
        while True:
            waiting = await asyncio.to_thread(self._waiting, value.endpoint_id)
            if waiting is None:
                return WebhookStep(kind="done", delivered=delivered)
            if waiting.not_before is not None and waiting.not_before > now():
                return _later(waiting.not_before, delivered)
            try:
                secret = self._vault.decrypt(waiting.secret_encrypted)
            except DecryptionError as error:
                failure = ConsumerFailed(str(error))
                return await self._failed(value, waiting.documents[0][0], failure, delivered)
            for seq, document in waiting.documents:
                activity.heartbeat(delivered)
                try:
                    await self._sender.post(waiting.url, sign(document, secret))
                except ConsumerFailed as error:
                    return await self._failed(value, seq, error, delivered)
                delivered += 1
                await asyncio.to_thread(self._took, value.endpoint_id, seq)
                if time.monotonic() > ends_at:
                    return WebhookStep(kind="more", delivered=delivered)
            await asyncio.to_thread(self._took, value.endpoint_id, waiting.up_to)
            if not waiting.more:
                return WebhookStep(kind="done", delivered=delivered)

    async def _failed(
        self, value: WebhookInput, seq: int, error: ConsumerFailed, delivered: int
    ) -> WebhookStep:
        until = await asyncio.to_thread(self._write_failure, value.endpoint_id, seq, error)
        log.info("webhook_failed", endpoint=value.endpoint_id, status=error.status, disabled=until is None)
        return _later(until, delivered) if until else WebhookStep(kind="done", delivered=delivered)

    def _waiting(self, endpoint_id: str) -> Waiting | None:
        with self._database.session() as session:
            return webhooks.waiting(session, endpoint_id, self._limits, AT_ONCE)

    def _took(self, endpoint_id: str, up_to: int) -> None:
        with self._database.session() as session:
            webhooks.took(session, endpoint_id, up_to)

    def _write_failure(self, endpoint_id: str, seq: int, error: ConsumerFailed) -> datetime | None:
        asked = timedelta(seconds=error.retry_after_s) if error.retry_after_s is not None else None
        with self._database.session() as session:
            return webhooks.failed(
                session,
                endpoint_id,
                seq,
                str(error),
                first_pause=self._first_pause,
                not_before=asked,
                gone=error.status == GONE,
            )


def _later(until: datetime, delivered: int) -> WebhookStep:
    return WebhookStep(kind="wait", until=until, why="the consumer did not take it", delivered=delivered)
