"""The facts by which a page of headlines is decided; `crm.facts` loads them.

The rules (`crm.policy`) read a `World` and nothing else. While a page is decided in the order in which its
messages came, `learn` adds what each decision brings: an answer later in the page finds the thread that a
message before it has opened, under a provisional id until both are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from crm.addresses import email_key
from crm.headline import Headline
from mail.message import Address, Mail
from models.states import Direction, InboundScope

if TYPE_CHECKING:
    from crm.case import Verdict

NEW_MESSAGE, NEW_THREAD, NEW_CONTACT = "new-message:", "new-thread:", "new-contact:"
"""With the Gmail id, provisional ids of what exists once that message is kept."""
STAMP_HEADER = "X-CRM-Send-Id"
MAX_ANCESTORS = 25
"""Ids of In-Reply-To and References that are looked up: the nearest ones."""


@dataclass(frozen=True, slots=True)
class ContactRef:
    """A contact by one of its addresses. `since`: Unix seconds of its creation."""

    id: str
    assigned_user_id: str | None = None
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """A thread of the CRM; `contact_id` owns its conversation, `mixed`: colleagues take part in it (S12)."""

    id: str
    contact_id: str
    mixed: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message of the location. `author`: the key of its From address."""

    id: str
    thread: ThreadRef
    author: str
    outbound: bool
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which nothing is collected; `rule`: S4 or S5."""

    rule: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class World:
    """What is known of a location, seen from one mailbox (or from none: the SMTP listener).

    internal_keys: mailbox keys of users, connected addresses, verified aliases and staff addresses, of those that the
    page names. user_keys: those of them that are users'. contacts: by email key, first created first (S15).
    threads: by Gmail thread id, oldest first. known: by Message-ID hash, first created first. left: hashes of
    Message-IDs that left their thread (S18). mixed: threads that became so in this page. auto_bcc: email key
    to user id (S16). kept: messages of Gmail ids that have synced already. conversations: by contact, where
    it has one. pending: by Gmail thread, ids that could not be decided yet, with their Unix time (0: unknown);
    just_failed: those of them that have been tried only a few times.
    """

    location_id: str
    user_id: str | None = None
    account_id: str | None = None
    inbound_scope: str = InboundScope.ANY_CONTACT
    connected_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()
    own_keys: frozenset[str] = frozenset()
    user_keys: frozenset[str] = frozenset()
    internal_keys: frozenset[str] = frozenset()
    internal_domains: frozenset[str] = frozenset()
    auto_bcc_domain: str = ""
    auto_bcc: Mapping[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    pending: dict[str, dict[str, float]] = field(default_factory=dict)
    just_failed: set[str] = field(default_factory=set)
    conversations: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, tuple[ContactRef, ...]] = field(default_factory=dict)
    threads: dict[str, tuple[ThreadRef, ...]] = field(default_factory=dict)
    known: dict[str, tuple[KnownMessage, ...]] = field(default_factory=dict)
    stamped: dict[str, KnownMessage] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    mixed: set[str] = field(default_factory=set)

    def copy(self) -> World:
        """One that can learn without changing this one."""
        return replace(
            self,
            contacts=dict(self.contacts),
            threads=dict(self.threads),
            known=dict(self.known),
            left=set(self.left),
            mixed=set(self.mixed),
        )

    def contact(self, key: str) -> ContactRef | None:
        """Whose address it is: of several contacts the first created (S15)."""
        found = self.contacts.get(key)
        return found[0] if found else None

    def message(self, message_id: str) -> KnownMessage | None:
        """The message with this Message-ID; of several the first that the location had."""
        found = self.known.get(id_hash(message_id))
        return found[0] if found else None

    def has_left(self, message_id: str) -> bool:
        """Did a message with this id leave its thread as a forward to a stranger, or answer one (S18)?"""
        return bool(self.left) and id_hash(message_id) in self.left

    def is_mixed(self, thread: ThreadRef) -> bool:
        """Do colleagues take part in the thread beside the mailbox's owner (S12)?"""
        return thread.mixed or thread.id in self.mixed

    def learn(self, headline: Headline, verdict: Verdict) -> None:
        """Take in what a decision brings, for the messages after it in the page."""
        mail = headline.mail
        if verdict.left_thread and mail.message_id:
            self.left.add(id_hash(mail.message_id))
        if not verdict.synced or verdict.owner is None or verdict.thread_id is None:
            return
        if verdict.new_contact is not None:
            made = verdict.new_contact
            ref = ContactRef(made.id, made.assigned_user_id, float("inf"))
            self.contacts[email_key(made.email)] = (*self.contacts.get(email_key(made.email), ()), ref)
        thread = ThreadRef(verdict.thread_id, verdict.owner, since=float("inf"))
        if verdict.mixes:
            self.mixed.add(thread.id)
        before = self.threads.get(headline.gmail_thread_id, ())
        if all(ref.id != thread.id for ref in before):
            self.threads[headline.gmail_thread_id] = (*before, thread)
        if mail.message_id:
            known = KnownMessage(
                NEW_MESSAGE + headline.gmail_id,
                thread,
                author_key(mail),
                verdict.direction is Direction.OUTBOUND,
                float("inf"),
            )
            key = id_hash(mail.message_id)
            self.known[key] = (*self.known.get(key, ()), known)


def id_hash(message_id: str) -> str:
    """SHA-256 of a Message-ID, in hex."""
    return hashlib.sha256(message_id.encode()).hexdigest()


def id_key(message_id: str) -> str:
    """The match key under which a message is found by a Message-ID that it has or had."""
    return f"id:{id_hash(message_id)}"


def author(mail: Mail) -> Address | None:
    """Who wrote the mail: the first From address."""
    return mail.from_[0] if mail.from_ else mail.sender


def author_key(mail: Mail) -> str:
    """The author's address for comparing; empty where the mail names none."""
    found = author(mail)
    return email_key(found.email) if found else ""


def people(mail: Mail) -> Iterable[Address]:
    """Everybody on the mail: From, To, Cc, Bcc."""
    yield from (*mail.from_, *mail.to, *mail.cc, *mail.bcc)
    if not mail.from_ and mail.sender:
        yield mail.sender


def ancestors(mail: Mail) -> list[str]:
    """The ids that the mail answers, nearest first: In-Reply-To, then References from their end."""
    return list(dict.fromkeys((*mail.in_reply_to, *reversed(mail.references))))[:MAX_ANCESTORS]


def stamp_of(mail: Mail) -> str | None:
    """The opaque header by which a mail of ours is known again (S27)."""
    value = mail.headers.get(STAMP_HEADER)
    return value.strip() or None if value else None
