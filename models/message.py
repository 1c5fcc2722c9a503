"""A mail in the CRM, once for each location, with its participants and attachments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Computed, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

from models.columns import created, json_list, json_object, moment, one_of, optional_reference, reference
from models.ids import new_id
from models.states import AttachmentState, Direction, MessageStatus, Role


class Message(SQLModel, table=True):
    """A mail, inbound or outbound. `html` is as it came; it is sanitised where it is shown."""

    __tablename__ = "messages"
    __table_args__ = (
        one_of("direction", Direction, "messages"),
        one_of("status", MessageStatus, "messages"),
        Index("ix_messages_conversation_sent", "conversation_id", "sent_at", "id"),
        Index("ix_messages_thread_sent", "thread_id", "sent_at"),
        Index(
            "ix_messages_thread_outbound", "thread_id", "sent_at", postgresql_where="direction = 'outbound'"
        ),
        Index("ix_messages_location_message_id", "location_id", "message_id_header"),
        Index("ix_messages_search", "search", postgresql_using="gin"),
        Index(
            "ix_messages_leaving",
            "user_id",
            "status",
            postgresql_where="status IN ('queued','waiting_for_limit','scheduled','held','sending')",
        ),
    )

    id: str = Field(default_factory=lambda: new_id("msg"), primary_key=True)
    location_id: str = reference("locations.id", index=False)
    conversation_id: str = reference("conversations.id", index=False)
    thread_id: str = reference("threads.id", index=False)
    contact_id: str = reference("contacts.id")
    direction: str
    kind: str = "individual"
    forwarded: bool = False
    status: str = MessageStatus.RECEIVED
    status_detail: str | None = None
    """What stands behind the status, and what happens next, in words for the user."""
    subject: str = ""
    text: str | None = None
    html: str | None = None
    sent_at: datetime = created()
    message_id_header: str | None = None
    in_reply_to: list[str] = json_list()
    references: list[str] = json_list()
    read: bool = False
    """Read in the CRM, for a message of which no mailbox has a copy; otherwise the copies tell."""
    deleted_in_gmail: bool = False
    hidden_by: str | None = optional_reference("reviews.id", index=False)
    """The review by which it is out of sight: today's rules would not let it in."""
    raw_blob: str | None = None
    created_at: datetime = created()
    updated_at: datetime = created()

    # Outbound
    user_id: str | None = optional_reference("users.id", index=False)
    account_id: str | None = optional_reference("accounts.id")
    """The mailbox that it leaves or left through; None where it leaves by SMTP."""
    from_email: str | None = None
    reply_to_message_id: str | None = None
    send_at: datetime | None = moment()
    leaves_at: datetime | None = moment()
    stamp: str | None = Field(default=None, unique=True)
    """The opaque `X-` header by which our draft and its SENT copy are found again (S27)."""
    draft_asked_at: datetime | None = moment()
    """Set before a draft is asked for: with no `draft_id` yet, one may exist that only the stamp finds."""
    draft_id: str | None = None
    send_asked_at: datetime | None = moment()
    """Set before the draft (or the SMTP data) is handed over: from then on only a look-up tells."""
    untaken: list[str] = json_list()
    """By SMTP: recipients whom the provider refused for now, while it took the mail for the others: tried again."""
    tried_since: datetime | None = moment()
    """By SMTP: when it was not taken for the first time; it is tried for a day from then."""
    lookups: int = 0
    """Look-ups since then that found neither the draft nor the copy in SENT."""
    sent_gmail_id: str | None = None
    gmail_thread_id: str | None = None
    campaign_id: str | None = Field(default=None, index=True)
    headers: dict[str, str] = json_object()

    # What became of it (S20, S24)
    opens: int = 0
    clicks: int = 0
    replied_at: datetime | None = moment()
    bounced_at: datetime | None = moment()
    bounce_permanent: bool | None = None
    bounce_status: str | None = None
    bounce_reason: str | None = None
    bounce_recipients: list[str] = json_list()
    auto_bcc_notice_at: datetime | None = moment()
    """Gmail could not deliver the auto-BCC copy: harmless, shown in the details (S19)."""

    search: Any = Field(
        default=None,
        sa_type=TSVECTOR,
        sa_column_args=[
            Computed(
                "to_tsvector('simple', coalesce(subject, '') || ' ' || left(coalesce(text, ''), 200000))",
                persisted=True,
            )
        ],
    )


class Participant(SQLModel, table=True):
    """An address on a message; linked to the contact that has it, if one does (S13)."""

    __tablename__ = "participants"
    __table_args__ = (
        UniqueConstraint("message_id", "role", "position", name="uq_participants_place"),
        one_of("role", Role, "participants"),
        Index("ix_participants_location_email", "location_id", "email_key"),
    )

    id: str = Field(default_factory=lambda: new_id("par"), primary_key=True)
    message_id: str = reference("messages.id", index=False)
    location_id: str = reference("locations.id", index=False)
    role: str
    position: int
    name: str = ""
    email: str
    email_key: str
    contact_id: str | None = optional_reference("contacts.id")


class Attachment(SQLModel, table=True):
    """A file of a message; a message is never dropped for its attachment (S22)."""

    __tablename__ = "attachments"
    __table_args__ = (
        UniqueConstraint("message_id", "position", name="uq_attachments_place"),
        one_of("state", AttachmentState, "attachments"),
    )

    id: str = Field(default_factory=lambda: new_id("att"), primary_key=True)
    message_id: str = reference("messages.id", index=False)
    position: int
    filename: str
    content_type: str
    size: int
    content_id: str | None = None
    inline: bool = False
    part_id: str | None = None
    state: str = AttachmentState.STORED
    blob: str | None = None


class TrackingEvent(SQLModel, table=True):
    """An open or a click (S24); `machine` marks known prefetchers, which do not count."""

    __tablename__ = "tracking_events"

    id: str = Field(default_factory=lambda: new_id("trk"), primary_key=True)
    message_id: str = reference("messages.id")
    kind: str  # "open" or "click"
    at: datetime = created()
    url: str | None = None
    machine: bool = False
