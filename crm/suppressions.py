"""Addresses that get no bulk mail of a location any more: who unsubscribed, and what does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from crm.addresses import email_key
from crm.paging import Page, page_of, position_of
from models import Suppression
from models.columns import now

UNSUBSCRIBED = "unsubscribed"
NO_SUCH_ADDRESS = "the address does not exist"
BY_HAND = "added by hand"


class SuppressionView(BaseModel):
    """An address on the list."""

    email: str
    reason: str
    at: datetime


def add(session: Session, location_id: str, email: str, reason: str) -> None:
    """Put an address on the list; one that is there stays with its first reason."""
    session.execute(
        insert(Suppression)
        .values(location_id=location_id, email_key=email_key(email), reason=reason, at=now())
        .on_conflict_do_nothing()
    )


def remove(session: Session, location_id: str, email: str) -> bool:
    """Take an address off the list; whether it was there."""
    result = session.exec(
        delete(Suppression)
        .where(col(Suppression.location_id) == location_id, col(Suppression.email_key) == email_key(email))
        .returning(col(Suppression.email_key))
    )
    return result.first() is not None


def among(session: Session, location_id: str, keys: Iterable[str]) -> dict[str, str]:
    """Those of these address keys that are on the list, with the reason."""
    rows = session.exec(
        select(Suppression.email_key, Suppression.reason).where(
            Suppression.location_id == location_id, col(Suppression.email_key).in_(list(keys))
        )
    )
    return dict(rows.all())


def listing(session: Session, location_id: str, limit: int, cursor: str | None = None) -> Page[Suppression]:
    """The list, by address."""
    query = select(Suppression).where(Suppression.location_id == location_id)
    if (position := position_of("suppressions", cursor, str)) is not None:
        query = query.where(col(Suppression.email_key) > position[0])
    query = query.order_by(col(Suppression.email_key)).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "suppressions", lambda row: (row.email_key,))


def view(row: Suppression) -> SuppressionView:
    """The view of a row."""
    return SuppressionView(email=row.email_key, reason=row.reason, at=row.at)


def is_missing_mailbox(status: str | None, words: str) -> bool:
    """Whether a refusal says that there is no such mailbox, and not that this mail was unwelcome.

    Args:
        status: the enhanced status (RFC 3463), where it was given apart.
        words: the reply, which may hold it (`550 5.1.1 ...`).
    """
    gone = ("5.1.1", "5.1.2", "5.1.10", "5.2.1")
    return (status or "") in gone or any(word in gone for word in words.split()[:2])
