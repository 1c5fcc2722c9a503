"""What the routes work with, built once for each process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Self

import anyio.from_thread
import structlog
from fastapi import Depends, Request

from api.listening import EventFeed
from crm.ledger import Limits
from crm.signing import Signer
from crm.tracking import Tracker
from gmail.config import GoogleConfig
from gmail.consent import Consent
from gmail.keys import GoogleKeys
from gmail.push import PushVerifier
from gmail.transport import Http
from settings import Settings
from storage.blobs import Blobs
from storage.database import Database
from storage.encryption import Vault
from workflows.commands import Commands, WorkflowsUnavailable
from workflows.temporal import connect

log = structlog.get_logger()
COMMAND_DEADLINE_S = 5.0
"""How long a request waits for Temporal before it answers 503."""


@dataclass
class Context:
    """Collaborators of the routes."""

    settings: Settings
    database: Database
    vault: Vault
    blobs: Blobs
    commands: Commands
    google: GoogleConfig
    http: Http
    consent: Consent
    push: PushVerifier
    feed: EventFeed

    @classmethod
    async def build(cls, settings: Settings) -> Self:
        """Build all of it; connects to nothing yet, so that the API starts while others are away.

        Raises:
            SettingsError: a key or an address cannot be used as it is.
        """
        vault = Vault(settings.token_encryption_keys.get_secret_value())
        blobs = Blobs(settings.blob_url)
        google = GoogleConfig.from_settings(settings)
        http = Http()
        keys = GoogleKeys(google.certs_uri, http)
        return cls(
            settings=settings,
            database=Database(settings.database_url, pool_size=settings.database_pool_size),
            vault=vault,
            blobs=blobs,
            commands=Commands(await connect(settings, lazy=True), settings.temporal_task_queue),
            google=google,
            http=http,
            consent=Consent(google, http, keys),
            push=PushVerifier(google, keys),
            feed=EventFeed(settings.database_url),
        )

    @property
    def limits(self) -> Limits:
        """The daily limits of mailboxes, as the settings have them."""
        settings = self.settings
        return Limits(
            consumer=settings.gmail_daily_recipient_limit,
            workspace=settings.workspace_daily_recipient_limit,
            window=timedelta(seconds=settings.send_limit_window_s),
        )

    @cached_property
    def tracker(self) -> Tracker:
        """Checks the links of sent mail."""
        keys = self.settings.token_encryption_keys.get_secret_value()
        return Tracker(Signer(keys), self.settings.public_url)

    def tell(self, command: Coroutine[Any, Any, None]) -> None:
        """Give a command from a route that runs in a thread.

        Raises:
            WorkflowsUnavailable: Temporal did not take it in time.
        """
        anyio.from_thread.run(within_deadline, command)

    def tell_or_leave(self, command: Coroutine[Any, Any, None], name: str, resource_id: str) -> None:
        """Give a command whose work is safe in the database: where Temporal is away, reconciliation gives it."""
        try:
            self.tell(command)
        except WorkflowsUnavailable:
            log.warning("command_waits_for_temporal", command=name, resource_id=resource_id)

    async def close(self) -> None:
        """Let go of everything."""
        await self.feed.close()
        self.database.close()


async def within_deadline(command: Coroutine[Any, Any, None]) -> None:
    """Wait for a command, but not for ever.

    Raises:
        WorkflowsUnavailable: Temporal did not take it in time.
    """
    try:
        async with asyncio.timeout(COMMAND_DEADLINE_S):
            await command
    except TimeoutError:
        raise WorkflowsUnavailable("Temporal did not answer in time") from None


def _context(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


ContextOf = Annotated[Context, Depends(_context)]
