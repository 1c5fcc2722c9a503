"""The way out of bulk mail: a page with one button, and the one-click request of mail programs (RFC 8058)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api.context import Context, ContextOf
from api.pages.rendering import render
from api.problems import not_found
from crm import campaigns

router = APIRouter(include_in_schema=False)
PURPOSE = "unsubscribe"


def _checked(context: Context, token: str, signature: str) -> None:
    if not context.tracker.signer.is_valid(signature, PURPOSE, token):
        raise not_found("subscription")


@router.get("/unsubscribe/{token}/{signature}")
def ask(token: str, signature: str, context: ContextOf) -> Response:
    """Ask; a GET changes nothing, since scanners follow every link of a mail."""
    _checked(context, token, signature)
    with context.database.session() as session:
        email = campaigns.address_of(session, token)
    if email is None:
        raise not_found("subscription")
    return render(context, "unsubscribe.html", None, email=email, done=False)


@router.post("/unsubscribe/{token}/{signature}")
def confirm(token: str, signature: str, request: Request, context: ContextOf) -> Response:
    """No more bulk mail to this address; again changes nothing."""
    _checked(context, token, signature)
    with context.database.session() as session:
        email = campaigns.unsubscribe(session, token)
    if email is None:
        raise not_found("subscription")
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Unsubscribed.\n")
    return render(context, "unsubscribe.html", None, email=email, done=True)
