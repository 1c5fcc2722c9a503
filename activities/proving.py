"""Proof of completeness: Gmail's ids against our decisions, repaired where something lacks, as a number (S30)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select
from temporalio import activity

from activities import listing, outcomes
from activities.beating import beating
from activities.collecting import Collecting, Counts, NotCollecting
from activities.mailboxes import Mailboxes
from crm import accounts, decisions, timeline
from gmail.budget import Priority
from gmail.errors import GoogleError
from models import Account, TimelineEntry
from models.columns import now
from models.states import AccountState
from storage.database import Database
from workflows.values import ProofInput, Report

FULL_EVERY = timedelta(days=7)
ALWAYS_FULL_UP_TO = 5000
"""Ids; so many are listed with 50 units, so a check of all is no dearer than a check of what is new."""
OVERLAP = timedelta(hours=1)
ON_ITS_WAY = timedelta(seconds=60)
"""Younger mail that has no decision yet is being synced, not missing."""
MOST_REPAIRED = 500
"""In one check; the rest in the next round."""
ALL = "All ids since the connection were compared"
NEW = "New ids were compared"


class Proving:
    """Compares, repairs, says so."""

    def __init__(self, database: Database, mailboxes: Mailboxes, collecting: Collecting) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._collecting = collecting

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.prove_account]

    @activity.defn(name="prove_account")
    def prove_account(self, value: ProofInput) -> Report:
        """Check now; all of it where `full`, or where the last full check is a week ago."""
        return self.prove(value.account_id, full=value.full)

    def prove(self, account_id: str, *, full: bool = False, upkeep_at: datetime | None = None) -> Report:
        """One check of one account; `more` where it has to go on in another round."""
        with self._database.session() as session:
            account = session.get_one(Account, account_id)
            if account.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
                return outcomes.report(session, account, upkeep_at=upkeep_at)
            connected_at = account.connected_at if account.connected_at else account.created_at
            checked_at = account.completeness_checked_at
            full = full or checked_at is None or _full_is_due(session, account)
        since = connected_at if full or checked_at is None else max(connected_at, checked_at - OVERLAP)
        mailbox = self._mailboxes.of(account, Priority.CATCH_UP)
        counts = Counts()
        try:
            with beating():
                found = listing.listed(self._database, account_id, mailbox, since)
                part = tuple(reversed(found.missing))[:MOST_REPAIRED]
                returned = found.returned[:MOST_REPAIRED]
                self._collecting.collect(account, mailbox, (*part, *reversed(returned)), counts)
        except NotCollecting:
            with self._database.session() as session:
                return outcomes.report(session, session.get_one(Account, account_id))
        except GoogleError as error:
            with self._database.session() as session:
                account = session.get_one(Account, account_id)
                return outcomes.refused(session, account, error, upkeep_at=upkeep_at)
        still_missing = len(found.missing) - len(part)
        with self._database.session() as session:
            row = accounts.locked(session, account_id)
            assert row is not None
            listed = len(found.ids)
            if not full and checked_at is not None:
                listed = (row.completeness_listed or 0) + _new_since(session, row.id, found.ids, checked_at)
            accounts.set_completeness(row, listed, listed - still_missing)
            repaired = _old_of(session, row.id, part)
            if repaired or full:
                timeline.note(
                    session,
                    row.id,
                    "proof",
                    f"{ALL if full else NEW}: {_words(listed, repaired, still_missing)}",
                )
            outcomes.works(session, row)
            return outcomes.report(session, row, upkeep_at=upkeep_at, more=still_missing > 0)


def _words(listed: int, repaired: int, missing: int) -> str:
    found = f"{repaired} had been missed and are synced now" if repaired else "nothing had been missed"
    return f"Gmail lists {listed}, {found}, {missing} are missing"


def _full_is_due(session: Session, account: Account) -> bool:
    if (account.completeness_listed if account.completeness_listed else 0) <= ALWAYS_FULL_UP_TO:
        return True
    last: datetime | None = session.exec(
        select(func.max(col(TimelineEntry.at))).where(
            TimelineEntry.account_id == account.id,
            TimelineEntry.kind == "proof",
            col(TimelineEntry.detail).startswith(ALL),
        )
    ).one()
    return last is None or last < now() - FULL_EVERY


def _new_since(session: Session, account_id: str, ids: Sequence[str], checked_at: datetime) -> int:
    """How many of the ids were decided after the last check, and so are in no number yet."""
    return len(decisions.known(session, account_id, ids, decided_after=checked_at))


def _old_of(session: Session, account_id: str, ids: Sequence[str]) -> int:
    """How many of the ids that had no decision are too old for having been on their way."""
    before = now() - ON_ITS_WAY
    found = decisions.of(session, account_id, ids).values()
    return sum(one.internal_date is not None and one.internal_date < before for one in found)
