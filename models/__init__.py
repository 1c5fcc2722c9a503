"""The tables (SQLModel), one file per aggregate."""

from models.account import Account, AccountAlias, AccountPause, PendingConsent
from models.campaign import Campaign, CampaignRecipient, Suppression
from models.contact import Contact, ContactAddress
from models.conversation import Conversation, GmailThread, Thread
from models.erasure import DoomedBlob, Erasure
from models.event import Event, IdempotencyKey, WebhookDelivery, WebhookEndpoint
from models.gmail_message import Decision, GmailMessage, MatchKey
from models.google_contact import ContactsSync, GoogleContact
from models.inbound import InboundMail
from models.location import Location
from models.message import Attachment, Message, Participant, TrackingEvent
from models.quota import MailboxBudget, RequestInFlight
from models.review import Review
from models.sending import LedgerEntry
from models.timeline import TimelineEntry
from models.user import RetiredAutoBcc, User, UserSession

__all__ = [
    "Account",
    "AccountAlias",
    "AccountPause",
    "Attachment",
    "Campaign",
    "CampaignRecipient",
    "Contact",
    "ContactAddress",
    "ContactsSync",
    "Conversation",
    "Decision",
    "DoomedBlob",
    "Erasure",
    "Event",
    "GmailMessage",
    "GmailThread",
    "GoogleContact",
    "IdempotencyKey",
    "InboundMail",
    "LedgerEntry",
    "Location",
    "MailboxBudget",
    "MatchKey",
    "Message",
    "Participant",
    "PendingConsent",
    "RequestInFlight",
    "RetiredAutoBcc",
    "Review",
    "Suppression",
    "Thread",
    "TimelineEntry",
    "TrackingEvent",
    "User",
    "UserSession",
    "WebhookDelivery",
    "WebhookEndpoint",
]
