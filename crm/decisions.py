"""What was decided of each Gmail id, and why (S28)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select, tuple_

from crm.paging import Page, page_of, position_of
from models import Decision


class DecisionView(BaseModel):
    """A decision as the API shows it."""

    gmail_id: str
    at: datetime
    outcome: str
    rule: str
    detail: str
    message_id: str | None = None
    attempts: int = 0
    next_try_at: datetime | None = None

    @classmethod
    def of(cls, decision: Decision) -> DecisionView:
        """The view of a row."""
        return cls(
            gmail_id=decision.gmail_id,
            at=decision.at,
            outcome=decision.outcome,
            rule=decision.rule,
            detail=decision.detail,
            message_id=decision.message_id,
            attempts=decision.attempts,
            next_try_at=decision.next_try_at,
        )


def listing(
    session: Session,
    account_id: str,
    limit: int,
    cursor: str | None = None,
    *,
    gmail_id: str | None = None,
    outcome: str | None = None,
) -> Page[DecisionView]:
    """Decisions of an account, newest first."""
    query = select(Decision).where(Decision.account_id == account_id)
    if gmail_id is not None:
        query = query.where(Decision.gmail_id == gmail_id)
    if outcome is not None:
        query = query.where(Decision.outcome == outcome)
    if (position := position_of("decisions", cursor, datetime, str)) is not None:
        query = query.where(tuple_(col(Decision.at), col(Decision.gmail_id)) < position)
    query = query.order_by(col(Decision.at).desc(), col(Decision.gmail_id).desc()).limit(limit + 1)
    page = page_of(session.exec(query).all(), limit, "decisions", lambda row: (row.at, row.gmail_id))
    return page.map(lambda rows: [DecisionView.of(row) for row in rows])
