"""250 means that a mail is safe: its bytes and its row are kept, and the workflow that files it is started.

Anything less is answered 451, and the mail comes again; the same mail given again is the one that was kept before.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from crm import inbound_mails
from crm.inbound_mails import Mailbox, Purpose
from storage.blobs import Blobs
from storage.database import Database
from workflows.commands import Commands, WorkflowsUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class NotSafe(Exception):
    """The mail could not be kept, or handed on: it has to come again."""


class Safekeeping:
    """What the listener asks of the rest of the system; everything blocking runs in threads."""

    def __init__(self, database: Database, blobs: Blobs, commands: Commands, domain: str) -> None:
        self._database = database
        self._blobs = blobs
        self._commands = commands
        self._domain = domain.lower()

    async def find(self, address: str) -> Mailbox | None:
        """What a recipient's address is for; None for another domain or an address that never was.

        Raises:
            NotSafe: the database is away.
        """
        local_part, _, domain = address.rpartition("@")
        if domain.lower() != self._domain:
            return None
        return await self._in_thread(self._find, local_part)

    async def may_file(self, mailbox: Mailbox, author: str) -> bool:
        """Is the author one of the location's users?

        Raises:
            NotSafe: the database is away.
        """
        return await self._in_thread(self._may_file, mailbox, author)

    async def keep(self, mailbox: Mailbox, content: bytes, authentication: dict[str, Any]) -> None:
        """Keep a mail and hand it on.

        Raises:
            NotSafe: something that it needs is away.
        """
        inbound_id = await self._in_thread(self._keep, mailbox, content, authentication)
        try:
            await self._commands.file_inbound(inbound_id)
        except WorkflowsUnavailable as error:
            raise NotSafe("Temporal is away") from error

    async def _in_thread(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(work, *arguments, **named)
        except (SQLAlchemyError, OSError) as error:
            raise NotSafe(f"the database or the blob store is away ({type(error).__name__})") from error

    def _find(self, local_part: str) -> Mailbox | None:
        with self._database.session() as session:
            return inbound_mails.find(session, local_part)

    def _may_file(self, mailbox: Mailbox, author: str) -> bool:
        if mailbox.location_id is None:
            return False
        with self._database.session() as session:
            return inbound_mails.may_file(session, mailbox.location_id, author)

    def _keep(self, mailbox: Mailbox, content: bytes, authentication: dict[str, Any]) -> str:
        digest = hashlib.sha256(mailbox.token.encode() + b"\0" + content).hexdigest()
        blob = self._blobs.put(mailbox.location_id or "returns", content)
        with self._database.session() as session:
            return inbound_mails.keep(
                session, mailbox, blob=blob, size=len(content), digest=digest, authentication=authentication
            )


__all__ = ["Mailbox", "NotSafe", "Purpose", "Safekeeping"]
