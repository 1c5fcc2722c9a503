"""Users of a location, and their private auto-BCC addresses (S16)."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from crm.paging import Page, page_of, position_of
from models import RetiredAutoBcc, User

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""No look-alikes: people type these addresses into other mail programs."""
_TOKEN_LENGTH = 20


class UserExists(Exception):
    """The location has a user with this login address already."""


def new_auto_bcc_token() -> str:
    """The local part of an auto-BCC address: 98 random bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_TOKEN_LENGTH))


def create(session: Session, location_id: str, email: str, name: str) -> User:
    """A new user.

    Raises:
        UserExists: the address is a user's already.
    """
    user = User(
        location_id=location_id,
        email=email,
        email_key=email.strip().lower(),
        name=name,
        auto_bcc_token=new_auto_bcc_token(),
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise UserExists(email) from None
    return user


def get(session: Session, location_id: str, user_id: str) -> User | None:
    """A user of the location, or None."""
    user = session.get(User, user_id)
    return user if user is not None and user.location_id == location_id else None


def listing(session: Session, location_id: str, limit: int, cursor: str | None = None) -> Page[User]:
    """The location's users, first created first."""
    query = select(User).where(User.location_id == location_id).order_by(col(User.id)).limit(limit + 1)
    if (position := position_of("users", cursor, str)) is not None:
        query = query.where(col(User.id) > position[0])
    return page_of(session.exec(query).all(), limit, "users", lambda user: (user.id,))


def auto_bcc_address(user: User, domain: str) -> str:
    """The address that files a mail under this user (S16)."""
    return f"{user.auto_bcc_token}@{domain}"


def rotate_auto_bcc(session: Session, user: User) -> None:
    """Give the user a new auto-BCC address; the old one is refused from now on, saying so."""
    session.add(RetiredAutoBcc(token=user.auto_bcc_token, user_id=user.id))
    user.auto_bcc_token = new_auto_bcc_token()
    session.add(user)
    session.flush()
