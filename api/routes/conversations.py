"""Conversations: all mail with one contact."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlmodel import Session

from api.context import ContextOf
from api.keys import LocationId
from api.lists import Listing, Paging
from api.problems import not_found
from crm import conversations, messages
from crm.conversations import ConversationView
from crm.messages import MessageView
from models import Conversation

router = APIRouter(tags=["Conversations"])


def _conversation(session: Session, location_id: str, conversation_id: str) -> Conversation:
    conversation = conversations.get(session, location_id, conversation_id)
    if conversation is None:
        raise not_found("conversation")
    return conversation


@router.get("/v1/conversations")
def listing(
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
    contact_id: Annotated[str | None, Query(max_length=100)] = None,
) -> Listing[ConversationView]:
    """The location's conversations, the one with the newest message first."""
    with context.database.session() as session:
        page = conversations.listing(session, location_id, paging.limit, paging.cursor, contact_id=contact_id)
        return Listing.of(page.map(lambda rows: conversations.views(session, rows)))


@router.get("/v1/conversations/{conversation_id}")
def read(conversation_id: str, location_id: LocationId, context: ContextOf) -> ConversationView:
    """One conversation."""
    with context.database.session() as session:
        return conversations.views(session, [_conversation(session, location_id, conversation_id)])[0]


@router.get("/v1/conversations/{conversation_id}/messages")
def list_messages(
    conversation_id: str, location_id: LocationId, context: ContextOf, paging: Paging
) -> Listing[MessageView]:
    """The conversation's messages, newest first."""
    with context.database.session() as session:
        conversation = _conversation(session, location_id, conversation_id)
        page = messages.of_conversation(session, conversation.id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: messages.views(session, rows)))
