"""Conversations: the list, one of them, its mails, and the answer."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session, select
from starlette.responses import StreamingResponse

from api.context import ContextOf
from api.downloads import attachment_response
from api.pages.bodies import MailBody, body_of
from api.pages.rendering import HEADERS, render
from api.pages.signing_in import Acting, SignedIn, Visitor
from api.pages.writing import WrittenForm, leaves_at, new_message
from api.problems import not_found
from api.routes import messages as message_calls
from api.routes.messages import attachment_bytes, message_of
from api.streaming import event_stream
from crm import contacts, conversations, messages, read_state
from crm.conversations import ConversationView
from crm.messages import MessageView
from crm.paging import Page
from mail.answer import reply_subject
from models import Conversation, Message, Thread, User

router = APIRouter(include_in_schema=False)
SHOWN = 30
LISTED = 60


@router.get("/")
def home(visitor: SignedIn, context: ContextOf) -> Response:
    """Where people begin: with their conversations, or with connecting a mailbox."""
    with context.database.session() as session:
        user = session.get_one(User, visitor.user_id)
        connected = user.active_account_id is not None
    return RedirectResponse("/conversations" if connected else "/settings/email", 303)


def _list(
    session: Session, visitor: Visitor, cursor: str | None = None
) -> tuple[list[ConversationView], str | None]:
    page = conversations.listing(session, visitor.location_id, LISTED, cursor)
    return conversations.views(session, page.items), page.next_cursor


@router.get("/conversations")
def index(
    visitor: SignedIn, context: ContextOf, cursor: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """All conversations, the one with the newest mail first."""
    with context.database.session() as session:
        listed, more = _list(session, visitor, cursor)
    return render(context, "conversations.html", visitor, listed=listed, more=more, chosen=None)


@router.get("/conversations/list")
def list_part(
    visitor: SignedIn, context: ContextOf, chosen: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The list alone, fetched again when something changes."""
    with context.database.session() as session:
        listed, more = _list(session, visitor)
    return render(context, "conversation_list.html", visitor, listed=listed, more=more, chosen=chosen)


def _conversation(session: Session, visitor: Visitor, conversation_id: str) -> Conversation:
    conversation = conversations.get(session, visitor.location_id, conversation_id)
    if conversation is None:
        raise not_found("conversation")
    return conversation


def _cards(
    session: Session, conversation: Conversation, cursor: str | None
) -> tuple[list[tuple[MessageView, MailBody]], Page[Message]]:
    page = messages.of_conversation(session, conversation.id, SHOWN, cursor)
    views = messages.views(session, page.items)
    cards = [(view, body_of(row)) for view, row in zip(views, page.items, strict=True)]
    return list(reversed(cards)), page


@router.get("/conversations/{conversation_id}")
def conversation_page(
    conversation_id: str,
    visitor: SignedIn,
    context: ContextOf,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """One conversation, oldest mail first, and the box to answer."""
    with context.database.session() as session:
        conversation = _conversation(session, visitor, conversation_id)
        listed, more = _list(session, visitor)
        cards, page = _cards(session, conversation, cursor)
        to_read = read_state.to_read(session, page.items, visitor.user_id)
        view = conversations.views(session, [conversation])[0]
        contact = contacts.get(session, visitor.location_id, conversation.contact_id)
        people = contacts.views(session, [contact])[0] if contact else None
        subjects = dict(
            session.exec(
                select(Thread.id, Thread.subject).where(Thread.conversation_id == conversation.id)
            ).all()
        )
    return render(
        context,
        "conversation.html",
        visitor,
        listed=listed,
        more=more,
        chosen=conversation_id,
        conversation=view,
        contact=people,
        cards=cards,
        older=page.next_cursor,
        to_read=to_read,
        cursor=cursor,
        subjects=subjects,
        reply=_reply_to([view for view, _ in cards], people.emails if people else []),
        conversation_id=conversation_id,
        sent=False,
    )


def _reply_to(views: list[MessageView], emails: list[str]) -> dict[str, str]:
    """What an answer starts with: to whom, about what, in answer to which mail."""
    answered = next((view for view in reversed(views) if view.kind in ("individual", "message")), None)
    if answered is None:
        return {"message_id": "", "to": emails[0] if emails else "", "subject": ""}
    if answered.direction == "inbound":
        source = answered.reply_to[0] if answered.reply_to else answered.from_
        to = source.email if source else ""
    else:
        to = ", ".join(person.email for person in answered.to)
    return {"message_id": answered.id, "to": to, "subject": reply_subject(answered.subject)}


@router.post("/conversations/{conversation_id}/read", status_code=204)
def read_all(
    conversation_id: str,
    visitor: Acting,
    context: ContextOf,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> None:
    """The visitor has seen a page of the conversation: it is read, in the visitor's own mailboxes (S24)."""
    with context.database.session() as session:
        conversation = _conversation(session, visitor, conversation_id)
        page = messages.of_conversation(session, conversation.id, SHOWN, cursor)
        unread = read_state.to_read(session, page.items, visitor.user_id)
    for message_id in unread:
        message_calls.mark(context, visitor.location_id, message_id, read=True, user_id=visitor.user_id)


@router.post("/conversations/{conversation_id}/reply")
def reply(
    conversation_id: str,
    visitor: Acting,
    context: ContextOf,
    written: WrittenForm,
    message_id: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Send an answer; the page shows at once what becomes of it."""
    with context.database.session() as session:
        _conversation(session, visitor, conversation_id)
    mail = new_message(
        visitor.user_id,
        written,
        reply_to_message_id=message_id or None,
        send_at=leaves_at(context, None),
    )
    queued = message_calls.hand_over(context, visitor.location_id, mail)
    with context.database.session() as session:
        conversation = _conversation(session, visitor, conversation_id)
        view = messages.views(session, [message_of(session, visitor.location_id, queued.id)])[0]
        contact = contacts.get(session, visitor.location_id, conversation.contact_id)
        emails = contacts.addresses_of(session, [contact.id])[contact.id] if contact else []
    response = render(
        context,
        "reply_form.html",
        visitor,
        conversation_id=conversation_id,
        reply=_reply_to([view], emails),
        sent=True,
    )
    # The page fetches the new mail's card, as it does for every other news of a mail.
    told = {"mail-queued": {"id": view.id, "conversation_id": view.conversation_id}}
    response.headers["HX-Trigger"] = json.dumps(told)
    return response


@router.get("/messages/{message_id}/card")
def card_part(message_id: str, visitor: SignedIn, context: ContextOf) -> Response:
    """One mail as the conversation shows it, fetched when it is new or has changed."""
    with context.database.session() as session:
        row = message_of(session, visitor.location_id, message_id)
        view = messages.views(session, [row])[0]
    return render(context, "mail_card.html", visitor, message=view, body=body_of(row))


@router.get("/messages/{message_id}")
def message_page(message_id: str, visitor: SignedIn, context: ContextOf) -> Response:
    """A mail in its conversation."""
    with context.database.session() as session:
        conversation_id = message_of(session, visitor.location_id, message_id).conversation_id
    return RedirectResponse(f"/conversations/{conversation_id}#msg-{message_id}", 303)


@router.get("/messages/{message_id}/html")
def html_document(
    message_id: str,
    visitor: SignedIn,
    context: ContextOf,
    part: Annotated[str, Query(max_length=10)] = "new",
    images: bool = False,
) -> Response:
    """The html of a mail as a document of its own, in which nothing runs; remote images only when asked for."""
    with context.database.session() as session:
        row = message_of(session, visitor.location_id, message_id)
        view = messages.views(session, [row])[0]
    html = body_of(row).html(part, view.attachments, f"/messages/{message_id}/attachments", images=images)
    remote = " https: http:" if images else ""
    response = render(context, "mail_document.html", None, html=html)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:{remote}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    )
    return response


@router.get("/messages/{message_id}/attachments/{attachment_id}")
def download(message_id: str, attachment_id: str, visitor: SignedIn, context: ContextOf) -> Response:
    """The bytes of an attachment."""
    return attachment_response(*attachment_bytes(context, visitor.location_id, message_id, attachment_id))


@router.post("/messages/{message_id}/cancel")
def cancel(message_id: str, visitor: Acting, context: ContextOf) -> Response:
    """Cancel a mail that has not left."""
    message_calls.cancel(message_id, visitor.location_id, context)
    return card_part(message_id, visitor, context)


@router.post("/messages/{message_id}/resolve")
def resolve(
    message_id: str,
    visitor: Acting,
    context: ContextOf,
    action: Annotated[Literal["look_again", "mark_sent", "discard"], Form()],
) -> Response:
    """Decide on a mail that is held."""
    body = message_calls.Resolution(action=action)
    message_calls.resolve(message_id, body, visitor.location_id, context)
    return card_part(message_id, visitor, context)


@router.get("/stream")
async def stream(request: Request, visitor: SignedIn, context: ContextOf) -> StreamingResponse:
    """The location's events, by which the pages update themselves."""
    response = await event_stream(context, request, visitor.location_id)
    response.headers.update(HEADERS)
    return response
