"""Signing in to the pages: a link that opens once, then a cookie. Only hashes of both are kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlmodel import Session, col, update

from models import User, UserSession
from models.columns import now

LINK_LIVES = timedelta(minutes=10)
COOKIE_LIVES = timedelta(days=14)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new(session: Session, user_id: str, kind: str, lives: timedelta) -> str:
    token = secrets.token_urlsafe(32)
    session.add(UserSession(token_hash=_hash(token), user_id=user_id, kind=kind, expires_at=now() + lives))
    session.flush()
    return token


def new_link(session: Session, user_id: str) -> str:
    """A token that signs the user in once, within ten minutes."""
    return _new(session, user_id, "link", LINK_LIVES)


def sign_in(session: Session, link_token: str) -> str | None:
    """Use a link up; returns the cookie's token, or None where the link is unknown, used or too old."""
    user_id = session.exec(
        update(UserSession)
        .where(
            col(UserSession.token_hash) == _hash(link_token),
            col(UserSession.kind) == "link",
            col(UserSession.used_at).is_(None),
            col(UserSession.expires_at) > now(),
        )
        .values(used_at=now())
        .returning(col(UserSession.user_id))
    ).scalar_one_or_none()
    return _new(session, user_id, "cookie", COOKIE_LIVES) if user_id else None


def user_of(session: Session, cookie_token: str) -> User | None:
    """The user whom a cookie signs in, or None."""
    row = session.get(UserSession, _hash(cookie_token))
    if row is None or row.kind != "cookie" or row.expires_at <= now():
        return None
    return session.get(User, row.user_id)


def sign_out(session: Session, cookie_token: str) -> None:
    """Forget a cookie."""
    row = session.get(UserSession, _hash(cookie_token))
    if row is not None:
        session.delete(row)
