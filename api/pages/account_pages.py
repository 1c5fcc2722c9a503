"""What synced and why (S28), and the story of a mailbox (S30)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.context import ContextOf
from api.pages.rendering import render
from api.pages.settings_page import own_account
from api.pages.signing_in import SignedIn
from crm import account_views, decisions, timeline
from models.states import Outcome

router = APIRouter(include_in_schema=False)
ROWS = 50


@router.get("/accounts/{account_id}/decisions")
def decisions_page(
    account_id: str,
    visitor: SignedIn,
    context: ContextOf,
    outcome: Annotated[str, Query(max_length=20)] = "",
    gmail_id: Annotated[str, Query(max_length=100)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Every mail that the system looked at: what it did, and by which rule."""
    chosen = outcome if outcome in set(Outcome) else None
    with context.database.session() as session:
        account = own_account(session, visitor, account_id)
        page = decisions.listing(
            session, account.id, ROWS, cursor, gmail_id=gmail_id.strip() or None, outcome=chosen
        )
        view = account_views.views(session, [account], context.limits)[0]
    return render(
        context,
        "decisions.html",
        visitor,
        account=view,
        page=page,
        outcome=chosen or "",
        gmail_id=gmail_id,
    )


@router.get("/accounts/{account_id}/timeline")
def timeline_page(
    account_id: str,
    visitor: SignedIn,
    context: ContextOf,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """What happened to the mailbox, newest first."""
    with context.database.session() as session:
        account = own_account(session, visitor, account_id)
        page = timeline.listing(session, account.id, ROWS, cursor)
        view = account_views.views(session, [account], context.limits)[0]
    return render(context, "timeline.html", visitor, account=view, page=page)


@router.get("/signed-out")
def signed_out(context: ContextOf) -> Response:
    """After signing out."""
    return render(context, "signed_out.html", None)
