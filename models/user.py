"""A CRM user: the sales person whose mailbox is connected."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import created, moment, reference
from models.ids import new_id


class User(SQLModel, table=True):
    """A user of one location; `active_account_id` alone decides which mailbox sends (S4)."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("location_id", "email_key", name="uq_users_location_email"),)

    id: str = Field(default_factory=lambda: new_id("usr"), primary_key=True)
    location_id: str = reference("locations.id")
    email: str
    email_key: str = Field(index=True)
    name: str
    auto_bcc_token: str = Field(unique=True)
    created_at: datetime = created()
    active_account_id: str | None = Field(
        default=None,
        sa_type=String,
        sa_column_args=[
            ForeignKey("accounts.id", ondelete="SET NULL", use_alter=True, name="fk_users_active_account")
        ],
        unique=True,
        nullable=True,
    )


class RetiredAutoBcc(SQLModel, table=True):
    """An auto-BCC token that was rotated away: refused from then on, saying so (S16)."""

    __tablename__ = "retired_auto_bcc_tokens"

    token: str = Field(primary_key=True)
    user_id: str = reference("users.id")
    retired_at: datetime = created()


class UserSession(SQLModel, table=True):
    """A link that signs a user in once, or the cookie that followed it; only hashes are kept."""

    __tablename__ = "user_sessions"

    token_hash: str = Field(primary_key=True)
    user_id: str = reference("users.id")
    kind: str  # "link" or "cookie"
    created_at: datetime = created()
    expires_at: datetime = created()
    used_at: datetime | None = moment()
