"""Connected accounts: state, cursor, pauses, aliases, and which one of a user's sends (S1, S4, S5, S6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, delete, func, select, update

from crm import events, timeline
from models import Account, AccountAlias, AccountPause, Decision, User
from models.columns import now
from models.states import COLLECTING_STATES, AccountState, Outcome

S = AccountState

TRANSITIONS: dict[AccountState, frozenset[AccountState]] = {
    S.CONNECTING: frozenset({S.ACTIVE, S.PAUSED, S.REAUTHORIZATION_REQUIRED, S.DISCONNECTED}),
    S.ACTIVE: frozenset({S.RECOVERING, S.PAUSED, S.REAUTHORIZATION_REQUIRED, S.DISCONNECTED}),
    S.RECOVERING: frozenset({S.ACTIVE, S.PAUSED, S.REAUTHORIZATION_REQUIRED, S.DISCONNECTED}),
    S.PAUSED: frozenset({S.CONNECTING, S.ACTIVE, S.REAUTHORIZATION_REQUIRED, S.DISCONNECTED}),
    S.REAUTHORIZATION_REQUIRED: frozenset({S.CONNECTING, S.ACTIVE, S.PAUSED, S.DISCONNECTED}),
    S.DISCONNECTED: frozenset({S.CONNECTING}),
}
"""What may follow a state; everything else is a mistake of ours."""

WORDS = {
    S.CONNECTING: "Connecting",
    S.ACTIVE: "Active: mail syncs both ways",
    S.RECOVERING: "Recovering",
    S.PAUSED: "Paused: the user switched to another mailbox",
    S.REAUTHORIZATION_REQUIRED: "Consent needed again",
    S.DISCONNECTED: "Disconnected",
}
SWITCH_BACK = "Switch to it at any time"
LATECOMERS = timedelta(seconds=10)
"""Gmail's history may show a mail some seconds after it came."""


class IllegalTransition(Exception):
    """No account may go from the one state to the other."""


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that the mailbox may send as."""

    email: str
    name: str = ""
    verified: bool = False
    is_primary: bool = False
    signature: str = ""


def locked(session: Session, account_id: str) -> Account | None:
    """The row, held until the transaction ends, so that two steps of an account never interleave."""
    return session.exec(
        select(Account)
        .where(Account.id == account_id)
        .with_for_update(of=Account)
        .execution_options(populate_existing=True)
    ).first()


def transition(
    session: Session,
    account: Account,
    state: AccountState,
    reason: str | None = None,
    next_action: str | None = None,
    next_action_at: datetime | None = None,
) -> bool:
    """Move an account on: row, timeline and event in one. Whether anything that is shown changed.

    Args:
        reason: in the words of the user; None where all is well.
        next_action: what happens next, by itself or by the user.

    Raises:
        IllegalTransition: `TRANSITIONS` has no such step.
    """
    before = S(account.state)
    if state != before and state not in TRANSITIONS[before]:
        raise IllegalTransition(f"{account.id}: {before} → {state}")
    account.next_action, account.next_action_at = next_action, next_action_at
    session.add(account)
    if state == before and reason == account.reason:
        return False
    if state != before:
        account.state, account.state_changed_at = state, now()
    account.reason = reason
    timeline.note(session, account.id, "state", f"{WORDS[state]}{': ' + reason if reason else ''}")
    events.emit(session, account.location_id, events.ACCOUNT_STATE_CHANGED, account.id)
    return True


def advance_cursor(account: Account, history_id: int) -> None:
    """Move the account's cursor in Gmail's history, never backwards."""
    if account.history_id is None or history_id > account.history_id:
        account.history_id = history_id


def open_pause(session: Session, account: Account, rule: str, at: datetime | None = None) -> None:
    """From now on nothing is collected: `rule` S4 (switched away) or S5 (disconnected)."""
    if not _open_pauses(session, account.id):
        session.add(AccountPause(account_id=account.id, rule=rule, started_at=at or now()))


def close_pauses(session: Session, account: Account, at: datetime | None = None) -> list[AccountPause]:
    """Collect again; what came in between is not fetched. The pauses that ended now."""
    ended = _open_pauses(session, account.id)
    for pause in ended:
        pause.ended_at = at or now()
        session.add(pause)
    return ended


def collects(session: Session, account: Account) -> bool:
    """Whether mail of the account is read: all of it, or what is left of the time before a switch away."""
    return account.state in COLLECTING_STATES or unfinished_at(session, account) is not None


def unfinished_at(session: Session, account: Account) -> datetime | None:
    """When a paused account looks for mail that came before its pause; None where nothing of that is left (S4).

    The pause stops what comes from its beginning on. What came before still syncs: it may not have been read yet, be
    on its way through Gmail, or have failed and be due again.
    """
    if account.state != S.PAUSED or account.refresh_token_encrypted is None:
        return None
    if account.connected_at is None or account.history_id is None:
        return None  # never reached
    began = min((pause.started_at for pause in _open_pauses(session, account.id)), default=None)
    if began is None or account.connected_at >= began:
        return None
    if account.last_synced_at is None or account.last_synced_at < began:
        return began
    if account.last_synced_at < began + LATECOMERS:
        return began + LATECOMERS
    return session.exec(
        select(func.min(col(Decision.next_try_at))).where(
            Decision.account_id == account.id,
            Decision.outcome == Outcome.FAILED,
            or_(col(Decision.internal_date).is_(None), col(Decision.internal_date) < began),
        )
    ).one()


def _open_pauses(session: Session, account_id: str) -> list[AccountPause]:
    return list(
        session.exec(
            select(AccountPause).where(
                AccountPause.account_id == account_id, col(AccountPause.ended_at).is_(None)
            )
        )
    )


def replace_aliases(session: Session, account: Account, aliases: Iterable[Alias]) -> None:
    """What Gmail says that the mailbox may send as, instead of what it said before."""
    wanted = {alias.email.strip().lower(): alias for alias in aliases}
    session.execute(
        delete(AccountAlias).where(
            col(AccountAlias.account_id) == account.id, col(AccountAlias.email_key).not_in(list(wanted))
        )
    )
    for key, alias in wanted.items():
        row = session.get(AccountAlias, (account.id, key)) or AccountAlias(
            account_id=account.id, email_key=key, email=alias.email
        )
        row.name, row.verified, row.is_primary = alias.name, alias.verified, alias.is_primary
        row.signature = alias.signature
        session.add(row)


def set_completeness(account: Account, listed: int, decided: int) -> None:
    """The result of comparing Gmail's ids with our decisions (S30)."""
    account.completeness_checked_at = now()
    account.completeness_listed = listed
    account.completeness_decided = decided
    account.completeness_missing = listed - decided


def accounts_of_mailbox(
    session: Session, *, email_key: str | None = None, google_sub: str | None = None
) -> Sequence[Account]:
    """All connections of one mailbox, of whatever user and location."""
    return session.exec(
        select(Account)
        .where(
            or_(
                col(Account.email_key) == (email_key or "").lower(),
                col(Account.google_sub) == (google_sub or ""),
            )
        )
        .order_by(col(Account.id))
    ).all()


def activate(session: Session, user: User, account: Account) -> bool:
    """Make an account the one of its user that syncs and sends, unless another one is. Whether it is now."""
    taken = session.execute(
        update(User)
        .where(
            col(User.id) == user.id,
            or_(col(User.active_account_id).is_(None), col(User.active_account_id) == account.id),
        )
        .values(active_account_id=account.id)
        .returning(col(User.id))
    ).first()
    session.expire(user)
    return taken is not None


def is_active_one(session: Session, account: Account) -> bool:
    """Whether the account is the one that syncs and sends for its user."""
    return session.exec(select(User.active_account_id).where(User.id == account.user_id)).one() == account.id


def deactivate(session: Session, account: Account) -> None:
    """The account no longer sends for its user."""
    session.execute(
        update(User)
        .where(col(User.id) == account.user_id, col(User.active_account_id) == account.id)
        .values(active_account_id=None)
    )


def swap_active(session: Session, user_id: str, to_account_id: str) -> str | None:
    """Switch (S4) in one transaction: the old account is paused, the new one active; never both or neither.

    Returns:
        the id of the account that was active before, None where there was none.
    """
    user = session.exec(
        select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    before = user.active_account_id
    if before == to_account_id:
        return before
    at = now()
    if before is not None and (old := locked(session, before)) is not None:
        open_pause(session, old, "S4", at)
        if old.state != S.DISCONNECTED:
            transition(session, old, S.PAUSED, None, SWITCH_BACK)
        old.watch_expires_at = None
    new = locked(session, to_account_id)
    if new is None:
        raise LookupError(f"there is no account {to_account_id}")
    close_pauses(session, new, at)
    user.active_account_id = new.id
    session.add(user)
    session.flush()
    transition(session, new, S.ACTIVE)
    return before
