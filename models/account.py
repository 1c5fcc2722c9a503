"""A connected Gmail account, its verified aliases, pauses and pending consents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import created, json_list, moment, one_of, optional_reference, reference
from models.ids import new_id
from models.states import AccountState


class Account(SQLModel, table=True):
    """One user's connection to one mailbox; reconnecting the same address revives the same row."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("user_id", "google_sub", name="uq_accounts_user_google_sub"),
        one_of("state", AccountState, "accounts"),
    )

    id: str = Field(default_factory=lambda: new_id("acc"), primary_key=True)
    location_id: str = reference("locations.id")
    user_id: str = reference("users.id")
    email: str
    email_key: str = Field(index=True)
    google_sub: str = Field(index=True)
    state: str = AccountState.CONNECTING
    reason: str | None = None
    state_changed_at: datetime = created()
    created_at: datetime = created()
    connected_at: datetime | None = moment()
    """The moment of the first consent or of the last reconnect: nothing older is collected (S3)."""
    last_synced_at: datetime | None = moment()
    next_action: str | None = None
    next_action_at: datetime | None = moment()

    history_id: int | None = Field(default=None, sa_type=BigInteger)
    """Our own cursor in Gmail's history; a push's id never moves it."""
    watch_expires_at: datetime | None = moment()
    disconnect_asked_at: datetime | None = moment()
    """The user wants it disconnected (S5); cleared once that is done."""

    refresh_token_encrypted: bytes | None = None
    access_token_encrypted: bytes | None = None
    access_token_expires_at: datetime | None = moment()
    granted_scopes: list[str] = json_list()

    completeness_checked_at: datetime | None = moment()
    completeness_listed: int | None = None
    completeness_decided: int | None = None
    completeness_missing: int | None = None

    sends_counted_at: datetime | None = moment()
    """When what the mailbox sent in the last 24 h was counted; nothing leaves before (S26)."""
    sends_blocked_until: datetime | None = moment()
    """Gmail said that its sending limit is reached (S20, S26)."""


class AccountAlias(SQLModel, table=True):
    """An address that the mailbox may send as (Gmail API: settings.sendAs)."""

    __tablename__ = "account_aliases"

    account_id: str = reference("accounts.id", primary_key=True)
    email_key: str = Field(primary_key=True, index=True)
    email: str
    name: str = ""
    verified: bool = False
    is_primary: bool = False
    signature: str = ""


class AccountPause(SQLModel, table=True):
    """A time in which nothing is collected: switched away (S4) or disconnected (S5)."""

    __tablename__ = "account_pauses"

    id: str = Field(default_factory=lambda: new_id("pau"), primary_key=True)
    account_id: str = reference("accounts.id")
    rule: str  # "S4" or "S5"
    started_at: datetime = created()
    ended_at: datetime | None = moment()


class PendingConsent(SQLModel, table=True):
    """An OAuth `state` that is out in a browser; serves once, for ten minutes."""

    __tablename__ = "pending_consents"

    state_hash: str = Field(primary_key=True)
    location_id: str = reference("locations.id")
    user_id: str = reference("users.id")
    purpose: str  # "connect", "reauthorize" or "switch"
    account_id: str | None = optional_reference("accounts.id", on_delete="CASCADE")
    code_verifier_encrypted: bytes
    return_url: str | None = None
    created_at: datetime = created()
    expires_at: datetime = created()
    used_at: datetime | None = moment()
