"""What waits for webhook endpoints, in order, and what became of it (Standard Webhooks).

An endpoint's `last_seq` is how far it has been told. The event after it that it did not take has a row in
`webhook_deliveries` until it does; the next one waits behind it. Only this endpoint waits: others have their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete, exists, select
from sqlmodel.sql.expression import SelectOfScalar

from crm import events, rendering
from crm.ledger import Limits
from models import Event, WebhookDelivery, WebhookEndpoint
from models.columns import now

PAUSES = (1, 6, 60, 360, 1440, 4320, 8640, 17280, 17280)
"""After each failure in a row, in first pauses of 5 s: 5 s, 30 s, 5 min, 30 min, 2 h, 6 h, 12 h, 1 day, 1 day."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events that an endpoint is told next, oldest first, as the API shows them; `not_before`: it is backing off.

    up_to: how far it has been told once it took all of them. more: others wait behind.
    """

    url: str
    secret_encrypted: bytes
    documents: list[tuple[int, dict[str, Any]]]
    up_to: int
    more: bool
    not_before: datetime | None = None


def waiting(session: Session, endpoint_id: str, limits: Limits, limit: int) -> Waiting | None:
    """What an endpoint is told next; None where it is gone or disabled."""
    endpoint = session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None or endpoint.disabled_at is not None:
        return None
    head = _head(session, endpoint_id)
    newest = events.newest_seq(session, endpoint.location_id)
    # Read after `newest`: what was committed in between is among them.
    following = session.exec(_wanted(endpoint).limit(limit + 1)).all()
    told, more = following[:limit], len(following) > limit
    documents = rendering.documents(session, told, limits) if told else []
    last = (told[-1].seq or 0) if told else 0
    return Waiting(
        url=endpoint.url,
        secret_encrypted=endpoint.secret_encrypted,
        documents=[(event.seq or 0, document) for event, document in zip(told, documents, strict=True)],
        up_to=last if more else max(last, newest),
        more=more,
        not_before=head.next_try_at if head is not None else None,
    )


def _wanted(endpoint: WebhookEndpoint) -> SelectOfScalar[Event]:
    query = select(Event).where(Event.location_id == endpoint.location_id, col(Event.seq) > endpoint.last_seq)
    if endpoint.events:
        query = query.where(col(Event.type).in_(endpoint.events))
    return query.order_by(col(Event.seq))


def _head(session: Session, endpoint_id: str) -> WebhookDelivery | None:
    return session.exec(
        select(WebhookDelivery).where(
            WebhookDelivery.endpoint_id == endpoint_id, col(WebhookDelivery.delivered_at).is_(None)
        )
    ).first()


def took(session: Session, endpoint_id: str, up_to: int) -> None:
    """The endpoint has been told up to here."""
    endpoint = _locked(session, endpoint_id)
    if endpoint is None or endpoint.last_seq >= up_to:
        return
    endpoint.last_seq = up_to
    session.add(endpoint)
    head = _head(session, endpoint_id)
    if head is not None and head.event_seq <= up_to:
        head.delivered_at, head.next_try_at = now(), None
        session.add(head)


def failed(
    session: Session,
    endpoint_id: str,
    seq: int,
    error: str,
    *,
    first_pause: timedelta,
    not_before: timedelta | None = None,
    gone: bool = False,
) -> datetime | None:
    """The endpoint did not take an event: when it is tried again; None where it is disabled now.

    Args:
        not_before: what the consumer asked for (Retry-After).
        gone: it said that it wants nothing any more (410).
    """
    endpoint = _locked(session, endpoint_id)
    if endpoint is None or endpoint.disabled_at is not None:
        return None
    head = _head(session, endpoint_id) or WebhookDelivery(endpoint_id=endpoint_id, event_seq=seq)
    head.attempts += 1
    head.last_error = error[:500]
    session.add(head)
    if gone or head.attempts > len(PAUSES):
        days = sum(PAUSES) * first_pause / timedelta(days=1)
        endpoint.disabled_at = now()
        endpoint.reason = (
            "It answered 410: it wants no more deliveries."
            if gone
            else f"It took nothing for {days:.1f} days; the last answer: {error[:300]}"
        )
        head.next_try_at = None
        session.add(endpoint)
        return None
    pause = first_pause * PAUSES[head.attempts - 1]
    head.next_try_at = now() + max(pause, min(not_before or pause, timedelta(days=1)))
    return head.next_try_at


def enable(session: Session, endpoint: WebhookEndpoint) -> None:
    """Deliver again, from where it stopped."""
    endpoint.disabled_at = endpoint.reason = None
    session.add(endpoint)
    session.exec(
        delete(WebhookDelivery).where(
            col(WebhookDelivery.endpoint_id) == endpoint.id, col(WebhookDelivery.delivered_at).is_(None)
        )
    )


def due(
    session: Session, location_ids: Iterable[str] | None = None, before: datetime | None = None
) -> list[str]:
    """Endpoints with events that they want and were not told; not those that back off.

    One that wants none of what waits is moved past it.

    Args:
        location_ids: only these locations'; None: all.
        before: only where the first of these events is older.
    """
    backing_off = exists().where(
        col(WebhookDelivery.endpoint_id) == col(WebhookEndpoint.id),
        col(WebhookDelivery.next_try_at) > now(),
    )
    untold = exists().where(
        col(Event.location_id) == col(WebhookEndpoint.location_id),
        col(Event.seq) > col(WebhookEndpoint.last_seq),
    )
    query = select(WebhookEndpoint).where(col(WebhookEndpoint.disabled_at).is_(None), ~backing_off, untold)
    if location_ids is not None:
        query = query.where(col(WebhookEndpoint.location_id).in_(list(location_ids)))
    found = []
    for endpoint in session.exec(query.order_by(col(WebhookEndpoint.id))).all():
        newest = events.newest_seq(session, endpoint.location_id)
        first = session.exec(_wanted(endpoint).limit(1)).first()
        if first is None:
            took(session, endpoint.id, newest)
        elif before is None or first.at < before:
            found.append(endpoint.id)
    return found


def _locked(session: Session, endpoint_id: str) -> WebhookEndpoint | None:
    return session.get(WebhookEndpoint, endpoint_id, with_for_update=True, populate_existing=True)
