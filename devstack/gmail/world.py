"""Everything that exists in the emulator: accounts, grants, outside persons, requests, switches."""

from __future__ import annotations

import random
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from devstack.gmail.behaviour import Behaviour, Client, Settings
from devstack.gmail.clock import Clock
from devstack.gmail.grants import Grants
from devstack.gmail.keys import KeyRing
from devstack.gmail.mailbox import Mailbox, SendAs

GMAIL_DOMAINS = ("gmail.com", "googlemail.com")


@dataclass(slots=True)
class Person:
    """Somebody outside: what their server and they do with a mail that arrives.

    `on_mail`: `accept`, `answer`, `holiday`, `bounce` (Gmail learns it at once), `remote_bounce` (their own server
    writes it later), `delay`, or `refuse` (their server takes no mail: "Delivery incomplete", and no more).
    `email` may be `*@domain`; without `report` Gmail's failure notice has an empty report. Times are seconds.
    """

    email: str
    name: str = ""
    on_mail: str = "accept"
    answer: str = "Thank you, got it."
    after_s: float = 0.0
    status: str = ""
    reason: str = ""
    report: bool = True


@dataclass(slots=True)
class Outgoing:
    """A mail that left for addresses outside."""

    at: float
    sender: str
    recipients: list[str]
    raw: bytes


@dataclass(slots=True)
class Logged:
    """A request as the log keeps it; `path_id` is the message, thread or draft that the path names."""

    at: float
    method: str
    verb: str
    path: str
    mailbox: str
    path_id: str
    form: str
    query: dict[str, list[str]]
    status: int
    units: int
    bytes: int = 0
    batch: bool = False


@dataclass(slots=True)
class PushLog:
    """A push as it left: what it said and how the endpoint answered."""

    at: float
    mailbox: str
    history_id: int
    status: int


@dataclass(slots=True)
class World:
    """The emulator's whole state."""

    settings: Settings = field(default_factory=Settings)
    behaviour: Behaviour = field(default_factory=Behaviour)
    clock: Clock = field(default_factory=Clock)
    keys: KeyRing = field(default_factory=KeyRing)
    grants: Grants = field(default_factory=Grants)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    outbox: list[Outgoing] = field(default_factory=list)
    requests: deque[Logged] = field(default_factory=lambda: deque(maxlen=300_000))
    pushes: deque[PushLog] = field(default_factory=lambda: deque(maxlen=100_000))
    in_flight: dict[str, int] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(1))
    listeners: list[Callable[[Mailbox], None]] = field(default_factory=list)
    carriers: list[Callable[[Outgoing, Mailbox | None], None]] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)

    def add_client(self, client: Client) -> None:
        """Register an OAuth client."""
        self.settings.clients[client.id] = client

    def create_mailbox(
        self,
        email: str,
        name: str = "",
        password: str = "",
        aliases: tuple[str, ...] = (),
        history_start: int = 0,
    ) -> Mailbox:
        """Open an account; an existing one is returned as it is."""
        key = address_key(email)
        known = self.find(email)
        if known is not None:
            for alias in aliases:
                self.add_alias(known, alias)
            return known
        start = history_start or random.randrange(1_000_000, 90_000_000)
        mailbox = Mailbox(email, name or email.split("@")[0], self.clock, start, self._changed)
        mailbox.sub = str(10**20 + secrets.randbelow(10**20))
        mailbox.password = password or secrets.token_urlsafe(8)
        self.mailboxes[key] = mailbox
        for alias in aliases:
            self.add_alias(mailbox, alias)
        return mailbox

    def add_alias(
        self, mailbox: Mailbox, alias: str, *, verified: bool = True, receives: bool = True
    ) -> None:
        """Let the account write as another address and, by default, get its mail."""
        mailbox.send_as[alias.lower()] = SendAs(alias, mailbox.name, verified=verified)
        if receives:
            self.aliases[address_key(alias)] = address_key(mailbox.email)

    def find(self, address: str) -> Mailbox | None:
        """The local mailbox that gets mail for an address: itself, an alias, with +tags and gmail.com's dots."""
        key = address_key(address)
        found = self.mailboxes.get(key)
        if found is None and key in self.aliases:
            found = self.mailboxes.get(self.aliases[key])
        return found

    def _changed(self, mailbox: Mailbox) -> None:
        for listener in self.listeners:
            listener(mailbox)


def address_key(address: str) -> str:
    """An address as Gmail compares it: lower case, no +tag; in gmail.com no dots, googlemail.com is the same."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not at:
        return address.strip().lower()
    local = local.split("+", 1)[0] or local
    if domain in GMAIL_DOMAINS:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
