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
from workflows import policies
from workflows.values import Report

log = structlog.get_logger("account")
T = TypeVar("T")

CONSENT_AGAIN = "Consent with the same address: everything missed is then synced"
BY_ITSELF = "Tried again by itself"
RENEW = "Renew Gmail's watch and check that nothing is missing"
NOT_READ = "What came before the switch could not be read; it is when the user switches back"
FINISHING = "Read what came before the switch"
PACED = "Goes on as fast as Gmail's limit per minute allows"
LIMITED = "Gmail's limit is reached: goes on by itself"
BREATH = timedelta(seconds=2)
"""Between two looks for what came before a switch: other steps have their turn."""
NO_HINT_S = 30.0
"""After a throttle that names no time, where nobody counts how often it came."""
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
    if account.state == AccountState.PAUSED:
        left = None if account.disconnect_asked_at else accounts.unfinished_at(session, account)
        retry_at = max(left, now() + BREATH) if left else None
        more = {"finishing": left is not None, **more}
    else:
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


def refused(session: Session, account: Account, error: GoogleError, failures: int = 0, **more: Any) -> Report:
    """Write down what an error means, and answer it. A throttle is no failure; a dead grant is a state.

    Args:
        failures: steps in a row that failed before this one: each wait is longer.
    """
    log.warning(
        "google_refused",
        account=account.id,
        error=type(error).__name__,
        status=error.status,
        reason=error.reason,
    )
    account = accounts.locked(session, account.id) or account
    if account.state == AccountState.DISCONNECTED:
        return report(session, account, **more)
    match error:
        case errors.GrantRefused() | errors.ConsentMissing() | errors.MailboxGone():
            return _needs_consent(session, account, why(error), more)
        case errors.Throttled(retry_after=asked, scope=scope) if asked is not None:
            wait_s = max(1.0, asked)
            obey = scope is not errors.ThrottleScope.OWN_BUDGET
        case _:
            wait_s, obey = policies.growing_delay(failures + 1).total_seconds(), False
    at = now() + timedelta(seconds=wait_s)
    if isinstance(error, errors.Throttled):
        own = error.scope is errors.ThrottleScope.OWN_BUDGET
        news = not own and not failures
        _plan(session, account, PACED if own else LIMITED, at)
    else:
        news = _recovers(session, account, why(error), at) or not failures
    if news:
        words = f"{why(error)}: tried again at {at:%H:%M:%S} UTC" + ("" if obey else ", then less often")
        timeline.retell(session, account.id, "retry", words)
    return report(session, account, failed_step=True, wait_s=wait_s, obey=obey, **more)


def works(session: Session, account: Account, upkeep_at: datetime | None = None) -> None:
    """Google answered: whatever the (locked) account was recovering from is over, and what is planned is shown.

    Args:
        upkeep_at: when its watch is renewed.
    """
    if account.disconnect_asked_at is not None:
        return
    if account.state == AccountState.PAUSED:
        plan = accounts.SWITCH_BACK if accounts.unfinished_at(session, account) is None else FINISHING
        if account.next_action != plan:
            accounts.transition(session, account, AccountState.PAUSED, None, plan)
    elif account.state == AccountState.ACTIVE:
        _plan(session, account, RENEW if upkeep_at else None, upkeep_at)
    elif accounts.is_active_one(session, account):
        accounts.transition(
            session, account, AccountState.ACTIVE, None, RENEW if upkeep_at else None, upkeep_at
        )
    else:
        # Its grant was dead when the user wanted to switch back, and lives again: another mailbox is the active one.
        accounts.open_pause(session, account, "S4")
        accounts.transition(session, account, AccountState.PAUSED, None, accounts.SWITCH_BACK)


def gap_opened(session: Session, account: Account, since: datetime) -> None:
    """Gmail's history no longer reaches back to where we (a locked row) were (S6)."""
    reason = f"Catching up on mail since {since:%Y-%m-%d %H:%M} UTC"
    if account.state == AccountState.ACTIVE:
        accounts.transition(session, account, AccountState.RECOVERING, reason, "Filling the gap")
    timeline.note(session, account.id, "gap", reason)


def _needs_consent(session: Session, account: Account, reason: str, more: dict[str, Any]) -> Report:
    if account.state != AccountState.PAUSED:
        accounts.transition(session, account, AccountState.REAUTHORIZATION_REQUIRED, reason, CONSENT_AGAIN)
        return report(session, account, **more)
    if accounts.unfinished_at(session, account) is not None:
        timeline.note(session, account.id, "retry", f"{NOT_READ}: {reason}")
        _plan(session, account, accounts.SWITCH_BACK, None)
    return report(session, account, **more).model_copy(update={"finishing": False, "retry_at": None})


def _recovers(session: Session, account: Account, reason: str, at: datetime) -> bool:
    state = AccountState(account.state)
    state = AccountState.RECOVERING if state is AccountState.ACTIVE else state
    if account.disconnect_asked_at is not None:
        return False
    return accounts.transition(session, account, state, reason, BY_ITSELF, at)


def _plan(session: Session, account: Account, what: str | None, at: datetime | None) -> None:
    if account.disconnect_asked_at is None:
        account.next_action, account.next_action_at = what, at
        session.add(account)
