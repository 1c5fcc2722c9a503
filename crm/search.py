"""Search over a location's messages and contacts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel
from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from crm import contacts, messages
from crm.contacts import ContactView
from crm.messages import MessageView
from crm.paging import Page, page_of, position_of
from models import Message, Participant

MOST_CONTACTS = 20


class Found(BaseModel):
    """A hit: a message or a contact."""

    type: Literal["message", "contact"]
    message: MessageView | None = None
    contact: ContactView | None = None


def find(
    session: Session, location_id: str, words: str, limit: int, cursor: str | None = None
) -> Page[Found]:
    """What fits the words: contacts by name or address first, then messages, newest first."""
    position = position_of("search", cursor, int)
    offset = int(str(position[0])) if position else 0
    people = [
        Found(type="contact", contact=view)
        for view in contacts.views(session, contacts.matching(session, location_id, words, MOST_CONTACTS))
    ]
    hits = people[offset : offset + limit + 1]
    room = limit + 1 - len(hits)
    if room > 0:
        rows = _messages(session, location_id, words, max(0, offset - len(people)), room)
        hits += [Found(type="message", message=view) for view in messages.views(session, rows)]
    return page_of(hits, limit, "search", lambda _: (offset + limit,))


def _messages(session: Session, location_id: str, words: str, offset: int, limit: int) -> list[Message]:
    fits: ColumnElement[bool] = col(Message.search).bool_op("@@")(func.websearch_to_tsquery("simple", words))
    if "@" in words and " " not in words.strip():
        of_address = select(Participant.message_id).where(
            Participant.location_id == location_id, Participant.email_key == words.strip().lower()
        )
        fits = fits | col(Message.id).in_(of_address)
    return list(
        session.exec(
            select(Message)
            .where(Message.location_id == location_id, col(Message.hidden_by).is_(None), fits)
            .order_by(col(Message.sent_at).desc(), col(Message.id).desc())
            .offset(offset)
            .limit(limit)
        )
    )
