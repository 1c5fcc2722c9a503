"""What the outside is told (contract: `GET /v1/events`, webhooks).

`emit` only notes the event on the session. Just before the transaction commits, its events are written in
one statement under a lock of the location and told to listeners with NOTIFY. So an event exists exactly if
its change does, several changes of one resource in a transaction are one event, and within a location `seq`
grows in the order of commits: who has seen event n has seen all before it.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.orm import Session as AnySession
from sqlmodel import Session, col, func, select

from models import Event

CHANNEL = "crm_events"
ACCOUNT_CHANNEL = "crm_accounts"
"""NOTIFY channels, of all events and of those about accounts; the payload is the location's id."""

ACCOUNT_STATE_CHANGED = "account.state_changed"
MESSAGE_CREATED = "message.created"
MESSAGE_UPDATED = "message.updated"
CONVERSATION_UPDATED = "conversation.updated"
CONTACT_CREATED = "contact.created"
CONTACT_UPDATED = "contact.updated"
CAMPAIGN_UPDATED = "campaign.updated"

TYPES = (
    ACCOUNT_STATE_CHANGED,
    MESSAGE_CREATED,
    MESSAGE_UPDATED,
    CONVERSATION_UPDATED,
    CONTACT_CREATED,
    CONTACT_UPDATED,
    CAMPAIGN_UPDATED,
)

_NOTED = "noted_events"
_IMPLIED_BY = {MESSAGE_UPDATED: MESSAGE_CREATED, CONTACT_UPDATED: CONTACT_CREATED}
"""An update in the transaction that creates a resource tells nothing new."""

_WRITE = text(
    "WITH noted AS ("
    " INSERT INTO events (location_id, type, at, resource_id, data)"
    " SELECT :location_id, type, clock_timestamp(), resource_id, data"
    " FROM jsonb_to_recordset(CAST(:noted AS jsonb)) AS n(type text, resource_id text, data jsonb)"
    " RETURNING type)"
    " SELECT pg_notify(:channel, :location_id), CASE"
    " WHEN (SELECT bool_or(type = :account_type) FROM noted) THEN pg_notify(:account_channel, :location_id) END"
)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('events/' || :location_id, 0))")


def emit(
    session: Session, location_id: str, type_: str, resource_id: str, data: dict[str, Any] | None = None
) -> None:
    """Tell of a change with the transaction that makes it.

    Args:
        type_: one of `TYPES`.
        data: small facts that the resource itself does not show; never anything of a mail.
    """
    noted: dict[tuple[str, str, str], dict[str, Any]] = session.info.setdefault(_NOTED, {})
    implied_by = _IMPLIED_BY.get(type_)
    if implied_by is not None and (location_id, implied_by, resource_id) in noted:
        return
    noted.setdefault((location_id, type_, resource_id), {}).update(data or {})


@sqlalchemy_event.listens_for(AnySession, "before_commit")
def _write_noted(session: AnySession) -> None:
    noted: dict[tuple[str, str, str], dict[str, Any]] | None = session.info.get(_NOTED)
    if not noted or session.in_nested_transaction():
        return
    session.flush()
    for location_id in sorted({location for location, _, _ in noted}):
        rows = [
            {"type": type_, "resource_id": resource_id, "data": data}
            for (location, type_, resource_id), data in noted.items()
            if location == location_id
        ]
        session.execute(_LOCK, {"location_id": location_id})
        session.execute(
            _WRITE,
            {
                "location_id": location_id,
                "noted": json.dumps(rows),
                "channel": CHANNEL,
                "account_type": ACCOUNT_STATE_CHANGED,
                "account_channel": ACCOUNT_CHANNEL,
            },
        )
    noted.clear()


@sqlalchemy_event.listens_for(AnySession, "after_rollback")
def _forget_noted(session: AnySession) -> None:
    session.info.pop(_NOTED, None)


def after(session: Session, location_id: str, seq: int, limit: int = 200) -> list[Event]:
    """The location's events that follow `seq`, oldest first."""
    return list(
        session.exec(
            select(Event)
            .where(Event.location_id == location_id, col(Event.seq) > seq)
            .order_by(col(Event.seq))
            .limit(limit)
        )
    )


def newest_seq(session: Session, location_id: str) -> int:
    """The last event of a location; 0 where there is none."""
    return session.exec(select(func.max(Event.seq)).where(Event.location_id == location_id)).one() or 0
