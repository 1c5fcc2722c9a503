"""Gmail's watch: set, renewed daily, one at a time for each mailbox, and stopped when nobody needs it any more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlmodel import Session
from temporalio import activity

from activities import aliases, outcomes
from activities.address_books import AddressBooks
from activities.beating import beating
from activities.mailboxes import Mailboxes
from activities.proving import Proving
from crm import accounts, timeline
from gmail import errors
from gmail.budget import Priority
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from models import Account
from models.columns import now
from models.states import AccountState
from settings import Settings
from storage.database import Database
from workflows.values import AccountInput, ProofInput, Report

log = structlog.get_logger("watch")

NO_TOPIC = "Gmail cannot tell us of new mail at once; we look by ourselves every {} s"
JITTER = 0.1
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('watch/' || :mailbox, 0))")


class Watching:
    """Keeps watches alive."""

    def __init__(
        self,
        database: Database,
        mailboxes: Mailboxes,
        settings: Settings,
        proving: Proving,
        address_books: AddressBooks,
    ) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._settings = settings
        self._proving = proving
        self._address_books = address_books

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.keep_up]

    @activity.defn(name="keep_up_account")
    def keep_up(self, value: AccountInput) -> Report:
        """Daily: renew the watch, read aliases and contacts, prove that what is new is complete (S23, S30).

        Still due where the watch could not be renewed; a proof that came to no end goes on by itself.
        """
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
            if account.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
                return outcomes.report(session, account)
        mailbox = self._mailboxes.of(account)
        try:
            with beating():
                aliases.read_anew(self._database, account, mailbox)
                self.ensure(account, mailbox)
        except GoogleError as error:
            with self._database.session() as session:
                account = session.get_one(Account, value.account_id)
                return outcomes.refused(session, account, error, value.failures)
        self._address_books.refresh(account.id)
        proof = ProofInput(
            account_id=account.id, failures=value.failures, upkeep_at=self.next_upkeep(account)
        )
        return self._proving.prove(proof)

    def ensure(self, account: Account, mailbox: Mailbox) -> None:
        """Set or renew the watch; where our topic is refused the account says so and goes on without.

        Raises:
            GoogleError: Google refuses the account, or does not answer.
        """
        topic = self._settings.pubsub_topic
        expires: datetime | None = None
        reason: str | None = None
        if topic:
            try:
                expires = self._watch(account, mailbox.with_priority(Priority.INTERACTIVE), topic)
            except (errors.ConfigurationRefused, errors.WatchConflict, errors.InvalidRequest) as error:
                log.error("watch_refused", account=account.id, status=error.status, reason=error.reason)
                reason = NO_TOPIC.format(self._settings.reconcile_interval_s)
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            if row is None or row.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
                return  # switched away or disconnected meanwhile: what follows stops the watch
            row.watch_expires_at = expires
            if row.disconnect_asked_at is None:
                plan, at = outcomes.RENEW, self.next_upkeep(row)
                accounts.transition(session, row, AccountState.ACTIVE, reason, plan, at)
            if reason is None and expires is not None:
                timeline.note(session, account.id, "watch", f"Gmail tells of changes until {_short(expires)}")

    def _watch(self, account: Account, mailbox: Mailbox, topic: str) -> datetime:
        with self._alone(account.google_sub):
            try:
                state = mailbox.watch(topic)
            except errors.WatchConflict:
                mailbox.stop()
                state = mailbox.watch(topic)
        return datetime.fromtimestamp(state.expiration / 1000, UTC)

    def stop(self, account: Account, mailbox: Mailbox) -> bool:
        """Stop the watch unless another connection of the mailbox lives on it. Whether it was stopped.

        Raises:
            GoogleError: Google refuses, or does not answer.
        """
        if not self._settings.pubsub_topic:
            return False
        with self._alone(account.google_sub):
            with self._database.session() as session:
                if watchers_besides(session, account):
                    return False
            mailbox.stop()
        return True

    def next_upkeep(self, account: Account) -> datetime:
        """About a day from now, a little earlier for each account so that not all come at once."""
        share = hashlib.blake2b(account.id.encode(), digest_size=2).digest()
        spread = int.from_bytes(share, "big") / 65536 * JITTER
        return now() + timedelta(seconds=self._settings.watch_renewal_s * (1 - spread))

    def _alone(self, google_sub: str) -> _OneAtATime:
        return _OneAtATime(self._database, google_sub)


class _OneAtATime:
    """Parallel watch calls of one mailbox refuse each other ("Only one user push notification client")."""

    def __init__(self, database: Database, google_sub: str) -> None:
        self._session = Session(database.engine)
        self._google_sub = google_sub

    def __enter__(self) -> None:
        self._session.execute(_ONE_AT_A_TIME, {"mailbox": self._google_sub})

    def __exit__(self, *_: object) -> None:
        self._session.rollback()
        self._session.close()


def watchers_besides(session: Session, account: Account) -> list[Account]:
    """Other connections of the same mailbox that collect mail, and so need its one watch."""
    connections = accounts.accounts_of_mailbox(session, google_sub=account.google_sub)
    return [
        other
        for other in connections
        if other.id != account.id and other.state in (AccountState.ACTIVE, AccountState.RECOVERING)
    ]


def _short(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
