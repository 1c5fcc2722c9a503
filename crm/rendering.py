"""Events as the outside gets them: `{id, type, at, data}` with the resource as the API shows it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session, SQLModel, col, select

from crm import account_views, campaigns, contacts, conversations, messages
from crm.ledger import Limits
from models import Account, Campaign, Contact, Conversation, Event, Message

Views = Callable[[Session, Sequence[Any], Limits], Sequence[BaseModel]]

_RESOURCES: dict[str, tuple[type[SQLModel], Views]] = {
    "account": (Account, account_views.views),
    "campaign": (Campaign, lambda session, rows, _: campaigns.views(session, rows)),
    "contact": (Contact, lambda session, rows, _: contacts.views(session, rows)),
    "conversation": (Conversation, lambda session, rows, _: conversations.views(session, rows)),
    "message": (Message, lambda session, rows, _: messages.views(session, rows)),
}


def documents(session: Session, events: Sequence[Event], limits: Limits) -> list[dict[str, Any]]:
    """The events as JSON, in their order; a resource that was erased since shows its id alone."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for event in events:
        wanted[_kind(event)].add(event.resource_id)
    shown = {kind: _load(session, kind, ids, limits) for kind, ids in wanted.items()}
    return [
        {
            "id": str(event.seq),
            "type": event.type,
            "at": event.at.isoformat().replace("+00:00", "Z"),
            "data": {
                **shown[_kind(event)].get(event.resource_id, {"id": event.resource_id, "gone": True}),
                **event.data,
            },
        }
        for event in events
    ]


def _kind(event: Event) -> str:
    return event.type.partition(".")[0]


def _load(session: Session, kind: str, ids: set[str], limits: Limits) -> dict[str, dict[str, Any]]:
    table, views = _RESOURCES[kind]
    key = getattr(table, "id")  # noqa: B009  (mypy knows no `id` on SQLModel)
    rows = session.exec(select(table).where(col(key).in_(sorted(ids)))).all()
    return {
        document["id"]: document
        for document in (view.model_dump(mode="json", by_alias=True) for view in views(session, rows, limits))
    }
