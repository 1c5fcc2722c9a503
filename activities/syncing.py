"""Incremental sync: Gmail's history from our own cursor on, page by page (design: "Syncing without loss")."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from sqlmodel import Session
from temporalio import activity

from activities import outcomes
from activities.beating import beating
from activities.changes import Changes
from activities.collecting import Collecting, Counts, NotCollecting, due_again
from activities.mailboxes import Mailboxes
from crm import accounts, timeline
from gmail import errors
from gmail.budget import Priority
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from gmail.values import HistoryPage
from models import Account
from models.columns import now
from models.states import AccountState
from storage.database import Database
from workflows.values import Gap, Report, SyncInput

log = structlog.get_logger("sync")

ROUND_S = 30.0
"""A longer catch-up goes on in another round, so that others get their turn, and a proof that is asked for (S30)."""
MUCH_NEWS = 100
"""Records; with more of them a mailbox catches up, whatever woke it, and others go first."""


class Syncing:
    """One round of sync for one account. A round that is repeated changes nothing that was kept."""

    def __init__(self, database: Database, mailboxes: Mailboxes, collecting: Collecting) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._collecting = collecting

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.sync]

    @activity.defn(name="sync_account")
    def sync(self, value: SyncInput) -> Report:
        """List from the cursor; look, decide, fetch, keep; the cursor moves with what it passed."""
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
            start = value.cursor or account.history_id
            asked_to_end = account.disconnect_asked_at is not None
            if not accounts.collects(session, account) or start is None or asked_to_end:
                return outcomes.report(session, account)
            due = due_again(session, account.id)
        mailbox = self._mailboxes.of(account, Priority.CATCH_UP if value.catching_up else Priority.SYNC)
        round_ = _Round(value, start)
        try:
            with beating():
                if due:
                    self._collecting.collect(
                        account, mailbox, due, round_.counts, gap_open=not round_.own_cursor
                    )
                self._follow(account, mailbox, round_)
        except errors.HistoryExpired:
            return self._expired(account.id, mailbox, value)
        except NotCollecting:
            log.info("collecting_ended", account=account.id)
        except GoogleError as error:
            with self._database.session() as session:
                account = session.get_one(Account, account.id)
                round_.tell(session, account)
                return outcomes.refused(session, account, error, value.failures, **round_.facts())
        if round_.report is not None:
            return round_.report
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            assert row is not None
            round_.tell(session, row)
            if row.state == AccountState.PAUSED:
                outcomes.works(session, row)
            return outcomes.report(session, row, **round_.facts())

    def _follow(self, account: Account, mailbox: Mailbox, round_: _Round) -> None:
        """Page after page, also empty ones, until the end or the end of the round's time."""
        until = time.monotonic() + ROUND_S
        token: str | None = None
        while True:
            page = outcomes.patiently(partial(mailbox.history, round_.start, token))
            changes = Changes.of(page.changes)
            round_.saw(page, changes)
            if round_.records > MUCH_NEWS:
                mailbox = mailbox.with_priority(Priority.CATCH_UP)
            token = page.next_page_token

            def finish(session: Session, row: Account, last: bool = token is None) -> None:
                round_.tell(session, row)
                if not round_.own_cursor:
                    return  # a gap is being filled: until it is closed the account stays where it was
                accounts.advance_cursor(row, round_.cursor)
                if last:
                    row.last_synced_at = now()
                    outcomes.works(session, row, round_.upkeep_at)
                    lapsed = row.watch_expires_at is not None and row.watch_expires_at < now()
                    round_.report = outcomes.report(
                        session, row, upkeep_at=now() if lapsed else None, **round_.facts()
                    )

            self._collecting.take(
                account, mailbox, changes, round_.counts, finish, gap_open=not round_.own_cursor
            )
            if token is None:
                return
            if time.monotonic() > until:
                round_.more = True
                return

    def _expired(self, account_id: str, mailbox: Mailbox, value: SyncInput) -> Report:
        """History no longer reaches back to the cursor: the gap is filled from the list of ids instead."""
        try:
            profile = outcomes.patiently(mailbox.profile)
        except GoogleError as error:
            with self._database.session() as session:
                return outcomes.refused(session, session.get_one(Account, account_id), error, value.failures)
        with self._database.session() as session:
            account = accounts.locked(session, account_id)
            assert account is not None
            since = account.last_synced_at or account.connected_at or account.created_at
            outcomes.gap_opened(session, account, since)
            gap = Gap(since=since, cursor=profile.history_id, opened_at=now())
            return outcomes.report(session, account, gap=gap, cursor=profile.history_id)


class _Round:
    """How far a round came. The cursor is the id of the last record seen, not the mailbox's newest.

    Gmail's index may lag behind its own newest id, and what it does not show yet must not be passed.
    """

    def __init__(self, value: SyncInput, cursor: int) -> None:
        self.own_cursor = value.cursor is None
        self.upkeep_at = value.upkeep_at
        self.start = cursor
        self.cursor = cursor
        self.history_id: int | None = None
        self.records = 0
        self.drafts = False
        self.more = False
        self.counts = Counts()
        self.told = Counts()
        self.report: Report | None = None

    def saw(self, page: HistoryPage, changes: Changes) -> None:
        self.history_id = page.history_id
        self.records += len(page.changes)
        self.drafts = self.drafts or changes.drafts
        if page.last_record_id is not None:
            self.cursor = max(self.cursor, page.last_record_id)
        elif page.changes and page.next_page_token is None:
            self.cursor = max(self.cursor, page.history_id)

    def tell(self, session: Session, account: Account) -> None:
        """What came since it was told last, for the timeline."""
        counts, told = self.counts, self.told
        synced, skipped = counts.synced - told.synced, counts.skipped - told.skipped
        if synced or skipped:
            timeline.synced(session, account.id, synced, skipped)
        if failed := counts.newly_failed - told.newly_failed:
            number = "1 mail" if failed == 1 else f"{failed} mails"
            words = f"{number} could not be read yet: tried again by itself, and stops no other"
            timeline.note(session, account.id, "retry", words)
        self.told = replace(counts)

    def facts(self) -> dict[str, Any]:
        return {
            "cursor": self.cursor,
            "history_id": self.history_id,
            "records": self.records,
            "synced": self.counts.synced,
            "skipped": self.counts.skipped,
            "failed": self.counts.failed,
            "more": self.more,
            # Pushes within a second of the last are dropped; another look is within the budget of two messages.
            "look_again": self.drafts or self.counts.looked > 1,
        }
