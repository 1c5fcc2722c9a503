"""Consents that are out in a browser: an unguessable `state` that serves once, for ten minutes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select, update

from models import Account, PendingConsent, User
from models.columns import now

LIVES = timedelta(minutes=10)
WISH_LIVES = timedelta(days=30)
"""A switch that was consented to and not told to the workflows yet."""


class Purpose(StrEnum):
    """What the consent is for."""

    CONNECT = "connect"
    REAUTHORIZE = "reauthorize"
    SWITCH = "switch"


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def create(
    session: Session,
    user: User,
    purpose: Purpose,
    code_verifier_encrypted: bytes,
    *,
    account_id: str | None = None,
    return_url: str | None = None,
) -> str:
    """Remember a consent that is about to be asked for; returns its `state`.

    Args:
        account_id: of the account to reauthorise, whose address the grant must have.
    """
    state = secrets.token_urlsafe(32)
    session.add(
        PendingConsent(
            state_hash=_hash(state),
            location_id=user.location_id,
            user_id=user.id,
            purpose=purpose,
            account_id=account_id,
            code_verifier_encrypted=code_verifier_encrypted,
            return_url=return_url,
            expires_at=now() + LIVES,
        )
    )
    session.flush()
    return state


def take(session: Session, state: str) -> PendingConsent | None:
    """Use a `state` up; None where it is unknown, used or too old. Of two at once, one gets it."""
    return session.exec(
        update(PendingConsent)
        .where(
            col(PendingConsent.state_hash) == _hash(state),
            col(PendingConsent.used_at).is_(None),
            col(PendingConsent.expires_at) > now(),
        )
        .values(used_at=now())
        .returning(PendingConsent)
    ).scalar_one_or_none()


def remember_switch(session: Session, consent: PendingConsent, account_id: str) -> None:
    """The consent was for a switch to this account: kept until the workflows know of it (S4). The last one counts."""
    forget_switches(session, consent.user_id)
    session.execute(
        update(PendingConsent)
        .where(col(PendingConsent.state_hash) == consent.state_hash)
        .values(account_id=account_id, used_at=now(), expires_at=now() + WISH_LIVES)
    )


def forget_switches(session: Session, user_id: str, account_id: str | None = None) -> None:
    """The user's switch was told, or is of no account any more.

    Args:
        account_id: only a switch to this account.
    """
    wished = update(PendingConsent).where(
        col(PendingConsent.user_id) == user_id,
        col(PendingConsent.purpose) == Purpose.SWITCH,
        col(PendingConsent.account_id).is_not(None),
    )
    if account_id is not None:
        wished = wished.where(col(PendingConsent.account_id) == account_id)
    session.execute(wished.values(account_id=None))


def untold_switches(session: Session, before: datetime) -> list[tuple[str, str]]:
    """(user id, account id) of switches that were consented to before then, and told to nobody."""
    wishes = (
        select(PendingConsent.user_id, PendingConsent.account_id)
        .join(Account, col(Account.id) == col(PendingConsent.account_id))
        .where(
            PendingConsent.purpose == Purpose.SWITCH,
            col(PendingConsent.used_at) < before,
            col(Account.refresh_token_encrypted).is_not(None),
            col(Account.disconnect_asked_at).is_(None),
        )
        .order_by(col(PendingConsent.used_at))
    )
    return [(user_id, account_id) for user_id, account_id in session.exec(wishes) if account_id is not None]
