"""The story of an account for users and operators (S30)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlmodel import Session, col, select

from crm.paging import Page, cursor_of, page_of, position_of
from models import Account, TimelineEntry
from models.columns import now

TOGETHER = timedelta(hours=1)
"""Entries of one kind that follow each other within this time are one."""


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


def retell(session: Session, account_id: str, kind: str, detail: str) -> None:
    """Add an entry; where the last one is of this kind and younger than an hour, it is told anew instead."""
    last = _last(session, account_id, kind)
    if last is None:
        note(session, account_id, kind, detail)
    else:
        last.detail = detail
        session.add(last)


def synced(session: Session, account_id: str, synced: int, skipped: int) -> None:
    """What a sync brought; syncs that follow each other within an hour are one entry."""
    last = _last(session, account_id, "sync")
    before = _SYNCED.fullmatch(last.detail) if last is not None else None
    if before is not None:
        synced, skipped = synced + int(before[1]), skipped + int(before[2])
    retell(session, account_id, "sync", f"New mail: {synced} synced, {skipped} not to sync")


_SYNCED = re.compile(r"New mail: (\d+) synced, (\d+) not to sync")


def _last(session: Session, account_id: str, kind: str) -> TimelineEntry | None:
    """The last entry, where it is of this kind and young enough to be told anew."""
    query = select(TimelineEntry).where(TimelineEntry.account_id == account_id)
    last = session.exec(query.order_by(col(TimelineEntry.seq).desc()).limit(1)).first()
    return last if last is not None and last.kind == kind and last.at > now() - TOGETHER else None


def plan(account: Account) -> TimelineView | None:
    """The next planned step as an entry; it is in no row, since it is what the account's row says now."""
    if account.next_action is None:
        return None
    return TimelineView(at=account.next_action_at or now(), kind="plan", detail=account.next_action)


def listing(
    session: Session,
    account_id: str,
    limit: int,
    cursor: str | None = None,
    *,
    plan: TimelineView | None = None,
) -> Page[TimelineView]:
    """Entries of an account, newest first.

    Args:
        plan: goes before all others.
    """
    position = position_of("timeline", cursor, int)
    first = [plan] if plan is not None and position is None else []
    query = select(TimelineEntry).where(TimelineEntry.account_id == account_id)
    if position is not None:
        query = query.where(col(TimelineEntry.seq) < position[0])
    room = limit - len(first)
    rows = session.exec(query.order_by(col(TimelineEntry.seq).desc()).limit(room + 1)).all()
    if rows and not room:
        return Page(first, cursor_of("timeline", (_BEFORE_ALL,)))
    page = page_of(rows, room, "timeline", lambda row: (row.seq or 0,))
    views = [TimelineView(at=row.at, kind=row.kind, detail=row.detail) for row in page.items]
    return Page([*first, *views], page.next_cursor)


_BEFORE_ALL = 2**63 - 1
