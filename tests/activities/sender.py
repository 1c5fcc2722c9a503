"""A user with a mailbox and a contact, and the sending activities on them, as the worker would run them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet
from temporalio.testing import ActivityEnvironment

from activities.composing import Composer
from activities.mailboxes import Mailboxes
from activities.sending import Sending
from activities.smtp_sending import Providers
from crm import outbound
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from delivery.pacing import DomainPace
from devstack.gmail.control import GmailControl
from gmail.budget import Priority
from gmail.client import Gmail
from gmail.config import GoogleConfig
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from gmail.tokens import FixedToken
from models import Account, Contact, ContactAddress, Location, Message, User
from models.columns import now
from models.states import AccountState
from settings import Settings
from storage.blobs import Blobs
from storage.database import Database
from storage.encryption import Vault
from workflows.values import SendStep

LEA = "lea@lead.example"
LONGEST_WAIT = timedelta(seconds=10)


class WorkerDied(BaseException):
    """The process ends at this point; nothing after it runs."""


class TokenMailboxes:
    """Mailboxes by access tokens of the emulator, without a consent flow."""

    def __init__(self, gmail: Gmail, control: GmailControl) -> None:
        self.gmail = gmail
        self._control = control

    def of(self, account: Account, priority: Priority = Priority.SYNC) -> Mailbox:
        return Mailbox(
            self.gmail, account.email_key, FixedToken(self._control.token(account.email)), priority
        )


@dataclass
class Desk:
    """Everything that sends for one user."""

    database: Database
    control: GmailControl
    sending: Sending
    location_id: str
    user_id: str
    account_id: str
    mailbox: str

    def queue(self, subject: str, **more: Any) -> str:
        """A mail handed to us; its id."""
        draft = OutboundDraft(
            kind="individual", to=[Recipient(LEA, "Lea")], subject=subject, text="Hello.", **more
        )
        with self.database.session() as session:
            location, user = session.get_one(Location, self.location_id), session.get_one(User, self.user_id)
            return outbound.queue(session, location, user, draft).id

    def step(self, message_id: str, *, attempt: int = 1) -> SendStep:
        """One round of the workflow: prepare, then leave if it says so."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=attempt)
        step = environment.run(self.sending.prepare_to_leave, message_id)
        return environment.run(self.sending.leave, message_id) if step.kind == "leave" else step

    def settle(self, message_id: str, *, rounds: int = 12) -> str:
        """Rounds until the message is settled or waits for something outside; its status.

        Whatever breaks a round, a worker takes the message up again; a wait of some seconds is waited for.
        """
        for _ in range(rounds):
            try:
                step = self.step(message_id)
            except (WorkerDied, GoogleError):
                continue
            if step.kind == "done" or step.until is None or step.until > now() + LONGEST_WAIT:
                break
            threading.Event().wait(max(0.0, (step.until - now()).total_seconds()))
        return self.message(message_id).status

    def message(self, message_id: str) -> Message:
        with self.database.session() as session:
            return session.get_one(Message, message_id)

    def in_sent(self, subject: str) -> list[dict[str, Any]]:
        return [
            m
            for m in self.control.messages(self.mailbox)
            if m["subject"] == subject and "SENT" in m["labels"]
        ]

    def drafts(self, subject: str) -> list[dict[str, Any]]:
        return [
            m
            for m in self.control.messages(self.mailbox)
            if m["subject"] == subject and "DRAFT" in m["labels"]
        ]

    def delivered(self, subject: str) -> int:
        """How often Lea got it."""
        needle = f"Subject: {subject}\r\n".encode()
        return sum(needle in mail["raw"] for mail in self.control.outbox(LEA))


@contextmanager
def desk(
    url: str,
    settings: Settings,
    control: GmailControl,
    folder: Path,
    mailbox: str,
    *,
    limits: Limits | None = None,
) -> Iterator[Desk]:
    """Open a location with a user whose mailbox is connected, and the contact Lea."""
    database = Database(url, pool_size=4)
    gmail = Gmail(GoogleConfig.from_settings(settings))
    control.create_mailbox(mailbox)
    with database.session() as session:
        location = Location(name="Acme", api_key_hash=mailbox)
        user = User(
            location_id=location.id,
            email=f"crm-{mailbox}",
            email_key=f"crm-{mailbox}",
            name="Ann",
            auto_bcc_token=mailbox,
        )
        session.add(location)
        session.flush()
        session.add(user)
        session.flush()
        account = Account(
            location_id=location.id,
            user_id=user.id,
            email=mailbox,
            email_key=mailbox,
            google_sub=mailbox,
            state=AccountState.ACTIVE,
            connected_at=now(),
            sends_counted_at=now(),
        )
        session.add(account)
        session.flush()
        user.active_account_id = account.id
        contact = Contact(location_id=location.id, name="Lea")
        session.add(contact)
        session.flush()
        session.add(ContactAddress(contact_id=contact.id, location_id=location.id, email=LEA, email_key=LEA))
    composer = Composer(database, Blobs(folder.as_uri()))
    sending = Sending(
        database,
        cast(Mailboxes, TokenMailboxes(gmail, control)),
        composer,
        Providers(Vault(Fernet.generate_key().decode()), ""),
        limits or Limits(window=timedelta(hours=24)),
        "bcc.localhost",
        DomainPace(6000),
    )
    try:
        yield Desk(database, control, sending, location.id, user.id, account.id, mailbox)
    finally:
        gmail.close()
        database.close()
