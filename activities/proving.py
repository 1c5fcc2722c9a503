"""Proof of completeness: Gmail's ids against our decisions, repaired where something lacks, as a number (S30)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func
from sqlmodel import Session, col, select
from temporalio import activity

from activities import aliases, listing, outcomes
from activities.beating import beating
from activities.collecting import Collecting, Counts, NotCollecting
from activities.listing import Listed
from activities.mailboxes import Mailboxes
from crm import accounts, decisions, timeline
from gmail.budget import Priority
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from models import Account, TimelineEntry
from models.columns import now
from models.states import AccountState
from storage.database import Database
from workflows.values import ProofInput, Report

log = structlog.get_logger("proof")

FULL_EVERY = timedelta(days=7)
ALWAYS_FULL_UP_TO = 5000
"""Ids; so many are listed with 50 units, so a check of all is no dearer than a check of what is new."""
OVERLAP = timedelta(hours=1)
ON_ITS_WAY = timedelta(seconds=60)
"""Younger mail that has no decision yet is being synced, not missing."""
ROUND_S = 15.0
"""For what is missing; the rest in the next round, so that whoever asked has a number soon."""
PART = 100
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
        """Check now; all of it where `full`, or where the last full check is a week ago. Reads the aliases anew."""
        self._read_aliases(value.account_id)
        return self.prove(value)

    def _read_aliases(self, account_id: str) -> None:
        """Whoever asks for a look has perhaps just verified one; should Google refuse, the check says so."""
        with self._database.session() as session:
            account = session.get_one(Account, account_id)
        if account.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
            return
        try:
            with beating():
                aliases.read_anew(self._database, account, self._mailboxes.of(account, Priority.INTERACTIVE))
        except GoogleError as error:
            log.info("aliases_not_read", account=account_id, error=type(error).__name__)

    def prove(self, value: ProofInput) -> Report:
        """One round; `more` where another one has to go on, with all ids."""
        account_id, upkeep_at = value.account_id, value.upkeep_at
        with self._database.session() as session:
            account = session.get_one(Account, account_id)
            if account.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
                return outcomes.report(session, account, upkeep_at=upkeep_at)
            connected_at = account.connected_at if account.connected_at else account.created_at
            checked_at = account.completeness_checked_at
            full = value.full or checked_at is None or _full_is_due(session, account)
        since = connected_at if full or checked_at is None else max(connected_at, checked_at - OVERLAP)
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE if value.look_only else Priority.CATCH_UP)
        check = _Check(value, None if full else checked_at)
        refusal: GoogleError | None = None
        try:
            with beating():
                check.found = listing.listed(self._database, account_id, mailbox, since)
                if not value.look_only:
                    self._repair(account, mailbox, check.found)
        except NotCollecting:
            with self._database.session() as session:
                return outcomes.report(session, session.get_one(Account, account_id))
        except GoogleError as error:
            refusal = error
        with self._database.session() as session:
            row = accounts.locked(session, account_id)
            assert row is not None
            missing = check.write(session, row)
            facts = {"upkeep_at": upkeep_at, "repaired": check.repaired, "more": missing > 0}
            if refusal is not None:
                return outcomes.refused(session, row, refusal, value.failures, **facts)
            if not value.look_only:
                check.tell(session, row)
                outcomes.works(session, row, upkeep_at)
            return outcomes.report(session, row, **facts)

    def _repair(self, account: Account, mailbox: Mailbox, found: Listed) -> None:
        """Decide what was missing, oldest first, and look again at what left spam or the trash."""
        wanted = (*reversed(found.missing), *reversed(found.returned))
        until = time.monotonic() + ROUND_S
        for start in range(0, len(wanted), PART):
            self._collecting.collect(account, mailbox, wanted[start : start + PART], Counts())
            if time.monotonic() > until:
                return


class _Check:
    """What one round found, and what it says of it."""

    def __init__(self, value: ProofInput, since: datetime | None) -> None:
        self.repaired = value.repaired
        self.found: Listed | None = None
        self._since = since
        self._listed = self._missing = 0

    def write(self, session: Session, row: Account) -> int:
        """The numbers, as the decisions say them now; how many ids have none. Nothing where nothing was listed."""
        if self.found is None:
            return 0
        ids = self.found.ids
        self._missing = len(ids) - len(decisions.known(session, row.id, ids))
        self._listed = len(ids)
        if self._since is not None:
            new = len(decisions.known(session, row.id, ids, decided_after=self._since))
            self._listed = (row.completeness_decided or 0) + new + self._missing
        self.repaired += _old_of(session, row.id, self.found.missing)
        accounts.set_completeness(row, self._listed, self._listed - self._missing)
        return self._missing

    def tell(self, session: Session, row: Account) -> None:
        """A full check, and whatever had been missed, is in the timeline."""
        full = self._since is None
        if self.repaired or full:
            words = _words(self._listed, self.repaired, self._missing)
            timeline.note(session, row.id, "proof", f"{ALL if full else NEW}: {words}")


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


def _old_of(session: Session, account_id: str, ids: Sequence[str]) -> int:
    """How many of the ids that had no decision are too old for having been on their way."""
    before = now() - ON_ITS_WAY
    found = decisions.of(session, account_id, ids).values()
    return sum(one.internal_date is not None and one.internal_date < before for one in found)
