"""Consents that are out in a browser: an unguessable `state` that serves once, for ten minutes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum

from sqlmodel import Session, col, update

from models import PendingConsent, User
from models.columns import now

LIVES = timedelta(minutes=10)


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
