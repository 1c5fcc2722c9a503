"""A new conversation: the page on which a person writes to a contact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from sqlmodel import Session

from api.context import Context, ContextOf
from api.pages.rendering import render
from api.pages.signing_in import Acting, SignedIn, Visitor
from api.pages.writing import WrittenForm, html_of, leaves_at, new_message
from api.problems import Problem
from api.routes import messages as message_calls
from api.routes.contacts import contact_of
from api.routes.messages import message_of
from crm import contacts, locations, messages
from models import Account, User

router = APIRouter(include_in_schema=False)


def _sender(session: Session, visitor: Visitor) -> str:
    """The connected address that a new mail leaves from, or an empty string."""
    user = session.get_one(User, visitor.user_id)
    return session.get_one(Account, user.active_account_id).email if user.active_account_id else ""


def _tracked(session: Session, visitor: Visitor) -> list[str]:
    """What the location records of a mail that was sent (S24)."""
    location = locations.get(session, visitor.location_id)
    assert location is not None
    return [
        name
        for name, on in (("opens", location.tracking_opens), ("clicks on links", location.tracking_clicks))
        if on
    ]


@router.get("/compose")
def compose_page(
    visitor: SignedIn,
    context: ContextOf,
    contact_id: Annotated[str, Query(max_length=100)] = "",
    again: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """An empty mail, one to a contact, or one that was taken back (`again` is its id)."""
    start = {"to": "", "cc": "", "bcc": "", "subject": "", "text": "", "files": ""}
    name = ""
    with context.database.session() as session:
        if again:
            view = messages.views(session, [message_of(session, visitor.location_id, again)])[0]
            people = {"to": view.to, "cc": view.cc, "bcc": view.bcc}
            start |= {role: ", ".join(person.email for person in found) for role, found in people.items()}
            start |= {"subject": view.subject, "text": view.text or ""}
            start["files"] = ", ".join(file.filename for file in view.attachments)
        elif contact_id:
            contact = contacts.views(session, [contact_of(session, visitor.location_id, contact_id)])[0]
            name, start["to"] = contact.name, contact.emails[0] if contact.emails else ""
        sender, tracked = _sender(session, visitor), _tracked(session, visitor)
    return render(
        context,
        "compose.html",
        visitor,
        start=start,
        name=name,
        contact_id=contact_id,
        sender=sender,
        tracked=tracked,
    )


@router.post("/compose", status_code=204)
def send(
    visitor: Acting,
    context: ContextOf,
    written: WrittenForm,
    send_at: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Hand the mail over and go to its conversation, where it can be taken back for some seconds."""
    chosen = _moment(send_at)
    with context.database.session() as session:
        tracked = _tracked(session, visitor)
    mail = new_message(
        visitor.user_id,
        written,
        html=html_of(written.text) if tracked else None,
        send_at=leaves_at(context, chosen),
    )
    _need_a_contact(context, visitor, [person.email for person in (*mail.to, *mail.cc, *mail.bcc)])
    queued = message_calls.hand_over(context, visitor.location_id, mail)
    with context.database.session() as session:
        conversation_id = message_of(session, visitor.location_id, queued.id).conversation_id
    return Response(
        status_code=204, headers={"HX-Redirect": f"/conversations/{conversation_id}#msg-{queued.id}"}
    )


def _moment(text: str) -> datetime | None:
    """The moment for "Send later", or None.

    Raises:
        Problem: 422, it is no moment or has passed.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Problem(422, "invalid-request", "Choose a day and a time for sending it later.")
    if moment < datetime.now(UTC):
        raise Problem(422, "invalid-request", "The moment for sending it has passed. Choose a later one.")
    return moment


def _need_a_contact(context: Context, visitor: Visitor, emails: list[str]) -> None:
    """A conversation belongs to a contact, so somebody addressed must be one.

    Raises:
        Problem: 422, saying how to make one.
    """
    with context.database.session() as session:
        if any(contacts.listing(session, visitor.location_id, 1, email=email).items for email in emails):
            return
    raise Problem(
        422,
        "invalid-request",
        f"{emails[0]} is no contact yet. Add the person under Contacts first; your text stays here.",
    )
