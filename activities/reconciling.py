"""The safety net for pushes that were lost: quiet accounts are compared with Gmail in large batches, 2 units each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

import structlog
from sqlalchemy import and_, func, or_
from sqlmodel import col, select, update
from temporalio import activity

from activities.beating import beating
from activities.mailboxes import Mailboxes
from crm import consents
from gmail.budget import Priority
from gmail.errors import GoogleError
from models import Account, Decision, PendingConsent
from models.columns import now
from models.states import AccountState, Outcome
from storage.database import Database
from workflows.values import BatchInput, BatchReport, SwitchWish

log = structlog.get_logger("reconcile")

BATCH = 500
AT_A_TIME = 8
STUCK_AFTER = timedelta(minutes=20)
"""An account that has something to do should have done it by then: its longest wait is ten minutes."""
UNTOLD_AFTER = timedelta(minutes=1)
FIRST_TOKEN_LASTS = timedelta(hours=1)
"""Google's access tokens live for an hour."""
MOST_RENEWED = 50
"""Watches of a batch that are doubted at once: after a long absence of ours their pushes are only late."""


class News(Enum):
    """What a look at an account found."""

    NONE = auto()
    UNANNOUNCED = auto()
    """Gmail's history has something that no push has told of: the watch may be gone, whatever it was to last."""
    OTHER = auto()


class Reconciling:
    """Compares cursors; only accounts with news are woken."""

    def __init__(self, database: Database, mailboxes: Mailboxes) -> None:
        self._database = database
        self._mailboxes = mailboxes

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.reconcile_batch]

    @activity.defn(name="reconcile_batch")
    def reconcile_batch(self, value: BatchInput) -> BatchReport:
        """The next batch, in the order of ids."""
        at = now()
        quiet = self._quiet(value)
        wake: list[str] = []
        calm: list[str] = []
        unannounced: list[str] = []
        with beating(), ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="reconcile") as threads:
            for account, news in zip(quiet, threads.map(self._news, quiet), strict=True):
                (calm if news is News.NONE else wake).append(account.id)
                if news is News.UNANNOUNCED and account.watch_expires_at is not None:
                    unannounced.append(account.id)
        self._looked_at(calm, at)
        wake += self._stuck(value, set(wake))
        consented, switches = self._untold(value), self._untold_switches(value)
        after = quiet[-1].id if len(quiet) == BATCH else None
        if wake:
            log.info("reconcile_found_news", accounts=len(wake), looked_at=len(quiet))
        return BatchReport(
            looked_at=len(quiet),
            wake=wake,
            consented=consented,
            switches=switches,
            disconnects=self._untold_disconnects(value),
            unannounced=unannounced[:MOST_RENEWED],
            after=after,
        )

    def _quiet(self, value: BatchInput) -> Sequence[Account]:
        before = now() - timedelta(seconds=value.interval_s)
        with self._database.session() as session:
            return session.exec(
                select(Account)
                .where(
                    Account.state == AccountState.ACTIVE,
                    col(Account.id) > (value.after or ""),
                    col(Account.history_id).is_not(None),
                    func.coalesce(Account.last_synced_at, Account.created_at) <= before,
                )
                .order_by(col(Account.id))
                .limit(BATCH)
            ).all()

    def _news(self, account: Account) -> News:
        """Also where Google refuses: the account's own workflow finds out what that means."""
        if account.watch_expires_at is not None and account.watch_expires_at < now():
            return News.OTHER
        if account.last_synced_at is None:
            return News.OTHER  # not read even once: history alone does not tell what is missing
        mailbox = self._mailboxes.of(account, Priority.CATCH_UP)
        try:
            page = mailbox.history(account.history_id or 0, page_size=1)
        except GoogleError as error:
            log.info("reconcile_refused", account=account.id, error=type(error).__name__)
            return News.OTHER
        return News.UNANNOUNCED if page.changes or page.next_page_token is not None else News.NONE

    def _looked_at(self, account_ids: Sequence[str], at: datetime) -> None:
        """Nothing is new there, which is as good as a sync."""
        if account_ids:
            with self._database.session() as session:
                session.execute(
                    update(Account).where(col(Account.id).in_(account_ids)).values(last_synced_at=at)
                )

    def _untold(self, value: BatchInput) -> list[str]:
        """Accounts with a grant that their workflow was not told of: Temporal was away when it came.

        Of a refused account only a newer grant counts, which the end of its first access token tells.
        """
        if value.after is not None:
            return []
        connecting = and_(
            col(Account.state) == AccountState.CONNECTING,
            col(Account.state_changed_at) < now() - UNTOLD_AFTER,
        )
        refused = and_(
            col(Account.state) == AccountState.REAUTHORIZATION_REQUIRED,
            col(Account.access_token_expires_at) > col(Account.state_changed_at) + FIRST_TOKEN_LASTS,
            col(Account.access_token_expires_at) < now() + FIRST_TOKEN_LASTS - UNTOLD_AFTER,
        )
        wished = select(PendingConsent.account_id).where(
            PendingConsent.purpose == consents.Purpose.SWITCH, col(PendingConsent.account_id).is_not(None)
        )
        with self._database.session() as session:
            return list(
                session.exec(
                    select(Account.id).where(
                        col(Account.refresh_token_encrypted).is_not(None),
                        or_(connecting, refused),
                        col(Account.id).not_in(wished),
                    )
                )
            )

    def _untold_switches(self, value: BatchInput) -> list[SwitchWish]:
        """Switches that a user consented to while Temporal was away (S4)."""
        if value.after is not None:
            return []
        with self._database.session() as session:
            found = consents.untold_switches(session, now() - UNTOLD_AFTER)
        return [SwitchWish(user_id=user_id, account_id=account_id) for user_id, account_id in found]

    def _untold_disconnects(self, value: BatchInput) -> list[str]:
        """Accounts whose user asked to disconnect, when the API died before it could say so (S5)."""
        if value.after is not None:
            return []
        with self._database.session() as session:
            asked = select(Account.id).where(col(Account.disconnect_asked_at) < now() - UNTOLD_AFTER)
            return list(session.exec(asked))

    def _stuck(self, value: BatchInput, looked_at: set[str]) -> list[str]:
        """Accounts that should have moved by themselves: their workflow was lost, or never started."""
        if value.after is not None:
            return []
        late = now() - STUCK_AFTER
        due = select(Decision.account_id).where(
            Decision.outcome == Outcome.FAILED, col(Decision.next_try_at) < late
        )
        recovering = and_(col(Account.state) == AccountState.RECOVERING, col(Account.state_changed_at) < late)
        active = and_(
            col(Account.state) == AccountState.ACTIVE,
            or_(col(Account.id).in_(due), col(Account.next_action_at) < late),
        )
        with self._database.session() as session:
            found = session.exec(select(Account.id).where(or_(recovering, active))).all()
        return [account_id for account_id in found if account_id not in looked_at]
