"""The story of an account for users and operators (S30)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select

from crm.paging import Page, page_of, position_of
from models import TimelineEntry


class TimelineView(BaseModel):
    """An entry as the API shows it."""

    at: datetime
    kind: str
    detail: str


def note(session: Session, account_id: str, kind: str, detail: str) -> None:
    """Add an entry, in plain words and without anything of a mail.

    Args:
        kind: the subject in one word, such as `state`, `sync`, `gap`, `retry`, `plan`.
    """
    session.add(TimelineEntry(account_id=account_id, kind=kind, detail=detail))


def listing(session: Session, account_id: str, limit: int, cursor: str | None = None) -> Page[TimelineView]:
    """Entries of an account, newest first."""
    query = select(TimelineEntry).where(TimelineEntry.account_id == account_id)
    if (position := position_of("timeline", cursor, int)) is not None:
        query = query.where(col(TimelineEntry.seq) < position[0])
    query = query.order_by(col(TimelineEntry.seq).desc()).limit(limit + 1)
    page = page_of(session.exec(query).all(), limit, "timeline", lambda row: (row.seq or 0,))
    return page.map(lambda rows: [TimelineView(at=row.at, kind=row.kind, detail=row.detail) for row in rows])
