"""Where the pixel and the links of sent mail lead (S24). Public: each address is signed, and good for one mail."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import DBAPIError

from api.context import Context, ContextOf
from api.pages.signing_in import is_signed_in
from api.problems import not_found
from crm import tracking

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()

_HEADERS = {
    "Cache-Control": "no-store, private, max-age=0",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


@router.api_route("/t/o/{message_id}/{signature}.gif", methods=["GET", "HEAD"])
def pixel(message_id: str, signature: str, request: Request, context: ContextOf) -> Response:
    """The pixel; shown also where the open cannot be kept or does not count."""
    if not context.tracker.is_pixel(message_id, signature):
        raise not_found("picture")
    _record(context, request, message_id, tracking.OPEN)
    return Response(tracking.PIXEL, media_type="image/gif", headers=_HEADERS)


@router.api_route("/t/c/{message_id}/{signature}", methods=["GET", "HEAD"])
def link(
    message_id: str,
    signature: str,
    request: Request,
    context: ContextOf,
    u: Annotated[str, Query(max_length=tracking.LONGEST_URL)],
) -> Response:
    """Lead on to where the mail's link leads, and only there."""
    if not context.tracker.is_click(message_id, signature, u):
        raise not_found("link")
    _record(context, request, message_id, tracking.CLICK, u)
    return RedirectResponse(u, 302, headers=_HEADERS)


def _record(context: Context, request: Request, message_id: str, kind: str, url: str | None = None) -> None:
    """Keep it, unless the mail's own people look at it or somebody only asks whether it is there."""
    if request.method == "HEAD" or is_signed_in(request, context):
        return
    machine = tracking.is_machine(request.headers)
    try:
        with context.database.session() as session:
            tracking.record(session, message_id, kind, url=url, machine=machine)
    except DBAPIError as error:
        # The reader gets where the link leads; what is lost is one count.
        log.warning("tracking_lost", kind=kind, error=type(error).__name__)
