"""A mail from the SMTP listener goes into the CRM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from temporalio import activity

from crm import filing
from crm.attachments import StoredAttachment, fitting
from crm.inbound_mails import Purpose
from mail.message import Mail
from mail.parse import parse
from models import InboundMail
from models.states import AttachmentState
from storage.blobs import Blobs
from storage.database import Database

log = structlog.get_logger("filing")


class Filing:
    """Repeating it changes nothing: the row says whether it was filed."""

    def __init__(self, database: Database, blobs: Blobs, auto_bcc_domain: str) -> None:
        self._database = database
        self._blobs = blobs
        self._auto_bcc_domain = auto_bcc_domain

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.file_inbound]

    @activity.defn
    def file_inbound(self, inbound_id: str) -> None:
        """Parse the kept mail and file it in one transaction."""
        with self._database.session() as session:
            inbound = session.get_one(InboundMail, inbound_id)
        if inbound.filed_at is not None:
            return
        mail = parse(self._blobs.get(inbound.blob))
        attachments = self._store(inbound, mail)
        bare = replace(mail, attachments=tuple(replace(one, content=b"") for one in mail.attachments))
        with self._database.session() as session:
            row = session.get_one(InboundMail, inbound_id, with_for_update=True)
            if row.purpose == Purpose.CAMPAIGN_RETURN:
                filing.file_return(session, row, bare, attachments, self._auto_bcc_domain)
            else:
                filing.file_auto_bcc(session, row, bare, attachments, self._auto_bcc_domain)
            log.info("inbound_filed", inbound=inbound_id, purpose=row.purpose, outcome=row.outcome)

    def _store(self, inbound: InboundMail, mail: Mail) -> list[StoredAttachment]:
        if inbound.location_id is None:
            return []
        if inbound.purpose == Purpose.CAMPAIGN_RETURN and not filing.is_automatic_answer(mail):
            return []
        location_id = inbound.location_id
        kept = fitting([one.size for one in mail.attachments])
        return [
            StoredAttachment(
                filename=one.filename,
                content_type=one.content_type,
                size=one.size,
                content_id=one.content_id,
                inline=one.inline,
                part_id=one.part_id,
                blob=self._blobs.put(location_id, one.content) if fits else None,
                state=AttachmentState.STORED if fits else AttachmentState.FAILED,
            )
            for one, fits in zip(mail.attachments, kept, strict=True)
        ]
