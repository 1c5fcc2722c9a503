"""The steps by which an account comes and goes: read, connect, follow a switch, disconnect (S1, S4, S5, S6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from temporalio import activity

from activities import aliases, outcomes
from activities.beating import beating
from activities.last_look import LastLook
from activities.mailboxes import Mailboxes
from activities.watching import Watching
from crm import accounts, connections, following, timeline
from gmail.budget import Priority
from gmail.consent import Consent
from gmail.errors import GoogleError
from gmail.values import Profile, SendAs
from models import Account, User
from models.columns import now
from models.states import AccountState
from storage.database import Database
from workflows.values import AccountInput, Gap, Report

log = structlog.get_logger("account")

COLLECTS = (AccountState.ACTIVE, AccountState.RECOVERING)


class Connecting:
    """Every step may be taken again: what is done already changes nothing."""

    def __init__(
        self,
        database: Database,
        mailboxes: Mailboxes,
        consent: Consent,
        watching: Watching,
        last_look: LastLook,
    ) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._consent = consent
        self._watching = watching
        self._last_look = last_look

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.load, self.connect, self.settle, self.disconnect]

    @activity.defn(name="load_account")
    def load(self, value: AccountInput) -> Report:
        """Where the account stands, for a workflow that begins."""
        with self._database.session() as session:
            account = session.get(Account, value.account_id)
            if account is None:
                return Report(state=AccountState.DISCONNECTED, reason="There is no such account")
            upkeep_at = account.next_action_at if account.state in COLLECTS else None
            return outcomes.report(session, account, upkeep_at=upkeep_at or now())

    @activity.defn(name="connect_account")
    def connect(self, value: AccountInput) -> Report:
        """After a consent: a new connection, one that revives, or one that goes on after a reauthorisation."""
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
            if account.refresh_token_encrypted is None:
                return outcomes.report(session, account)
        self._mailboxes.forget(account.id)
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
        try:
            with beating():
                profile = outcomes.patiently(mailbox.profile)
                send_as = outcomes.patiently(mailbox.send_as)
                active = self._take_on(account.id, profile, send_as)
                if active:
                    self._watching.ensure(account, mailbox)
        except GoogleError as error:
            return self._refused(value, error)
        return self._standing(account.id, profile)

    def _take_on(self, account_id: str, profile: Profile, send_as: tuple[SendAs, ...]) -> bool:
        """Write down what the mailbox is; whether it is the one that syncs and sends for its user now."""
        with self._database.session() as session:
            account = accounts.locked(session, account_id)
            if account is None or account.refresh_token_encrypted is None:
                return False
            consented_at = account.state_changed_at if account.state == AccountState.CONNECTING else now()
            accounts.replace_aliases(session, account, aliases.known(send_as))
            account.sends_counted_at = None  # what was sent in Gmail meanwhile counts first (S26)
            account.connected_at = account.connected_at or consented_at
            if account.history_id is None:
                account.history_id = profile.history_id
            active = accounts.activate(session, session.get_one(User, account.user_id), account)
            if active:
                accounts.close_pauses(session, account, consented_at)
                if account.state not in COLLECTS:
                    accounts.transition(session, account, AccountState.ACTIVE)
            else:
                accounts.open_pause(session, account, "S4", consented_at)
                reason = "Another mailbox of the user is the active one"
                accounts.transition(session, account, AccountState.PAUSED, reason, accounts.SWITCH_BACK)
            return active

    @activity.defn(name="settle_account")
    def settle(self, value: AccountInput) -> Report:
        """After a switch, or where a watch has lapsed: keep the watch as the account's state wants it."""
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
        try:
            with beating():
                if account.state in COLLECTS:
                    self._watching.ensure(account, mailbox)
                elif account.state == AccountState.PAUSED:
                    self._watching.stop(account, mailbox)
        except GoogleError as error:
            return self._refused(value, error)
        if account.state == AccountState.PAUSED:
            with self._database.session() as session:
                if (row := accounts.locked(session, account.id)) and row.state == AccountState.PAUSED:
                    outcomes.works(session, row)
        return self._standing(account.id, None)

    @activity.defn(name="disconnect_account")
    def disconnect(self, value: AccountInput) -> Report:
        """Stop, give back, forget; Google's silence does not hold it up (S5)."""
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
        with beating():
            left = self._last_look.take(account) if account.disconnect_asked_at is not None else []
            # Until the row says that it is gone, others of the mailbox wait: each would leave the grant to the other.
            with self._database.alone(connections.lock_of(account.google_sub)):
                with self._database.session() as session:
                    account = session.get_one(Account, value.account_id)
                    if account.disconnect_asked_at is None:
                        # Done already, by a worker that died before it could say so, or connected again since.
                        return outcomes.report(session, account)
                return self._disconnect(account, [*left, *self._give_back(account)])

    def _disconnect(self, account: Account, left: list[str]) -> Report:
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            assert row is not None
            row.refresh_token_encrypted = row.access_token_encrypted = row.access_token_expires_at = None
            row.granted_scopes = []
            row.watch_expires_at = row.disconnect_asked_at = None
            accounts.deactivate(session, row)
            accounts.open_pause(session, row, "S5")
            held = following.hold_queue(session, row)
            if held:
                timeline.note(session, row.id, "sending", f"{len(held)} mails that waited are held")
            for what in left:
                timeline.note(session, row.id, "disconnect", what)
            accounts.transition(session, row, AccountState.DISCONNECTED, None, "Connect it again at any time")
            self._mailboxes.forget(row.id)
            return outcomes.report(session, row)

    def _give_back(self, account: Account) -> list[str]:
        """Stop the watch and revoke the grant, where nobody else needs them; what could not be done, in words."""
        left: list[str] = []
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
        token = self._mailboxes.refresh_token(account.id)
        if token is None:
            return left
        try:
            outcomes.patiently(lambda: self._watching.stop(account, mailbox))
        except GoogleError as error:
            left.append("The watch could not be stopped; Gmail ends it by itself within seven days")
            log.warning("watch_not_stopped", account=account.id, error=type(error).__name__)
        with self._database.session() as session:
            needed = connections.living(session, account.google_sub, besides=account.id)
        if needed:
            left.append("Google's grant stays, since another connection of this mailbox lives on it")
            return left
        try:
            outcomes.patiently(lambda: self._consent.revoke(token))
        except GoogleError as error:
            left.append(
                "Google did not answer, so the grant could not be given back: "
                "remove it at myaccount.google.com/connections"
            )
            log.warning("grant_not_revoked", account=account.id, error=type(error).__name__)
        return left

    def _refused(self, value: AccountInput, error: GoogleError) -> Report:
        with self._database.session() as session:
            account = session.get_one(Account, value.account_id)
            return outcomes.refused(session, account, error, value.failures)

    def _standing(self, account_id: str, profile: Profile | None) -> Report:
        with self._database.session() as session:
            account = session.get_one(Account, account_id)
            gap = None
            cursor = profile.history_id if profile else account.history_id
            reads = account.state in COLLECTS or accounts.unfinished_at(session, account) is not None
            if reads and account.last_synced_at is None and cursor and account.connected_at:
                # Mail may have come between the consent and this step: it is in no history that we will read.
                gap = Gap(since=account.connected_at, cursor=cursor, opened_at=now())
            upkeep_at = self._watching.next_upkeep(account) if account.state in COLLECTS else None
            return outcomes.report(
                session,
                account,
                upkeep_at=upkeep_at,
                gap=gap,
                history_id=profile.history_id if profile else None,
            )
