"""A connected mailbox for tests of activities: real PostgreSQL, the Gmail emulator, and no Temporal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlmodel import col, select

from activities.address_books import AddressBooks
from activities.collecting import Collecting
from activities.connecting import Connecting
from activities.fetching import Fetching
from activities.last_look import LastLook
from activities.proving import Proving
from activities.reconciling import Reconciling
from activities.recovering import Recovering
from activities.switching import Switching
from activities.syncing import Syncing
from activities.watching import Watching
from crm import connections, contacts, users
from crm.connections import NewGrant
from crm.consents import Purpose
from devstack.gmail.control import GmailControl
from devstack.stack import Stack
from devstack.story import unique
from environment import Environment
from gmail import consent
from models import Account, Contact, Decision, Location, Message, User
from models.columns import now
from workflows.values import AccountInput, GapInput, Report, SyncInput

TOO_FAST = {"status": 429, "reason": "rateLimitExceeded", "message": "Too many concurrent requests for user"}
"""What Gmail answers to more than five requests in flight; it names no time."""


@dataclass
class Mailroom:
    """The activities of one process, and words for what a test does with them."""

    stack: Stack
    environment: Environment = field(init=False)
    gmail: GmailControl = field(init=False)

    def __post_init__(self) -> None:
        self.environment = environment = Environment.build(self.stack.settings)
        self.gmail = GmailControl(self.stack.gmail_url)
        config, database, mailboxes = environment.settings, environment.database, environment.mailboxes
        fetching = Fetching(environment.blobs, full_above_bytes=config.gmail_full_fetch_above_bytes)
        self.collecting = Collecting(database, fetching, config.auto_bcc_domain)
        self.address_books = AddressBooks(database, mailboxes)
        self.proving = Proving(database, mailboxes, self.collecting)
        self.watching = Watching(database, mailboxes, config, self.proving, self.address_books)
        last_look = LastLook(database, mailboxes, self.collecting)
        self.connecting = Connecting(database, mailboxes, environment.consent, self.watching, last_look)
        self.syncing = Syncing(database, mailboxes, self.collecting)
        self.recovering = Recovering(database, mailboxes, self.collecting)
        self.switching = Switching(database, mailboxes)
        self.reconciling = Reconciling(database, mailboxes)

    def close(self) -> None:
        self.gmail.close()
        self.environment.close()

    def location(self) -> str:
        """A new location's id."""
        with self.environment.database.session() as session:
            location = Location(name="Acme", api_key_hash=unique("key"))
            session.add(location)
            return location.id

    def user(self, location_id: str) -> str:
        """A new user's id."""
        with self.environment.database.session() as session:
            return users.create(session, location_id, f"{unique('user')}@acme.example", "Ann").id

    def contact(self, location_id: str) -> str:
        """The address of a new contact."""
        email = f"{unique('lead')}@lead.example"
        with self.environment.database.session() as session:
            contacts.create(session, location_id, "Lea", [email])
        return email

    def grant(
        self,
        user_id: str,
        mailbox: str,
        purpose: Purpose = Purpose.CONNECT,
        account_id: str | None = None,
    ) -> str:
        """The user gives consent; the id of the account that it belongs to."""
        verifier = consent.new_verifier()
        url = self.environment.consent.authorization_url("state", verifier)
        code = parse_qs(urlsplit(self.gmail.consent(url, mailbox)).query)["code"][0]
        grant = self.environment.consent.exchange(code, verifier)
        vault = self.environment.vault
        with self.environment.database.session() as session:
            taken = connections.take_grant(
                session,
                user_id,
                purpose,
                account_id,
                NewGrant(
                    subject=grant.subject,
                    email=grant.email,
                    scopes=sorted(grant.scopes),
                    refresh_token_encrypted=vault.encrypt(grant.refresh_token),
                    access_token_encrypted=vault.encrypt(grant.access_token),
                    access_token_expires_at=datetime.fromtimestamp(grant.expires_at, UTC),
                ),
            )
        return taken.account_id

    def connected(self, location_id: str | None = None, mailbox: str | None = None) -> Account:
        """A connected account, synced once."""
        location_id = location_id or self.location()
        mailbox = mailbox or f"{unique('ann')}@gmail.com"
        self.gmail.create_mailbox(mailbox)
        account_id = self.grant(self.user(location_id), mailbox)
        assert self.connecting.connect(AccountInput(account_id=account_id)).state == "active"
        self.sync(account_id)
        return self.account(account_id)

    def disconnect(self, account_id: str) -> Report:
        """The user asks for it, and the account's workflow does it."""
        self.ask_to_disconnect(account_id)
        return self.connecting.disconnect(AccountInput(account_id=account_id))

    def ask_to_disconnect(self, account_id: str) -> None:
        with self.environment.database.session() as session:
            connections.ask_to_disconnect(session, session.get_one(Account, account_id))

    def sync(self, account_id: str, **more: Any) -> Report:
        return self.syncing.sync(SyncInput(account_id=account_id, **more))

    def sync_to_the_end(self, account_id: str) -> None:
        """As the account's workflow does: rounds, gaps, and what failed, until nothing is left to do."""
        for _ in range(30):
            report = self.sync(account_id)
            while report.gap is not None:
                report = self.recovering.fill(GapInput(account_id=account_id, gap=report.gap))
            if report.state not in ("active", "recovering"):
                return
            if not (report.failed_step or report.more or report.retry_at):
                return
            self.hurry(account_id)
        raise AssertionError(f"never came to an end: {report}")

    def account(self, account_id: str) -> Account:
        with self.environment.database.session() as session:
            return session.get_one(Account, account_id)

    def decision(self, account_id: str, gmail_id: str) -> Decision | None:
        with self.environment.database.session() as session:
            return session.get(Decision, (account_id, gmail_id))

    def messages(self, location_id: str) -> list[Message]:
        with self.environment.database.session() as session:
            found = session.exec(
                select(Message).where(Message.location_id == location_id).order_by(col(Message.sent_at))
            )
            return list(found)

    def contacts(self, location_id: str) -> list[Contact]:
        with self.environment.database.session() as session:
            return list(session.exec(select(Contact).where(Contact.location_id == location_id)))

    def user_of(self, account: Account) -> User:
        with self.environment.database.session() as session:
            return session.get_one(User, account.user_id)

    def hurry(self, account_id: str) -> None:
        """Whatever waits for its next try is due now, and its last try some time ago."""
        with self.environment.database.session() as session:
            for row in session.exec(
                select(Decision).where(Decision.account_id == account_id, Decision.outcome == "failed")
            ):
                row.next_try_at, row.at = now(), row.at - timedelta(seconds=10)
                session.add(row)
