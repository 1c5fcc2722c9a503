"""What an error of Google's means for an account: its state, the reason in the user's words, what happens next."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlmodel import Session, col, func, select

from crm import accounts, timeline
from gmail import errors
from gmail.errors import GoogleError, GrantCause
from models import Account, Decision
from models.columns import now
from models.states import AccountState, Outcome
from workflows.values import Report

log = structlog.get_logger("account")
T = TypeVar("T")

CONSENT_AGAIN = "Consent with the same address: everything missed is then synced"
BY_ITSELF = "Tried again by itself"
PACED = "Goes on as fast as Gmail's limit per minute allows"
LIMITED = "Gmail's limit is reached: goes on by itself"
NO_HINT_S = 30.0
"""After a throttle that names no time."""
SHORT_WAITS_S = (0.3, 1.0)

_GRANT_REASONS = {
    GrantCause.EXPIRED_OR_REVOKED: (
        "Google no longer accepts our access: the password was changed, or access was revoked"
    ),
    GrantCause.ACCOUNT_DELETED: "Google says that the account was deleted",
    GrantCause.ACCOUNT_DISABLED: "Google says that the account is disabled",
    GrantCause.ADMIN_POLICY: "The administrator of the Google account does not allow access to Gmail",
    GrantCause.SIGN_IN_AGAIN: "Google wants the user to sign in again",
    GrantCause.NO_TOKEN: "We hold no access to this mailbox",
    GrantCause.UNKNOWN: "Google no longer accepts our access",
}


def why(error: GoogleError) -> str:
    """The error in the words of the user."""
    match error:
        case errors.GrantRefused():
            return _GRANT_REASONS[error.cause]
        case errors.ConsentMissing():
            return "A permission that we need was not given"
        case errors.MailboxGone():
            return "The Google account has no Gmail"
        case errors.Throttled():
            return "Gmail's limit is reached"
        case errors.ConfigurationRefused():
            return "Our own access to Google is set up wrongly; it is not your doing"
        case errors.Unavailable() | errors.AccessTokenRefused():
            return "Google does not answer at the moment"
        case _:
            return "Google did not accept what we asked; our side looks into it"


def patiently(call: Callable[[], T]) -> T:
    """A read, tried again twice within a moment where Google did not answer."""
    for wait in SHORT_WAITS_S:
        try:
            return call()
        except (errors.Unavailable, errors.AccessTokenRefused) as error:
            if error.retry_after and error.retry_after > wait:
                raise
            time.sleep(wait)
    return call()


def report(session: Session, account: Account, **more: Any) -> Report:
    """Where the account stands, as its row says it."""
    retry_at = session.exec(
        select(func.min(col(Decision.next_try_at))).where(
            Decision.account_id == account.id, Decision.outcome == Outcome.FAILED
        )
    ).one()
    return Report(
        state=account.state,
        reason=account.reason,
        location_id=account.location_id,
        next_action=account.next_action,
        next_action_at=account.next_action_at,
        retry_at=retry_at,
        **more,
    )


def refused(session: Session, account: Account, error: GoogleError, **more: Any) -> Report:
    """Write down what an error means, and answer it. A throttle is no failure; a dead grant is a state."""
    log.warning(
        "google_refused",
        account=account.id,
        error=type(error).__name__,
        status=error.status,
        reason=error.reason,
    )
    match error:
        case errors.GrantRefused() | errors.ConsentMissing() | errors.MailboxGone():
            _needs_consent(session, account, why(error))
            return report(session, account, **more)
        case errors.Throttled():
            wait_s = max(1.0, error.retry_after or NO_HINT_S)
            own = error.scope is errors.ThrottleScope.OWN_BUDGET
            account.next_action = PACED if own else LIMITED
            account.next_action_at = now() + timedelta(seconds=wait_s)
            session.add(account)
            return report(session, account, failed_step=True, wait_s=wait_s, obey=not own, **more)
        case _:
            _recovers(session, account, why(error))
    return report(session, account, failed_step=True, wait_s=None, **more)


def works(session: Session, account: Account) -> None:
    """Google answered: whatever the account was recovering from is over."""
    if account.state == AccountState.RECOVERING:
        accounts.transition(
            session, account, AccountState.ACTIVE, None, account.next_action, account.next_action_at
        )
    elif account.state == AccountState.REAUTHORIZATION_REQUIRED:
        accounts.transition(session, account, AccountState.ACTIVE)
    if account.next_action_at is not None and account.next_action_at < now():
        account.next_action, account.next_action_at = None, None
    session.add(account)


def gap_opened(session: Session, account: Account, since: datetime) -> None:
    """Gmail's history no longer reaches back to where we were (S6)."""
    reason = f"Catching up on mail since {since:%Y-%m-%d %H:%M} UTC"
    if account.state == AccountState.ACTIVE:
        accounts.transition(session, account, AccountState.RECOVERING, reason, "Filling the gap")
    timeline.note(session, account.id, "gap", reason)


def _needs_consent(session: Session, account: Account, reason: str) -> None:
    if account.state not in (AccountState.DISCONNECTED, AccountState.PAUSED):
        accounts.transition(session, account, AccountState.REAUTHORIZATION_REQUIRED, reason, CONSENT_AGAIN)


def _recovers(session: Session, account: Account, reason: str) -> None:
    state = AccountState(account.state)
    state = AccountState.RECOVERING if state is AccountState.ACTIVE else state
    accounts.transition(session, account, state, reason, BY_ITSELF)
