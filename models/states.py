"""The named states that rows hold, in the words of the published contract."""

from __future__ import annotations

from enum import StrEnum


class AccountState(StrEnum):
    """The life of a connected account; `paused` = switched away from (S4)."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    RECOVERING = "recovering"
    PAUSED = "paused"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    DISCONNECTED = "disconnected"


COLLECTING_STATES = frozenset(
    {AccountState.ACTIVE, AccountState.RECOVERING, AccountState.REAUTHORIZATION_REQUIRED}
)
"""States whose mail is ours to collect, now or after a new consent (S6)."""


class Outcome(StrEnum):
    """What was decided of a Gmail id."""

    SYNCED = "synced"
    SKIPPED = "skipped"
    FAILED = "failed"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MessageStatus(StrEnum):
    """Where an outbound message stands; inbound ones are `received`."""

    RECEIVED = "received"
    QUEUED = "queued"
    WAITING_FOR_LIMIT = "waiting_for_limit"
    SCHEDULED = "scheduled"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    DELAYED = "delayed"


WAITING_STATUSES = frozenset(
    {MessageStatus.QUEUED, MessageStatus.WAITING_FOR_LIMIT, MessageStatus.SCHEDULED, MessageStatus.HELD}
)
"""Statuses of a message that has not begun to leave."""


class Role(StrEnum):
    """A participant's place on a message."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    REPLY_TO = "reply_to"


class AttachmentState(StrEnum):
    STORED = "stored"
    LEFT_IN_GMAIL = "left_in_gmail"
    FAILED = "failed"


class ContactSource(StrEnum):
    """Where a contact came from."""

    CRM = "crm"
    AUTO_BCC = "auto_bcc"
    GMAIL_CONTACTS = "gmail_contacts"


class InboundScope(StrEnum):
    """Whose inbound mail opens a thread (S7)."""

    ANY_CONTACT = "any_contact"
    ASSIGNED_TO_ME = "assigned_to_me"


class GmailContacts(StrEnum):
    """What is done with a user's Google contacts (S23)."""

    OFF = "off"
    MATCH = "match"
    IMPORT = "import"


class LedgerState(StrEnum):
    """A place in the rolling 24 h of a Gmail address (S26)."""

    WAITING = "waiting"
    RESERVED = "reserved"
    USED = "used"
    RELEASED = "released"


class ReviewState(StrEnum):
    """A change applied backwards."""

    LOOKING = "looking"
    """Gmail is being asked for mail that did not sync."""
    PREVIEW = "preview"
    APPLIED = "applied"
    UNDONE = "undone"


class RecipientState(StrEnum):
    """A recipient of a campaign."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    BOUNCED = "bounced"


class CampaignState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
