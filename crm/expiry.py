"""What serves for a while only: answers to repeated requests, sign-ins and consents go once they are of no use."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import tuple_
from sqlmodel import Session, col, delete, select

from models import IdempotencyKey, PendingConsent, UserSession
from models.columns import now

KEYS_SERVE = timedelta(days=7)
"""So long a repeated POST gets its first answer again (contract: `Idempotency-Key`)."""
KEPT_AFTER = timedelta(days=1)
"""Used or expired links and consents: whoever comes back with one is told so, not that it never was."""
AT_ONCE = 5000
"""Rows of each kind in one transaction; the rest goes next time."""


def forget_expired(session: Session) -> int:
    """Remove what has expired; how many rows went."""
    old = now() - KEPT_AFTER
    keys = select(IdempotencyKey.scope, IdempotencyKey.key).where(
        col(IdempotencyKey.created_at) < now() - KEYS_SERVE
    )
    answers = delete(IdempotencyKey).where(
        tuple_(col(IdempotencyKey.scope), col(IdempotencyKey.key)).in_(keys.limit(AT_ONCE))
    )
    over = select(UserSession.token_hash).where(col(UserSession.expires_at) < old).limit(AT_ONCE)
    sign_ins = delete(UserSession).where(col(UserSession.token_hash).in_(over))
    unused = select(PendingConsent.state_hash).where(col(PendingConsent.expires_at) < old).limit(AT_ONCE)
    consents = delete(PendingConsent).where(col(PendingConsent.state_hash).in_(unused))
    return sum(session.connection().execute(each).rowcount for each in (answers, sign_ins, consents))
