"""Reviews as the API shows them: "would add 14, hide 2"."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select

from crm.paging import Page, page_of, position_of
from models import Review
from models.states import ReviewState


class NotRead(BaseModel):
    """A mailbox that could not be asked."""

    account_id: str
    reason: str


class ReviewView(BaseModel):
    """What a changed rule or address would do to earlier mail; `looking` while Gmail is being asked."""

    id: str
    state: ReviewState
    emails: list[str]
    domains: list[str]
    would_add: int
    would_hide: int
    would_show: int
    not_read: list[NotRead]
    created_at: datetime
    applied_at: datetime | None
    undone_at: datetime | None

    @classmethod
    def of(cls, review: Review) -> ReviewView:
        """The view of a row."""
        return cls(
            id=review.id,
            state=ReviewState(review.state),
            emails=review.emails,
            domains=review.domains,
            would_add=sum(not one.get("here") for one in review.to_add),
            would_hide=len(review.to_hide),
            would_show=len(review.to_show),
            not_read=[NotRead.model_validate(one) for one in review.not_read],
            created_at=review.created_at,
            applied_at=review.applied_at,
            undone_at=review.undone_at,
        )


def get(session: Session, location_id: str, review_id: str) -> Review | None:
    """A review of the location, or None."""
    review = session.get(Review, review_id)
    return review if review is not None and review.location_id == location_id else None


def listing(session: Session, location_id: str, limit: int, cursor: str | None = None) -> Page[ReviewView]:
    """The location's reviews, newest first."""
    query = select(Review).where(Review.location_id == location_id)
    if (position := position_of("reviews", cursor, str)) is not None:
        query = query.where(col(Review.id) < position[0])
    query = query.order_by(col(Review.id).desc()).limit(limit + 1)
    page = page_of(session.exec(query).all(), limit, "reviews", lambda review: (review.id,))
    return page.map(lambda rows: [ReviewView.of(review) for review in rows])


def unread(session: Session, before: datetime) -> list[str]:
    """Reviews that still wait for Gmail, made before a moment: their workflow may have been lost."""
    query = select(Review.id).where(Review.state == ReviewState.LOOKING, col(Review.created_at) < before)
    return list(session.exec(query.order_by(col(Review.created_at)).limit(500)))
