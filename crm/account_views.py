"""Accounts as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select

from crm import decisions
from crm.ledger import Ledger, Limits
from crm.paging import Page, page_of, position_of
from models import Account


class CompletenessView(BaseModel):
    """The last proof: how many ids Gmail lists since the connection, and how many we decided on (S30).

    to_retry: how many could not be read yet, now, and are tried again; they count as decided.
    """

    checked_at: datetime | None
    listed: int | None
    decided: int | None
    missing: int | None
    to_retry: int


class SendsView(BaseModel):
    """The daily limit of the Gmail address (S26)."""

    limit: int
    used_24h: int
    queued: int
    next_slot_at: datetime | None


class AccountView(BaseModel):
    """A connected account: its state, why, and what happens next."""

    id: str
    user_id: str
    email: str
    state: str
    reason: str | None
    state_changed_at: datetime
    connected_at: datetime | None
    last_synced_at: datetime | None
    watch_expires_at: datetime | None
    next_action: str | None
    next_action_at: datetime | None
    completeness: CompletenessView
    sends: SendsView
    granted_scopes: list[str]


def get(session: Session, location_id: str, account_id: str) -> Account | None:
    """An account of the location, or None."""
    account = session.get(Account, account_id)
    return account if account is not None and account.location_id == location_id else None


def listing(
    session: Session,
    location_id: str,
    limit: int,
    cursor: str | None = None,
    *,
    user_id: str | None = None,
) -> Page[Account]:
    """The location's accounts, first connected first."""
    query = select(Account).where(Account.location_id == location_id)
    if user_id is not None:
        query = query.where(Account.user_id == user_id)
    if (position := position_of("accounts", cursor, str)) is not None:
        query = query.where(col(Account.id) > position[0])
    query = query.order_by(col(Account.id)).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "accounts", lambda account: (account.id,))


def views(session: Session, accounts: Sequence[Account], limits: Limits) -> list[AccountView]:
    """The accounts as the API shows them, in their order."""
    return [_view(session, account, limits) for account in accounts]


def _view(session: Session, account: Account, limits: Limits) -> AccountView:
    usage = Ledger.of_account(session, account, limits=limits).usage()
    return AccountView(
        id=account.id,
        user_id=account.user_id,
        email=account.email,
        state=account.state,
        reason=account.reason,
        state_changed_at=account.state_changed_at,
        connected_at=account.connected_at,
        last_synced_at=account.last_synced_at,
        watch_expires_at=account.watch_expires_at,
        next_action=account.next_action,
        next_action_at=account.next_action_at,
        completeness=CompletenessView(
            checked_at=account.completeness_checked_at,
            listed=account.completeness_listed,
            decided=account.completeness_decided,
            missing=account.completeness_missing,
            to_retry=decisions.number_failed(session, account.id),
        ),
        sends=SendsView(
            limit=usage.limit, used_24h=usage.used, queued=usage.queued, next_slot_at=usage.next_slot_at
        ),
        granted_scopes=account.granted_scopes,
    )
