"""Addresses that get no bulk mail of a location any more: who unsubscribed, what does not exist, what bounces."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import and_, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from crm.addresses import email_key
from crm.paging import Page, page_of, position_of
from models import Campaign, CampaignRecipient, Suppression
from models.columns import now
from models.states import RecipientState

UNSUBSCRIBED = "unsubscribed"
NO_SUCH_ADDRESS = "the address does not exist"
CAME_BACK = "mail to it came back for good"
KEEPS_BOUNCING = "mail to it came back again and again"
BY_HAND = "added by hand"

DISCARDED = "discarded by a person"
"""Of a mail whose outcome was unknown: it says nothing about the address."""
MOST_BOUNCES = 3
BOUNCES_WITHIN = timedelta(days=30)
NOT_THE_ADDRESS = ("5.2.2", "5.2.3", "5.3", "5.6", "5.7")
"""Permanent by their code, yet about a full mailbox, this mail or its sender (RFC 3463): they count as temporary."""


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


def note_bounce(
    session: Session, location_id: str, email: str, *, permanent: bool, status: str | None
) -> None:
    """A mail of a campaign came back, which its recipient's row says already: no more bulk mail where it is hopeless.

    At once where there is no such mailbox or the notice is permanent; otherwise at the third within 30 days, a
    mail that was given up after refusals for now included.

    Args:
        status: the enhanced status (RFC 3463) of the notice.
    """
    if permanent and is_missing_mailbox(status, ""):
        add(session, location_id, email, NO_SUCH_ADDRESS)
    elif permanent and not _is_not_about_address(status or ""):
        add(session, location_id, email, CAME_BACK)
    elif _bounces(session, location_id, email) >= MOST_BOUNCES:
        add(session, location_id, email, KEEPS_BOUNCING)


def _is_not_about_address(status: str) -> bool:
    return any(status == code or status.startswith(f"{code}.") for code in NOT_THE_ADDRESS)


def _bounces(session: Session, location_id: str, email: str) -> int:
    given_up = and_(
        col(CampaignRecipient.state) == RecipientState.FAILED,
        col(CampaignRecipient.attempts) > 0,
        col(CampaignRecipient.reason).is_distinct_from(DISCARDED),
    )
    return session.exec(
        select(func.count())
        .select_from(CampaignRecipient)
        .join(Campaign, col(Campaign.id) == col(CampaignRecipient.campaign_id))
        .where(
            Campaign.location_id == location_id,
            CampaignRecipient.email_key == email_key(email),
            (col(CampaignRecipient.state) == RecipientState.BOUNCED) | given_up,
            col(CampaignRecipient.at) > now() - BOUNCES_WITHIN,
        )
    ).one()
