"""Settings > Earlier mail: what a changed rule or address would do to it, doing it, and taking it back (S12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from api.context import ContextOf
from api.pages.rendering import render
from api.pages.signing_in import Acting, SignedIn, Visitor
from api.problems import Problem
from api.routes import reviews
from api.routes.reviews import NewReview
from crm import review_views
from models.states import ReviewState

router = APIRouter(include_in_schema=False)

PAGE = "/settings/earlier-mail"
SHOWN = 20


def _page(
    context: ContextOf, visitor: Visitor, template: str, *, said: str = "", wrong: str = ""
) -> Response:
    with context.database.session() as session:
        found = review_views.listing(session, visitor.location_id, SHOWN)
    looking = any(review.state is ReviewState.LOOKING for review in found.items)
    return render(context, template, visitor, reviews=found.items, looking=looking, said=said, wrong=wrong)


@router.get(PAGE)
def review_page(
    visitor: SignedIn, context: ContextOf, refused: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """The location's reviews, and a form for a new one."""
    wrong = "It was undone, or is not ready yet. Nothing was changed." if refused else ""
    return _page(context, visitor, "reviews.html", wrong=wrong)


@router.get(f"{PAGE}/list")
def review_list(visitor: SignedIn, context: ContextOf) -> Response:
    """The reviews alone, fetched again while Gmail is being asked."""
    return _page(context, visitor, "review_list.html")


@router.post(PAGE)
def look(
    visitor: Acting, context: ContextOf, changed: Annotated[str, Form(max_length=20_000)] = ""
) -> Response:
    """See what a change would do. `changed`: domains and addresses, as people write them below each other."""
    words = [word for word in changed.replace(",", " ").replace(";", " ").split() if word]
    try:
        body = NewReview(
            emails=[word for word in words if "@" in word.lstrip("@")],
            domains=[word for word in words if "@" not in word.lstrip("@")],
        )
    except ValidationError:
        wrong = "Write addresses such as ann@example.com or domains such as example.com, one a line."
        return _page(context, visitor, "reviews.html", said=changed, wrong=wrong)
    with context.database.session() as session:
        made = reviews.preview(context, session, visitor.location_id, body)
    reviews.ask_gmail(context, made)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/{{review_id}}/apply")
def apply(review_id: str, visitor: Acting, context: ContextOf) -> Response:
    """Do it."""
    return _done(lambda: reviews.apply(review_id, visitor.location_id, context))


@router.post(f"{PAGE}/{{review_id}}/undo")
def undo(review_id: str, visitor: Acting, context: ContextOf) -> Response:
    """Take it back."""
    return _done(lambda: reviews.undo(review_id, visitor.location_id, context))


def _done(change: Callable[[], object]) -> Response:
    try:
        change()
    except Problem as problem:
        if problem.status != 409:
            raise
        return RedirectResponse(f"{PAGE}?refused=yes", 303)
    return RedirectResponse(PAGE, 303)
