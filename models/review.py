"""A change of rules or addresses applied backwards: what it would add and hide, and the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import created, json_list, moment, one_of, reference
from models.ids import new_id
from models.states import ReviewState


class Review(SQLModel, table=True):
    """Of mail that does not sync it names Gmail ids only (S28)."""

    __tablename__ = "reviews"
    __table_args__ = (one_of("state", ReviewState, "reviews"),)

    id: str = Field(default_factory=lambda: new_id("rev"), primary_key=True)
    location_id: str = reference("locations.id")
    emails: list[str] = json_list()
    """The addresses whose meaning changed: of a contact, or internal ones."""
    domains: list[str] = json_list()
    state: str = ReviewState.PREVIEW
    created_at: datetime = created()
    applied_at: datetime | None = moment()
    undone_at: datetime | None = moment()
    to_hide: list[str] = json_list()
    """Ids of messages that today's rules would not let in."""
    to_show: list[str] = json_list()
    """Ids of messages that an earlier review hid and today's rules let in."""
    to_add: list[dict[str, Any]] = json_list()
    """`{account_id, gmail_id}` of what did not sync and now would."""
    not_read: list[dict[str, Any]] = json_list()
    """`{account_id, reason}` of mailboxes that could not be asked; what they would add is not known."""
    decisions_before: list[dict[str, Any]] = json_list()
    """`{account_id, gmail_id, rule, detail}` of decisions that hiding changed."""
