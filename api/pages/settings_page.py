"""Settings > My Profile > Email (2-way sync)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session

from api.context import Context, ContextOf
from api.pages import words
from api.pages.rendering import render
from api.pages.signing_in import Acting, SignedIn, Visitor
from api.routes.accounts import account_of, begin_disconnect, begin_reauthorize, begin_switch
from api.routes.consent import SETTINGS_PAGE, ask_for_consent, await_release
from api.routes.users import user_of
from crm import account_views, users
from crm.account_views import AccountView
from crm.consents import Purpose
from models import Account

router = APIRouter(include_in_schema=False)


def own_account(session: Session, visitor: Visitor, account_id: str) -> Account:
    """An account of the visitor's own.

    Raises:
        Problem: 404, also for an account of a colleague.
    """
    account = account_of(session, visitor.location_id, account_id)
    if account.user_id != visitor.user_id:
        return account_of(session, visitor.location_id, "")
    return account


def _accounts(context: Context, visitor: Visitor) -> tuple[AccountView | None, list[AccountView]]:
    """The visitor's active account, and the others, newest first."""
    with context.database.session() as session:
        user = user_of(session, visitor.location_id, visitor.user_id)
        page = account_views.listing(session, visitor.location_id, 100, user_id=visitor.user_id)
        shown = account_views.views(session, page.items, context.limits)
    active = next((account for account in shown if account.id == user.active_account_id), None)
    others = [account for account in reversed(shown) if account is not active]
    if active is None and others and others[0].state == "connecting":
        active = others.pop(0)
    return active, others


@router.get(SETTINGS_PAGE)
def settings_page(
    visitor: SignedIn,
    context: ContextOf,
    error: Annotated[str, Query(max_length=100)] = "",
    account_id: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The tab."""
    active, others = _accounts(context, visitor)
    return render(
        context,
        "settings.html",
        visitor,
        active=active,
        others=others,
        notice=words.ERRORS.get(error, "") if error else "",
        welcome=bool(account_id),
        auto_bcc_address=f"{visitor.auto_bcc_token}@{context.settings.auto_bcc_domain}",
        auto_bcc_domain=context.settings.auto_bcc_domain,
        smtp_port=context.settings.smtp_inbound_port,
        can_connect=bool(context.settings.google_client_id),
    )


@router.get(f"{SETTINGS_PAGE}/status")
def status_part(visitor: SignedIn, context: ContextOf) -> Response:
    """The connected mailbox alone, fetched again when it changes."""
    active, others = _accounts(context, visitor)
    return render(
        context,
        "account_card.html",
        visitor,
        active=active,
        others=others,
        can_connect=bool(context.settings.google_client_id),
    )


@router.post(f"{SETTINGS_PAGE}/connect")
def connect(visitor: Acting, context: ContextOf) -> Response:
    """To Google's consent page."""
    await_release(context, visitor.user_id)
    with context.database.session() as session:
        user = user_of(session, visitor.location_id, visitor.user_id)
        if user.active_account_id is not None:
            return RedirectResponse(f"{SETTINGS_PAGE}?error=already_connected", 303)
        answer = ask_for_consent(context, session, user, Purpose.CONNECT)
    return RedirectResponse(answer.authorization_url, 303)


@router.post(f"{SETTINGS_PAGE}/switch")
def switch(visitor: Acting, context: ContextOf, account_id: Annotated[str, Form()] = "") -> Response:
    """To another address of the user: one that is here, or a new one by Google's consent page."""
    if account_id:
        begin_switch(context, visitor.location_id, visitor.user_id, account_id)
        return RedirectResponse(SETTINGS_PAGE, 303)
    await_release(context, visitor.user_id)
    with context.database.session() as session:
        user = user_of(session, visitor.location_id, visitor.user_id)
        answer = ask_for_consent(context, session, user, Purpose.SWITCH)
    return RedirectResponse(answer.authorization_url, 303)


@router.post(f"{SETTINGS_PAGE}/accounts/{{account_id}}/reauthorize")
def reauthorize(account_id: str, visitor: Acting, context: ContextOf) -> Response:
    """To Google's consent page, for the same address."""
    with context.database.session() as session:
        account = own_account(session, visitor, account_id)
        answer = begin_reauthorize(context, session, account, None)
    return RedirectResponse(answer.authorization_url, 303)


@router.post(f"{SETTINGS_PAGE}/accounts/{{account_id}}/disconnect")
def disconnect(account_id: str, visitor: Acting, context: ContextOf) -> Response:
    """Stop sync; what is synced stays."""
    with context.database.session() as session:
        own_account(session, visitor, account_id)
    begin_disconnect(context, account_id)
    return RedirectResponse(SETTINGS_PAGE, 303)


@router.post(f"{SETTINGS_PAGE}/accounts/{{account_id}}/sync")
def sync(account_id: str, visitor: Acting, context: ContextOf) -> Response:
    """Look now."""
    with context.database.session() as session:
        own_account(session, visitor, account_id)
    context.tell(context.commands.sync_now(account_id))
    return RedirectResponse(SETTINGS_PAGE, 303)


@router.post(f"{SETTINGS_PAGE}/auto-bcc/rotate")
def rotate_auto_bcc(visitor: Acting, context: ContextOf) -> Response:
    """A new auto-BCC address; the old one is refused from now on."""
    with context.database.session() as session:
        users.rotate_auto_bcc(session, user_of(session, visitor.location_id, visitor.user_id))
    return RedirectResponse(f"{SETTINGS_PAGE}#auto-bcc", 303)
