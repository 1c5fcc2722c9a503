"""The step of a switch (S4): the new mailbox is tried first, then both change places in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlmodel import Session, col, select
from temporalio import activity

from activities import aliases, outcomes
from activities.beating import beating
from activities.mailboxes import Mailboxes
from crm import accounts, consents, following, timeline
from gmail import errors
from gmail.budget import Priority
from gmail.errors import GoogleError
from models import Account, User
from models.states import AccountState
from storage.database import Database
from workflows.values import SwitchOutcome, SwitchReport, SwitchStep

log = structlog.get_logger("switch")

TRY_LATER = (errors.Throttled, errors.Unavailable, errors.AccessTokenRefused, errors.ConfigurationRefused)


class Switching:
    """May be repeated: the account that is active already stays it."""

    def __init__(self, database: Database, mailboxes: Mailboxes) -> None:
        self._database = database
        self._mailboxes = mailboxes

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.switch]

    @activity.defn(name="switch_account")
    def switch(self, step: SwitchStep) -> SwitchReport:
        """Refused where the new mailbox's grant is dead: then the old one goes on as before."""
        with self._database.session() as session:
            account = session.get(Account, step.account_id)
            user = session.get(User, step.user_id)
            if account is None or user is None or account.user_id != user.id:
                return SwitchReport(outcome=SwitchOutcome.REFUSED, reason="the user has no such account")
            if user.active_account_id == account.id:
                consents.forget_switches(session, user.id, account.id)
                # Told again all the same: a crash may have come between the change and the telling.
                return SwitchReport(outcome=SwitchOutcome.DONE, tell=_to_tell(session, user.id, account.id))
        self._mailboxes.forget(account.id)
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
        try:
            with beating():
                profile = outcomes.patiently(mailbox.profile)
                send_as = outcomes.patiently(mailbox.send_as)
        except GoogleError as error:
            return self._not_now(account, error, last=step.last)
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            if row is None or row.refresh_token_encrypted is None:
                return SwitchReport(outcome=SwitchOutcome.REFUSED, reason="the account was disconnected")
            if row.history_id is None:
                row.history_id = profile.history_id
            accounts.replace_aliases(session, row, aliases.known(send_as))
            before = accounts.swap_active(session, step.user_id, row.id)
            row.sends_counted_at = None  # what was sent from there meanwhile counts first (S26)
            if before:
                following.follow_switch(session, before, row)
                timeline.note(session, before, "switch", f"The user switched to {row.email}")
            consents.forget_switches(session, step.user_id, row.id)
            timeline.note(session, row.id, "switch", "The user switched to this mailbox")
            session.flush()
            return SwitchReport(outcome=SwitchOutcome.DONE, tell=_to_tell(session, step.user_id, row.id))

    def _not_now(self, account: Account, error: GoogleError, *, last: bool) -> SwitchReport:
        if isinstance(error, TRY_LATER) and not last:
            return SwitchReport(outcome=SwitchOutcome.LATER, reason="Google does not answer")
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            assert row is not None
            consents.forget_switches(session, row.user_id, row.id)
            if not isinstance(error, TRY_LATER) and row.state in (
                AccountState.PAUSED,
                AccountState.CONNECTING,
            ):
                accounts.transition(
                    session,
                    row,
                    AccountState.REAUTHORIZATION_REQUIRED,
                    outcomes.why(error),
                    outcomes.CONSENT_AGAIN,
                )
            reason = f"The switch to this mailbox did not happen: {outcomes.why(error)}"
            timeline.note(session, row.id, "switch", reason)
            return SwitchReport(outcome=SwitchOutcome.REFUSED, reason=reason)


def _to_tell(session: Session, user_id: str, account_id: str) -> list[str]:
    """The user's accounts whose watch may have to change, the active one last."""
    ids = session.exec(
        select(Account.id).where(
            Account.user_id == user_id,
            Account.state == AccountState.PAUSED,
            col(Account.refresh_token_encrypted).is_not(None),
        )
    ).all()
    return [*(one for one in ids if one != account_id), account_id]
