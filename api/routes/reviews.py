"""Changed rules and addresses applied to earlier mail: previewed, applied, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session

from api.context import Context, ContextOf
from api.fields import EmailIn
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import Problem, invalid, not_found
from api.routes.locations import domain
from crm import contacts, review_views, reviews
from crm.review_views import ReviewView
from models import Review
from models.states import ReviewState

router = APIRouter(tags=["Reviews"])


class NewReview(BaseModel):
    """What changed; at least one of the three."""

    model_config = ConfigDict(extra="forbid")

    domains: list[Annotated[str, AfterValidator(domain)]] = Field(
        [], max_length=100, description="Staff domains that were added or taken away."
    )
    emails: list[EmailIn] = Field(
        [],
        max_length=1000,
        description="Staff addresses that were added or taken away; addresses that a contact lost.",
    )
    contact_id: str | None = Field(
        None, description="A contact that is new, was merged, or has new addresses: all that it has now."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.domains or self.emails or self.contact_id):
            raise ValueError("say what changed: `domains`, `emails` or `contact_id`")
        return self


@router.post("/v1/reviews", status_code=202, response_model=ReviewView)
def create(body: NewReview, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """See what a change would do to earlier mail. Nothing is changed yet; `looking` until Gmail was asked."""
    with context.database.session() as session:
        answer = once.answer(session, body, 202, lambda: preview(context, session, location_id, body))
    # Also for a repeated request: the first one may have ended between its commit and this.
    ask_gmail(context, ReviewView.model_validate_json(bytes(answer.body)))
    return answer


def preview(context: Context, session: Session, location_id: str, body: NewReview) -> ReviewView:
    """What is known at once of what a change would do.

    Raises:
        Problem: 422, there is no such contact, or it has no address.
    """
    emails = [*body.emails, *_addresses(session, location_id, body.contact_id)]
    return ReviewView.of(
        reviews.preview(session, location_id, emails, body.domains, context.settings.auto_bcc_domain)
    )


def ask_gmail(context: Context, review: ReviewView) -> None:
    """Have the rest found out, once the review is committed."""
    if review.state is ReviewState.LOOKING:
        context.tell_or_leave(context.commands.run_review(review.id), "run_review", review.id)


def _addresses(session: Session, location_id: str, contact_id: str | None) -> list[str]:
    if contact_id is None:
        return []
    if contacts.get(session, location_id, contact_id) is None:
        raise invalid("#/contact_id", "there is no such contact in this location")
    found = contacts.addresses_of(session, [contact_id])[contact_id]
    if not found:
        raise invalid("#/contact_id", "the contact has no address")
    return found


def _review(session: Session, location_id: str, review_id: str) -> Review:
    review = review_views.get(session, location_id, review_id)
    if review is None:
        raise not_found("review")
    return review


@router.get("/v1/reviews")
def listing(location_id: LocationId, context: ContextOf, paging: Paging) -> Listing[ReviewView]:
    """The location's reviews, newest first."""
    with context.database.session() as session:
        return Listing.of(review_views.listing(session, location_id, paging.limit, paging.cursor))


@router.get("/v1/reviews/{review_id}")
def read(review_id: str, location_id: LocationId, context: ContextOf) -> ReviewView:
    """What a review would do, or did."""
    with context.database.session() as session:
        return ReviewView.of(_review(session, location_id, review_id))


@router.post("/v1/reviews/{review_id}/apply", status_code=202)
def apply(review_id: str, location_id: LocationId, context: ContextOf) -> ReviewView:
    """Hide and show at once, and fetch what is to be added; 409 while Gmail is being asked, or once undone."""
    with context.database.session() as session:
        review = _changed(session, location_id, review_id, reviews.apply)
        view = ReviewView.of(review)
        mailboxes = sorted({one["account_id"] for one in review.to_add})
    for account_id in mailboxes:
        context.tell_or_leave(context.commands.gmail_changed(account_id, None), "gmail_changed", account_id)
    return view


@router.post("/v1/reviews/{review_id}/undo", status_code=200)
def undo(review_id: str, location_id: LocationId, context: ContextOf) -> ReviewView:
    """Show what it hid and hide what it brought; 409 before it was applied."""
    with context.database.session() as session:
        return ReviewView.of(_changed(session, location_id, review_id, reviews.undo))


def _changed(
    session: Session, location_id: str, review_id: str, change: Callable[[Session, str], Review]
) -> Review:
    _review(session, location_id, review_id)
    try:
        return change(session, review_id)
    except reviews.WrongState as error:
        raise Problem(409, "not-possible", f"{str(error).capitalize()}.") from None
