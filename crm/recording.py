"""Rows of new messages, written many at a time: messages, people, files, keys, threads and their counts.

Knows no rules: what is written was decided before (`crm.policy`) and is new (`crm.identity`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from crm import identity
from crm.addresses import email_key
from crm.attachments import StoredAttachment
from crm.bulk import Rows
from crm.identity import MailKeys
from mail.message import Address, Mail
from models import Attachment, Conversation, MatchKey, Message, Participant, Thread
from models.columns import now
from models.ids import new_id
from models.states import Direction, MessageStatus, Role

OWN_KIND = "individual"
"""What a person's mail is called in the CRM; a machine's keeps the kind that `mail.classify` gives."""


@dataclass(slots=True)
class NewMessage:
    """A mail that becomes a message. `owner` and `thread_id` are real ids; `opens_thread`: the thread is new too.

    sent_at: when the mailbox got it. contacts: by address key, the contact that it is linked to (S13).
    """

    mail: Mail
    keys: MailKeys
    direction: Direction
    owner: str
    thread_id: str
    sent_at: datetime
    opens_thread: bool = False
    kind: str = OWN_KIND
    mixes: bool = False
    forwarded: bool = False
    answers: str | None = None
    raw_blob: str | None = None
    attachments: Sequence[StoredAttachment] = ()
    user_id: str | None = None
    account_id: str | None = None
    gmail_thread_id: str | None = None
    contacts: dict[str, str] = field(default_factory=dict)
    more_bcc: Sequence[Address] = ()
    id: str = field(default_factory=lambda: new_id("msg"))


def kind_of(classified: str) -> str:
    """The kind of `mail.classify` as the API names it."""
    return OWN_KIND if classified == "message" else classified


def record(
    session: Session,
    location_id: str,
    new: Sequence[NewMessage],
    rows: Rows,
    known: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Write new messages with all that belongs to them, in a fixed number of statements.

    Args:
        rows: what is written with them, such as their copies and decisions; empty afterwards.
        known: conversation ids by contact that need not be looked up.

    Returns:
        conversation ids by contact.
    """
    if not new:
        rows.write(session)
        return {}
    conversations = {
        **known,
        **conversations_of(session, location_id, {one.owner for one in new} - set(known)),
    }
    counts = _counts(new)
    for one in new:
        conversation_id = conversations[one.owner]
        if one.opens_thread:
            rows.add(Thread, _thread_row(location_id, one, conversation_id, counts.pop(one.thread_id)))
        rows.add(Message, _message_row(location_id, one, conversation_id))
        rows.add(
            Participant,
            *participant_rows(location_id, one.id, one.mail, one.contacts, more_bcc=one.more_bcc),
        )
        rows.add(Attachment, *_attachment_rows(one))
        rows.add(MatchKey, *identity.key_rows(location_id, one.keys, one.id))
    _count(rows, new, counts, conversations)
    rows.write(session)
    return conversations


def conversations_of(session: Session, location_id: str, contact_ids: Iterable[str]) -> dict[str, str]:
    """Conversation ids by contact; made where a contact has none yet. Two at once end in one."""
    wanted = sorted(set(contact_ids))
    if not wanted:
        return {}
    query = select(Conversation.contact_id, Conversation.id).where(col(Conversation.contact_id).in_(wanted))
    found = dict(session.exec(query).all())
    if missing := [contact_id for contact_id in wanted if contact_id not in found]:
        session.execute(
            insert(Conversation).on_conflict_do_nothing(index_elements=["contact_id"]),
            [
                {"id": new_id("cnv"), "location_id": location_id, "contact_id": one, "created_at": now()}
                for one in missing
            ],
        )
        found = dict(session.exec(query).all())
    return found


@dataclass(slots=True)
class _Count:
    messages: int
    last_at: datetime
    mixed: bool


def _counts(new: Sequence[NewMessage]) -> dict[str, _Count]:
    """What the page adds to each thread."""
    counts: dict[str, _Count] = {}
    for one in new:
        count = counts.setdefault(one.thread_id, _Count(0, one.sent_at, False))
        count.messages += 1
        count.last_at = max(count.last_at, one.sent_at)
        count.mixed = count.mixed or one.mixes
    return counts


def _thread_row(location_id: str, one: NewMessage, conversation_id: str, count: _Count) -> dict[str, Any]:
    return {
        "id": one.thread_id,
        "location_id": location_id,
        "conversation_id": conversation_id,
        "subject": one.mail.subject,
        "created_at": now(),
        "message_count": count.messages,
        "last_message_at": count.last_at,
        "mixed": count.mixed,
    }


def _message_row(location_id: str, one: NewMessage, conversation_id: str) -> dict[str, Any]:
    mail = one.mail
    outbound = one.direction is Direction.OUTBOUND
    author = mail.from_[0] if mail.from_ else mail.sender
    at = now()
    return {
        "id": one.id,
        "location_id": location_id,
        "conversation_id": conversation_id,
        "thread_id": one.thread_id,
        "contact_id": one.owner,
        "direction": one.direction,
        "kind": one.kind,
        "forwarded": one.forwarded,
        "status": MessageStatus.SENT if outbound else MessageStatus.RECEIVED,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "sent_at": one.sent_at,
        "message_id_header": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "read": outbound,
        "deleted_in_gmail": False,
        "raw_blob": one.raw_blob,
        "created_at": at,
        "updated_at": at,
        "user_id": one.user_id if outbound else None,
        "account_id": one.account_id if outbound else None,
        "from_email": author.email if outbound and author else None,
        "reply_to_message_id": one.answers,
        "lookups": 0,
        "gmail_thread_id": one.gmail_thread_id if outbound else None,
        "headers": {},
        "opens": 0,
        "clicks": 0,
        "bounce_recipients": [],
    }


def participant_rows(
    location_id: str,
    message_id: str,
    mail: Mail,
    contacts: Mapping[str, str],
    *,
    more_bcc: Sequence[Address] = (),
    roles: Iterable[Role] = tuple(Role),
    start: int = 0,
) -> list[dict[str, Any]]:
    """A row for each address of a mail, linked to the contact that has it (S13)."""
    by_role: dict[Role, Sequence[Address]] = {
        Role.FROM: mail.from_ or ((mail.sender,) if mail.sender else ()),
        Role.TO: mail.to,
        Role.CC: mail.cc,
        Role.BCC: (*mail.bcc, *more_bcc),
        Role.REPLY_TO: mail.reply_to,
    }
    return [
        {
            "id": new_id("par"),
            "message_id": message_id,
            "location_id": location_id,
            "role": role,
            "position": start + position,
            "name": address.name,
            "email": address.email,
            "email_key": email_key(address.email),
            "contact_id": contacts.get(email_key(address.email)),
        }
        for role in roles
        for position, address in enumerate(by_role[role])
    ]


def _attachment_rows(one: NewMessage) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id("att"),
            "message_id": one.id,
            "position": position,
            "filename": file.filename,
            "content_type": file.content_type,
            "size": file.size,
            "content_id": file.content_id,
            "inline": file.inline,
            "part_id": file.part_id,
            "state": file.state,
            "blob": file.blob,
        }
        for position, file in enumerate(one.attachments)
    ]


_COUNT = """
    more AS (
        SELECT * FROM json_to_recordset(CAST(:counts AS json))
            AS m(id text, messages int, last_at timestamptz, mixed bool)
    ), held AS (
        SELECT id FROM threads WHERE id IN (SELECT id FROM more) ORDER BY id FOR NO KEY UPDATE
    ), counted AS (
        UPDATE threads t SET message_count = t.message_count + m.messages, mixed = t.mixed OR m.mixed,
               last_message_at = greatest(coalesce(t.last_message_at, m.last_at), m.last_at)
          FROM more m JOIN held h ON h.id = m.id WHERE t.id = m.id
    ), newer AS (
        SELECT * FROM json_to_recordset(CAST(:lasts AS json)) AS l(id text, last_at timestamptz)
    ), held_too AS (
        SELECT id FROM conversations WHERE id IN (SELECT id FROM newer) ORDER BY id FOR NO KEY UPDATE
    ), moved AS (
        UPDATE conversations c
           SET last_message_at = greatest(coalesce(c.last_message_at, n.last_at), n.last_at)
          FROM newer n JOIN held_too h ON h.id = n.id WHERE c.id = n.id
    )"""
"""Counts and last moments; rows are held in order of their ids, so that two pages never cross."""


def _count(
    rows: Rows, new: Sequence[NewMessage], counts: dict[str, _Count], conversations: dict[str, str]
) -> None:
    latest: dict[str, datetime] = {}
    for one in new:
        conversation = conversations[one.owner]
        latest[conversation] = max(latest.get(conversation, one.sent_at), one.sent_at)
    rows.with_(
        _COUNT,
        counts=[
            {"id": thread, "messages": c.messages, "last_at": c.last_at, "mixed": c.mixed}
            for thread, c in counts.items()
        ],
        lasts=[{"id": conversation, "last_at": at} for conversation, at in latest.items()],
    )
