"""A grant becomes a connection: which account it belongs to, or why it is refused (S1, S4, S5, S6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from crm import accounts, events, timeline
from crm.consents import Purpose
from models import Account, User
from models.columns import now
from models.states import AccountState

DISCONNECTING = "Disconnect from Gmail"
"""Shown between the user's wish to disconnect and its end."""
REACHING = "Reach the mailbox at Google"
FIRST_TOKEN_LASTS = timedelta(hours=1)
"""Google's access tokens live for an hour."""


class GrantNotTaken(Exception):
    """The grant is refused; `error` is the word of the contract for it."""

    error = "exchange_failed"


class OtherMailbox(GrantNotTaken):
    """Consent was given with another address than the one to reauthorise (S6): that is Switch."""

    error = "wrong_account"


class AlreadyConnected(GrantNotTaken):
    """The user has an active account already."""

    error = "already_connected"


class GrantGone(GrantNotTaken):
    """Google has ended the grant meanwhile: with it went another connection of the same mailbox."""


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What Google gave, its tokens encrypted; `subject` is Google's stable id of the mailbox's owner."""

    subject: str
    email: str
    scopes: Sequence[str]
    refresh_token_encrypted: bytes = field(repr=False)
    access_token_encrypted: bytes = field(repr=False)
    access_token_expires_at: datetime


@dataclass(frozen=True, slots=True)
class Connected:
    """The account of a grant, and whether a switch to it is to follow."""

    account_id: str
    switch: bool


def take_grant(
    session: Session, user_id: str, purpose: Purpose, account_id: str | None, grant: NewGrant
) -> Connected:
    """Store a grant with the account it belongs to. The workflows are told after the commit.

    Args:
        account_id: of the account to reauthorise.

    Raises:
        OtherMailbox: reauthorised with another address.
        AlreadyConnected: the user has an active account, or would switch to the one that is active.
    """
    user = session.exec(
        select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    account = _of_mailbox(session, user, grant)
    if purpose == Purpose.REAUTHORIZE and (account is None or account.id != account_id):
        raise OtherMailbox
    active = user.active_account_id
    is_active = account is not None and account.id == active
    if (purpose == Purpose.CONNECT and active is not None) or (purpose == Purpose.SWITCH and is_active):
        raise AlreadyConnected
    if account is None:
        account = Account(
            location_id=user.location_id,
            user_id=user.id,
            email=grant.email,
            email_key=grant.email.lower(),
            google_sub=grant.subject,
            connected_at=now(),
        )
        session.add(account)
        session.flush()
        account.next_action = REACHING
        timeline.note(session, account.id, "consent", "Consent was given; connecting")
        events.emit(session, account.location_id, events.ACCOUNT_STATE_CHANGED, account.id)
    else:
        timeline.note(session, account.id, "consent", "Consent was given again")
    account.email, account.email_key = grant.email, grant.email.lower()
    account.granted_scopes = sorted(grant.scopes)
    account.refresh_token_encrypted = grant.refresh_token_encrypted
    account.access_token_encrypted = grant.access_token_encrypted
    account.access_token_expires_at = grant.access_token_expires_at
    session.add(account)
    if active is None and purpose == Purpose.CONNECT:
        accounts.activate(session, user, account)
    if account.state == AccountState.DISCONNECTED or purpose == Purpose.CONNECT:
        # From this moment on its mail counts; nothing of the time before is fetched.
        accounts.transition(session, account, AccountState.CONNECTING, None, REACHING)
    return Connected(account.id, switch=purpose == Purpose.SWITCH)


def _of_mailbox(session: Session, user: User, grant: NewGrant) -> Account | None:
    return session.exec(
        select(Account)
        .where(Account.user_id == user.id, Account.google_sub == grant.subject)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def lock_of(subject: str) -> str:
    """The lock under which a mailbox's grant is taken or given back.

    Revoking ends every connection of the mailbox (Google: "Revoking a token"), so nobody may come between counting
    who lives on it and giving it back, or between two who give it back at once.
    """
    return f"grant/{subject}"


def living(session: Session, subject: str, email: str = "", *, besides: str | None = None) -> bool:
    """Whether a connection of any user or location lives on this mailbox's grant: then it is not revoked.

    Args:
        besides: id of an account that does not count.
    """
    return any(
        account.id != besides and _lives(account)
        for account in accounts.accounts_of_mailbox(session, email_key=email, google_sub=subject)
    )


def _lives(account: Account) -> bool:
    """What Google has refused is dead, but for a newer grant, which the end of its first access token tells."""
    if account.refresh_token_encrypted is None or account.state == AccountState.DISCONNECTED:
        return False
    if account.state != AccountState.REAUTHORIZATION_REQUIRED:
        return True
    ends = account.access_token_expires_at
    return ends is not None and ends > account.state_changed_at + FIRST_TOKEN_LASTS


def ask_to_disconnect(session: Session, account: Account) -> None:
    """Show that the account is about to be disconnected; nothing new is connected until that is done."""
    account.disconnect_asked_at = account.disconnect_asked_at or now()
    account.next_action, account.next_action_at = DISCONNECTING, now()
    session.add(account)


def take_back_disconnect(session: Session, account: Account) -> None:
    """The wish could not be passed on."""
    account.disconnect_asked_at = None
    if account.next_action == DISCONNECTING:
        account.next_action = account.next_action_at = None
    session.add(account)


def being_released(session: Session, user_id: str) -> bool:
    """Whether a grant of the user is still to be given back: a consent before that would die with it."""
    asked = select(Account.id).where(
        Account.user_id == user_id, col(Account.disconnect_asked_at).is_not(None)
    )
    return session.exec(asked).first() is not None
