"""What was decided of each Gmail id, and why (S28)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select as plain_select
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, func, select, tuple_

from crm.case import Verdict
from crm.headline import Headline
from crm.paging import Page, page_of, position_of
from crm.world import id_hash
from models import Decision
from models.columns import now
from models.states import Outcome


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


def row(
    account_id: str,
    gmail_id: str,
    verdict: Verdict,
    message_id: str | None,
    headline: Headline | None = None,
) -> dict[str, Any]:
    """A decision as a row; of what left its thread the hash of its Message-ID stays (S18), nothing else of a mail."""
    own_id = headline.mail.message_id if headline else None
    return {
        "account_id": account_id,
        "gmail_id": gmail_id,
        "at": now(),
        "outcome": verdict.outcome,
        "rule": verdict.rule,
        "detail": verdict.detail,
        "message_id": message_id,
        "gmail_thread_id": headline.gmail_thread_id if headline else None,
        "internal_date": headline.internal_date if headline else None,
        "attempts": 0,
        "next_try_at": None,
        "message_id_hash": id_hash(own_id) if own_id and verdict.left_thread else None,
        "left_thread": verdict.left_thread,
    }


def fail(
    session: Session,
    account_id: str,
    gmail_id: str,
    error: str,
    next_try_at: datetime,
    *,
    gmail_thread_id: str | None = None,
    internal_date: datetime | None = None,
) -> int:
    """An id could not be decided yet: it is tried again, and stops nobody else (I4).

    Args:
        error: what went wrong, in words without anything of a mail.
        gmail_thread_id, internal_date: as far as they are known, so that later mail of the thread waits for it.

    Returns:
        the failed tries so far.
    """
    statement = insert(Decision).values(
        account_id=account_id,
        gmail_id=gmail_id,
        at=now(),
        outcome=Outcome.FAILED,
        rule="",
        detail=error[:300],
        attempts=1,
        next_try_at=next_try_at,
        gmail_thread_id=gmail_thread_id,
        internal_date=internal_date,
        left_thread=False,
    )
    tries = session.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id", "gmail_id"],
            set_={
                "attempts": col(Decision.attempts) + 1,
                "at": statement.excluded.at,
                "outcome": Outcome.FAILED,
                "rule": "",
                "detail": statement.excluded.detail,
                "next_try_at": statement.excluded.next_try_at,
                "gmail_thread_id": func.coalesce(
                    statement.excluded.gmail_thread_id, col(Decision.gmail_thread_id)
                ),
                "internal_date": func.coalesce(statement.excluded.internal_date, col(Decision.internal_date)),
            },
            where=col(Decision.outcome) != Outcome.SYNCED,
        ).returning(col(Decision.attempts))
    ).scalar()
    return tries or 0


# OFFSET 0 and || '': one probe of the primary key per id, also before a young table has statistics (see crm.facts).
_OF = sql(
    "SELECT d.* FROM unnest(CAST(:gmail_ids AS text[])) AS i(id) CROSS JOIN LATERAL"
    " (SELECT * FROM decisions WHERE gmail_id = i.id AND account_id || '' = :account_id OFFSET 0) d"
)


_KNOWN = sql(
    "SELECT d.gmail_id FROM unnest(CAST(:gmail_ids AS text[])) AS i(id) CROSS JOIN LATERAL"
    " (SELECT gmail_id, at FROM decisions WHERE gmail_id = i.id AND account_id || '' = :account_id OFFSET 0) d"
    " WHERE d.at > CAST(:decided_after AS timestamptz)"
)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def known(
    session: Session, account_id: str, gmail_ids: Sequence[str], *, decided_after: datetime = _EVER
) -> set[str]:
    """Which of these ids have a decision, of whatever outcome, later than a moment."""
    values = {"account_id": account_id, "gmail_ids": list(gmail_ids), "decided_after": decided_after}
    return set(session.execute(_KNOWN, values).scalars())


_COUNT = sql(
    "SELECT d.outcome, count(*) FROM unnest(CAST(:gmail_ids AS text[])) AS i(id) CROSS JOIN LATERAL"
    " (SELECT outcome, at FROM decisions WHERE gmail_id = i.id AND account_id || '' = :account_id OFFSET 0) d"
    " WHERE d.at > CAST(:decided_after AS timestamptz) GROUP BY d.outcome"
)


def count(
    session: Session, account_id: str, gmail_ids: Sequence[str], *, decided_after: datetime = _EVER
) -> Counter[Outcome]:
    """How many of these ids were decided later than a moment, by outcome."""
    values = {"account_id": account_id, "gmail_ids": list(gmail_ids), "decided_after": decided_after}
    return Counter({Outcome(outcome): number for outcome, number in session.execute(_COUNT, values)})


def failed(session: Session, account_id: str) -> Sequence[str]:
    """The ids that wait for another try, the one that is due first in front."""
    query = select(Decision.gmail_id).where(
        Decision.account_id == account_id, Decision.outcome == Outcome.FAILED
    )
    return session.exec(query.order_by(col(Decision.next_try_at))).all()


def number_failed(session: Session, account_id: str) -> int:
    """How many ids wait for another try."""
    return session.exec(
        select(func.count()).where(Decision.account_id == account_id, Decision.outcome == Outcome.FAILED)
    ).one()


def put_aside(session: Session, account_id: str) -> set[str]:
    """The ids that were decided while they lay in spam or the trash (S31): they may have left it since."""
    rows = session.exec(
        select(Decision.gmail_id).where(
            Decision.account_id == account_id, Decision.outcome == Outcome.SKIPPED, Decision.rule == "S31"
        )
    )
    return set(rows)


_OF_THREADS = sql(
    "SELECT d.* FROM unnest(CAST(:thread_ids AS text[])) AS i(id) CROSS JOIN LATERAL"
    " (SELECT * FROM decisions WHERE account_id = :account_id AND gmail_thread_id = i.id OFFSET 0) d"
)


def of_threads(session: Session, account_id: str, gmail_thread_ids: Iterable[str]) -> list[Decision]:
    """The decisions of all messages in these Gmail threads, in no order."""
    query = plain_select(Decision).from_statement(_OF_THREADS)
    wanted = {"account_id": account_id, "thread_ids": sorted(set(gmail_thread_ids))}
    return list(session.execute(query, wanted).scalars())


def of(session: Session, account_id: str, gmail_ids: Sequence[str]) -> dict[str, Decision]:
    """The decisions of these ids; ids without one are left out."""
    if not gmail_ids:
        return {}
    query = plain_select(Decision).from_statement(_OF)
    rows = session.execute(query, {"account_id": account_id, "gmail_ids": list(dict.fromkeys(gmail_ids))})
    return {row.gmail_id: row for row in rows.scalars()}
