"""Locations: the tenants, their keys and settings."""

from __future__ import annotations

import hashlib
import secrets

from sqlmodel import Session, col, select

from crm.paging import Page, page_of, position_of
from models import Location, Message
from models.states import WAITING_STATUSES


def key_hash(api_key: str) -> str:
    """What is kept of an API key: keys are 256 random bits, so a plain SHA-256 cannot be turned back."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def create(session: Session, name: str) -> tuple[Location, str]:
    """A new location and its API key, which is shown once and kept only as a hash."""
    api_key = f"crm_{secrets.token_urlsafe(32)}"
    location = Location(name=name, api_key_hash=key_hash(api_key))
    session.add(location)
    session.flush()
    return location, api_key


def get(session: Session, location_id: str) -> Location | None:
    """The location, or None."""
    return session.get(Location, location_id)


def listing(session: Session, limit: int, cursor: str | None = None) -> Page[Location]:
    """All locations, first created first."""
    query = select(Location).order_by(col(Location.id)).limit(limit + 1)
    if (position := position_of("locations", cursor, str)) is not None:
        query = query.where(col(Location.id) > position[0])
    return page_of(session.exec(query).all(), limit, "locations", lambda location: (location.id,))


def of_key(session: Session, api_key: str) -> Location | None:
    """The location that an API key opens."""
    return session.exec(select(Location).where(Location.api_key_hash == key_hash(api_key))).one_or_none()


def waiting_messages(session: Session, location_id: str) -> list[str]:
    """Outbound messages of a location that have not begun to leave: a changed setting is theirs too."""
    return list(
        session.exec(
            select(Message.id)
            .where(Message.location_id == location_id, col(Message.status).in_(WAITING_STATUSES))
            .order_by(col(Message.created_at))
        )
    )
