"""A contact's or a mailbox's data as files: JSON, the mails as they came, attachments (S29)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session, col, or_, select

from crm import account_views, contacts, conversations, messages
from crm.decisions import DecisionView
from crm.ledger import Limits
from crm.timeline import TimelineView
from models import (
    Account,
    Attachment,
    Contact,
    Conversation,
    Decision,
    Erasure,
    GmailMessage,
    Message,
    Participant,
    TimelineEntry,
)

PART = 200
"""Messages that are read at once."""

_UNSAFE = re.compile(r"[^\w.\- ()]+")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of the export: `content`, or the key of a blob that holds it."""

    name: str
    content: bytes = b""
    blob: str | None = None


def contact_files(session: Session, contact: Contact) -> Iterator[ExportFile]:
    """Everything that is known of a contact: its row, its conversation, every message that it takes part in."""
    yield _json("contact.json", contacts.views(session, [contact])[0])
    owned = session.exec(select(Conversation).where(Conversation.contact_id == contact.id)).all()
    yield _json("conversations.json", conversations.views(session, owned))
    takes_part = select(Participant.message_id).where(Participant.contact_id == contact.id)
    ids = session.exec(
        select(Message.id)
        .where(or_(col(Message.contact_id) == contact.id, col(Message.id).in_(takes_part)))
        .order_by(col(Message.sent_at), col(Message.id))
    ).all()
    yield from _message_files(session, ids)


def account_files(session: Session, account: Account, limits: Limits) -> Iterator[ExportFile]:
    """Everything that is known of a mailbox: its state, timeline, decisions, and the messages that it has."""
    yield _json("account.json", account_views.views(session, [account], limits)[0])
    entries = session.exec(
        select(TimelineEntry).where(TimelineEntry.account_id == account.id).order_by(col(TimelineEntry.seq))
    ).all()
    yield _json("timeline.json", [TimelineView(at=e.at, kind=e.kind, detail=e.detail) for e in entries])
    decided = session.exec(
        select(Decision)
        .where(Decision.account_id == account.id)
        .order_by(col(Decision.at), col(Decision.gmail_id))
    ).all()
    yield _json("decisions.json", [DecisionView.of(one) for one in decided])
    copies = select(GmailMessage.message_id).where(GmailMessage.account_id == account.id)
    ids = session.exec(
        select(Message.id)
        .where(or_(col(Message.account_id) == account.id, col(Message.id).in_(copies)))
        .order_by(col(Message.sent_at), col(Message.id))
    ).all()
    yield from _message_files(session, ids)


def receipt(erasure: Erasure) -> dict[str, Any]:
    """A receipt as the API shows it."""
    return {
        "receipt_id": erasure.id,
        "erased_at": erasure.erased_at.isoformat().replace("+00:00", "Z"),
        "counts": erasure.counts,
    }


def _message_files(session: Session, ids: Sequence[str]) -> Iterator[ExportFile]:
    shown: list[dict[str, Any]] = []
    for start in range(0, len(ids), PART):
        part = ids[start : start + PART]
        rows = session.exec(select(Message).where(col(Message.id).in_(part))).all()
        by_id = {row.id: row for row in rows}
        ordered = [by_id[message_id] for message_id in part if message_id in by_id]
        shown += [messages.document(view) for view in messages.views(session, ordered)]
        for row in ordered:
            if row.raw_blob:
                yield ExportFile(f"mails/{row.id}.eml", blob=row.raw_blob)
        files = session.exec(
            select(Attachment)
            .where(col(Attachment.message_id).in_(part), col(Attachment.blob).is_not(None))
            .order_by(col(Attachment.message_id), col(Attachment.position))
        ).all()
        for file in files:
            name = f"attachments/{file.message_id}/{file.position + 1}-{_safe(file.filename)}"
            yield ExportFile(name, blob=file.blob)
        session.expunge_all()
    yield _json("messages.json", shown)


def _safe(filename: str) -> str:
    """A file name that stays in its folder on every system."""
    return _UNSAFE.sub("_", filename).strip(". ")[:120] or "file"


def _json(name: str, value: BaseModel | Sequence[Any]) -> ExportFile:
    def plain(item: object) -> object:
        return item.model_dump(mode="json", by_alias=True) if isinstance(item, BaseModel) else item

    data = plain(value) if isinstance(value, BaseModel) else [plain(item) for item in value]
    return ExportFile(name, json.dumps(data, ensure_ascii=False, indent=2).encode())
