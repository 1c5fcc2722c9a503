"""Who looks at a page: a link signs in once, then a cookie does; forms carry a token against forgery."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Header, Request
from fastapi.responses import RedirectResponse, Response

from api.context import Context, ContextOf
from api.problems import Problem
from crm import events, sessions
from models import User

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who is signed in."""

    user_id: str
    location_id: str
    name: str
    email: str
    auto_bcc_token: str
    csrf: str
    seen: int
    """The newest event when the page was begun: it hears of all that come after."""


def _cookie_name(context: Context) -> str:
    # Browsers take the prefix only over https; it keeps other hosts of the domain from setting the cookie.
    return "__Host-session" if _is_https(context) else "session"


def _is_https(context: Context) -> bool:
    return context.settings.public_url.startswith("https:")


def is_signed_in(request: Request, context: Context) -> bool:
    """Whether a request comes from the browser of a user of ours."""
    cookie = request.cookies.get(_cookie_name(context), "")
    if not cookie:
        return False
    with context.database.session() as session:
        return sessions.user_of(session, cookie) is not None


def _csrf(cookie: str) -> str:
    return hashlib.sha256(f"csrf/{cookie}".encode()).hexdigest()


def _visitor(request: Request, context: ContextOf) -> Visitor:
    cookie = request.cookies.get(_cookie_name(context), "")
    user: User | None = None
    seen = 0
    if cookie:
        with context.database.session() as session:
            user = sessions.user_of(session, cookie)
            seen = events.newest_seq(session, user.location_id) if user else 0
    if user is None:
        raise Problem(
            401,
            "sign-in-needed",
            "You are not signed in here. Open this page from your CRM: it gives you a link that signs you in.",
        )
    return Visitor(user.id, user.location_id, user.name, user.email, user.auto_bcc_token, _csrf(cookie), seen)


SignedIn = Annotated[Visitor, Depends(_visitor)]


def _guarded(
    visitor: SignedIn,
    csrf: Annotated[str, Form()] = "",
    x_csrf_token: Annotated[str, Header()] = "",
) -> Visitor:
    if not hmac.compare_digest((x_csrf_token or csrf).encode(), visitor.csrf.encode()):
        raise Problem(403, "form-too-old", "This form is too old or came from elsewhere. Reload the page.")
    return visitor


Acting = Annotated[Visitor, Depends(_guarded)]
"""A signed-in user whose form is ours."""


@router.get("/session/{token}")
def sign_in(token: str, context: ContextOf) -> Response:
    """Sign in with a link: once, within ten minutes."""
    with context.database.session() as session:
        cookie = sessions.sign_in(session, token)
    if cookie is None:
        raise Problem(
            410,
            "link-used",
            "This link was used already or is older than ten minutes. Ask your CRM for a new one.",
        )
    response = RedirectResponse("/", 303)
    response.set_cookie(
        _cookie_name(context),
        cookie,
        max_age=int(sessions.COOKIE_LIVES.total_seconds()),
        httponly=True,
        secure=_is_https(context),
        samesite="lax",
        path="/",
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, _visitor: Acting, context: ContextOf) -> Response:
    """Forget the cookie."""
    name = _cookie_name(context)
    with context.database.session() as session:
        sessions.sign_out(session, request.cookies.get(name, ""))
    response = RedirectResponse("/signed-out", 303)
    response.delete_cookie(name, path="/", secure=_is_https(context), httponly=True, samesite="lax")
    return response
