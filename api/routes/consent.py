"""Consent at Google: the way out (connect, reauthorise, switch) and the way back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog
from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from api.context import Context, ContextOf
from api.problems import Problem, invalid, unavailable
from crm import connections, consents
from crm.connections import Connected, GrantGone, GrantNotTaken, NewGrant
from crm.consents import Purpose
from gmail.consent import Grant, PartialConsent, new_verifier
from gmail.errors import GoogleError, GrantRefused
from models import PendingConsent, User
from settings import Settings
from workflows.commands import WorkflowsUnavailable

log = structlog.get_logger()
router = APIRouter(tags=["Consent"])

RELEASE_WAIT_S = 10.0
RELEASE_LOOK_S = 0.05
LONGEST_RETURN_URL = 4000
"""It comes back in a header, with an answer added."""
SETTINGS_PAGE = "/settings/email"


class AuthorizationAnswer(BaseModel):
    authorization_url: str


def checked_return_url(context: Context, return_url: str | None) -> str | None:
    """A `return_url` that leads to ourselves or to an allowed origin.

    Raises:
        Problem: 422, it leads elsewhere.
    """
    if return_url is None:
        return None
    if len(return_url) > LONGEST_RETURN_URL:
        raise invalid("#/return_url", f"is longer than {LONGEST_RETURN_URL} characters")
    if not _leads_back(context.settings, return_url):
        raise invalid(
            "#/return_url", "leads to an origin that is neither PUBLIC_URL nor in ALLOWED_RETURN_ORIGINS"
        )
    return return_url


def _leads_back(settings: Settings, url: str) -> bool:
    if "\\" in url or not url.isprintable() or url != url.strip():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme or parts.netloc:
        allowed = {*settings.return_origins, _origin(settings.public_url)}
        return parts.scheme in ("http", "https") and "@" not in parts.netloc and _origin(url) in allowed
    return url.startswith("/")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def await_release(context: Context, user_id: str) -> None:
    """Wait until a running disconnect has given its grant back: Google would end a new consent with it.

    Raises:
        Problem: 503, it takes too long.
    """
    deadline = time.monotonic() + RELEASE_WAIT_S
    while True:
        with context.database.session() as session:
            if not connections.being_released(session, user_id):
                return
        if time.monotonic() > deadline:
            raise unavailable("The mailbox is still being disconnected from Gmail. Try again in a moment.")
        time.sleep(RELEASE_LOOK_S)


def ask_for_consent(
    context: Context,
    session: Session,
    user: User,
    purpose: Purpose,
    *,
    account_id: str | None = None,
    login_hint: str | None = None,
    return_url: str | None = None,
) -> AuthorizationAnswer:
    """Remember a new `state` and say where the browser goes with it."""
    if not context.settings.google_client_id:
        raise unavailable("No Google project is set up: set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET.")
    verifier = new_verifier()
    state = consents.create(
        session,
        user,
        purpose,
        context.vault.encrypt(verifier),
        account_id=account_id,
        return_url=return_url,
    )
    return AuthorizationAnswer(
        authorization_url=context.consent.authorization_url(state, verifier, login_hint)
    )


@router.get(
    "/oauth/google/callback",
    status_code=302,
    response_class=RedirectResponse,
    responses={302: {"description": "To `return_url` with `?account_id=` or `?error=`."}},
)
def callback(
    context: ContextOf,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Where Google sends the browser back to. `state` serves once, for ten minutes."""
    with context.database.session() as session:
        consent = consents.take(session, state)
    if consent is None:
        raise Problem(
            400,
            "unknown-state",
            "This consent was not asked for here, was used already, or is older than ten minutes. "
            "Start again from the settings page.",
        )
    if error or not code:
        word = "access_denied" if error in ("access_denied", "") else "exchange_failed"
        return _back(context, consent, error=word)
    try:
        grant = context.consent.exchange(code, context.vault.decrypt(consent.code_verifier_encrypted))
    except PartialConsent as partial:
        _give_back(context, partial.token, partial.subject, partial.email)
        return _back(context, consent, error="missing_scopes")
    except GoogleError as failure:
        log.warning("consent_exchange_failed", error=type(failure).__name__, reason=failure.reason)
        return _back(context, consent, error="exchange_failed")
    try:
        connected = _take(context, consent, grant)
    except GrantNotTaken as refused:
        _give_back(context, grant.refresh_token, grant.subject, grant.email)
        return _back(context, consent, error=refused.error)
    except SQLAlchemyError as failure:
        log.error("consent_not_stored", error=type(failure).__name__)
        return _back(context, consent, error="exchange_failed")
    _start(context, consent, connected)
    return _back(context, consent, account_id=connected.account_id)


def _take(context: Context, consent: PendingConsent, grant: Grant) -> Connected:
    """Store the grant, unless it died since the exchange, given back with another connection of the mailbox."""
    with context.database.alone(connections.lock_of(grant.subject)):
        try:
            grant = context.consent.refreshed(grant)
        except GrantRefused:
            raise GrantGone from None
        with context.database.session() as session:
            connected = connections.take_grant(
                session,
                consent.user_id,
                Purpose(consent.purpose),
                consent.account_id,
                _sealed(context, grant),
            )
            if connected.switch:
                consents.remember_switch(session, consent, connected.account_id)
            return connected


def _sealed(context: Context, grant: Grant) -> NewGrant:
    return NewGrant(
        subject=grant.subject,
        email=grant.email,
        scopes=sorted(grant.scopes),
        refresh_token_encrypted=context.vault.encrypt(grant.refresh_token),
        access_token_encrypted=context.vault.encrypt(grant.access_token),
        access_token_expires_at=datetime.fromtimestamp(grant.expires_at, UTC),
    )


def _start(context: Context, consent: PendingConsent, connected: Connected) -> None:
    """Tell the workflows. Grant and wish are safe already: where Temporal is away, reconciliation tells them."""
    try:
        if connected.switch:
            context.tell(context.commands.switch(consent.user_id, connected.account_id))
            with context.database.session() as session:
                consents.forget_switches(session, consent.user_id, connected.account_id)
        else:
            context.tell(context.commands.account_consented(connected.account_id))
    except WorkflowsUnavailable:
        log.warning("consent_waits_for_temporal", account_id=connected.account_id)
    except SQLAlchemyError as failure:
        log.warning("switch_is_told_again", account_id=connected.account_id, error=type(failure).__name__)


def _give_back(context: Context, token: str, subject: str, email: str) -> None:
    """Revoke a grant that we do not take, unless another connection lives on it."""
    if not token or not (subject or email):
        return
    try:
        with context.database.alone(connections.lock_of(subject)):
            with context.database.session() as session:
                if connections.living(session, subject, email):
                    return
            context.consent.revoke(token)
    except (GoogleError, SQLAlchemyError) as failure:
        log.warning("refused_grant_not_revoked", error=type(failure).__name__)


def _back(context: Context, consent: PendingConsent, **outcome: str) -> RedirectResponse:
    target = consent.return_url or SETTINGS_PAGE
    if target.startswith("/"):
        target = context.settings.public_url + target
    parts = urlsplit(target)
    kept = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if pair[0] not in ("account_id", "error")
    ]
    query = urlencode([*kept, *outcome.items()])
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 302, {"Cache-Control": "no-store"})
