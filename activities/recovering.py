"""Filling a gap that Gmail's history no longer reaches (S6): from the list of ids, to a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session
from temporalio import activity

from activities import listing, outcomes
from activities.beating import beating
from activities.collecting import Collecting, Counts, NotCollecting
from activities.mailboxes import Mailboxes
from activities.relabelling import compare_labels
from crm import accounts, decisions, timeline
from gmail.budget import Priority
from gmail.errors import GoogleError
from models import Account
from models.columns import now
from models.states import AccountState, Outcome
from storage.database import Database
from workflows.values import Gap, GapInput, Report

MARGIN = timedelta(minutes=5)
"""Looked at before the gap too: clocks differ, and Gmail's search knows whole seconds."""
ROUND_S = 30.0
PART = 100


class Recovering:
    """A gap is filled in rounds, oldest first; what a round did stays, whatever happens in the next."""

    def __init__(self, database: Database, mailboxes: Mailboxes, collecting: Collecting) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._collecting = collecting

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.fill]

    @activity.defn(name="fill_gap")
    def fill(self, value: GapInput) -> Report:
        """One round; the report's gap is None once it is closed."""
        gap = value.gap
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
            if not accounts.collects(session, account):
                return outcomes.report(session, account)
            if account.disconnect_asked_at is not None:
                return outcomes.report(session, account, failed_step=True)
        mailbox = self._mailboxes.of(account, Priority.CATCH_UP)
        counts = Counts()
        until = time.monotonic() + ROUND_S
        try:
            with beating():
                found = listing.listed(self._database, account.id, mailbox, gap.since - MARGIN)
                missing = (*reversed(found.missing), *reversed(found.returned))
                done = 0
                while done < len(missing) and (done == 0 or time.monotonic() < until):
                    self._collecting.collect(account, mailbox, missing[done : done + PART], counts)
                    done += PART
                if done >= len(missing):
                    compare_labels(self._database, account, mailbox, gap.since + MARGIN)
        except NotCollecting:
            with self._database.session() as session:
                account = session.get_one(Account, account.id)
                open_ = accounts.collects(session, account)
                return outcomes.report(session, account, gap=gap if open_ else None)
        except GoogleError as error:
            with self._database.session() as session:
                account = session.get_one(Account, account.id)
                return outcomes.refused(session, account, error, value.failures, gap=gap)
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            assert row is not None
            if done < len(missing):
                gap = gap.model_copy(update={"rounds": gap.rounds + 1})
                return outcomes.report(session, row, gap=gap)
            accounts.advance_cursor(row, gap.cursor)
            row.last_synced_at = now()
            if found.ids or row.state == AccountState.RECOVERING:
                timeline.note(session, row.id, "gap", _ledger(session, row.id, gap, found.ids))
            outcomes.works(session, row, value.upkeep_at)
            return outcomes.report(session, row)


def _ledger(session: Session, account_id: str, gap: Gap, ids: Sequence[str]) -> str:
    """What became of the ids that Gmail lists, as the decisions say it: no throttle or crash loses a count."""
    counted = decisions.count(session, account_id, ids, decided_after=gap.opened_at or gap.since)
    missing = len(ids) - len(decisions.known(session, account_id, ids))
    return (
        f"The gap since {gap.since:%Y-%m-%d %H:%M} UTC is closed: {counted.total() + missing} listed, "
        f"{counted[Outcome.SYNCED]} synced, {counted[Outcome.SKIPPED]} not to sync, "
        f"{counted[Outcome.FAILED]} to be tried again, {missing} missing"
    )
