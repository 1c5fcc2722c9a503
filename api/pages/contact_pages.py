"""Contacts: the list, one of them with all their mail, a new one; and search over contacts and mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from api.context import ContextOf
from api.pages.rendering import render
from api.pages.signing_in import Acting, SignedIn
from api.problems import Problem
from api.routes.contacts import NewContact, contact_of
from crm import contacts, conversations, messages, search, users

router = APIRouter(include_in_schema=False)
ROWS = 50
SUGGESTED = 6


@router.get("/contacts")
def index(
    visitor: SignedIn,
    context: ContextOf,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """All contacts, or those whose name or address holds some letters."""
    with context.database.session() as session:
        if q.strip():
            rows, more = contacts.matching(session, visitor.location_id, q.strip(), ROWS), None
        else:
            page = contacts.listing(session, visitor.location_id, ROWS, cursor)
            rows, more = page.items, page.next_cursor
        found = contacts.views(session, rows)
    return render(context, "contacts.html", visitor, found=found, more=more, q=q)


@router.get("/contacts/suggest")
def suggest(
    visitor: SignedIn, context: ContextOf, q: Annotated[str, Query(max_length=200)] = ""
) -> list[dict[str, str]]:
    """Whom a few letters may mean, while somebody types an address: [{name, email}]."""
    typed = q.strip().lower()
    if not typed:
        return []
    with context.database.session() as session:
        rows = contacts.matching(session, visitor.location_id, typed, ROWS)
        found = contacts.views(session, rows)
    pairs = [(person.name, email) for person in found for email in person.emails]
    fitting = [pair for pair in pairs if _begins(typed, *pair)]
    return [{"name": name, "email": email} for name, email in fitting[:SUGGESTED]]


def _begins(typed: str, name: str, email: str) -> bool:
    """Whether a word of the name, or the address, begins so: all of a company's people share its domain."""
    starts = (email.lower(), name.lower(), *name.lower().split())
    return any(start.startswith(typed) for start in starts)


@router.post("/contacts")
def create(
    visitor: Acting,
    context: ContextOf,
    name: Annotated[str, Form(max_length=300)] = "",
    email: Annotated[str, Form(max_length=320)] = "",
) -> Response:
    """A new contact, assigned to the visitor."""
    try:
        new = NewContact.model_validate({"name": name, "emails": [email]})
    except ValidationError:
        raise Problem(
            422, "invalid-request", f"“{email}” is not an e-mail address such as ann@example.com."
        ) from None
    with context.database.session() as session:
        known = contacts.listing(session, visitor.location_id, 1, email=new.emails[0]).items
        contact = (
            known[0]
            if known
            else contacts.create(
                session, visitor.location_id, new.name, new.emails, assigned_user_id=visitor.user_id
            )
        )
        contact_id = contact.id
    return RedirectResponse(f"/contacts/{contact_id}", 303)


@router.get("/contacts/{contact_id}")
def contact_page(
    contact_id: str,
    visitor: SignedIn,
    context: ContextOf,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """One contact: who they are, their conversation, and every mail that they take part in (S13)."""
    with context.database.session() as session:
        contact = contact_of(session, visitor.location_id, contact_id)
        view = contacts.views(session, [contact])[0]
        owner = (
            users.get(session, visitor.location_id, view.assigned_user_id) if view.assigned_user_id else None
        )
        talks = conversations.listing(session, visitor.location_id, 1, contact_id=contact_id).items
        page = messages.of_contact(session, visitor.location_id, contact_id, ROWS, cursor)
        mails = messages.views(session, page.items)
        owner_name = (owner.name or owner.email) if owner else ""
        conversation_id = talks[0].id if talks else ""
    return render(
        context,
        "contact.html",
        visitor,
        contact=view,
        owner_name=owner_name,
        conversation_id=conversation_id,
        mails=mails,
        known={email.lower(): view.name for email in view.emails},
        more=page.next_cursor,
    )


@router.get("/search")
def search_page(
    visitor: SignedIn,
    context: ContextOf,
    q: Annotated[str, Query(max_length=500)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Contacts by name or address, then mails by their words."""
    hits, more = [], None
    if q.strip():
        with context.database.session() as session:
            page = search.find(session, visitor.location_id, q.strip(), ROWS, cursor)
        hits, more = page.items, page.next_cursor
    return render(context, "search.html", visitor, q=q, hits=hits, more=more, known={})
