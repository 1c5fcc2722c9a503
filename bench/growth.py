"""Whether a message costs the same where there is ten times as much: accounts, messages in its thread, contacts.

Filing one message (look up the facts, decide, keep) is timed in turns in a small and in a large location of the
same database, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import text

from bench.result import Result
from crm.headline import Headline
from crm.keeping import Item, file_page
from devstack.stack import Stack
from mail.parse import parse, parse_headers
from models import Account, Contact, ContactAddress, Location, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState
from storage.database import Database

SAMPLES = 80
WARM_UP = 10
BCC_DOMAIN = "bcc.growth.example"
LEAD = "lead@growth.example"
ACCOUNTS, THREAD, CONTACTS = 50, 50, 1000
"""What the small locations have; the large ones have ten times as much of one of them."""

_USERS = text(
    "INSERT INTO users (id, location_id, email, email_key, name, auto_bcc_token, created_at)"
    " SELECT 'usr_' || :location || n, :location, e, e, 'User', 'b' || :location || n, now()"
    " FROM (SELECT n, 'user' || n || '@' || :location || '.example' AS e FROM generate_series(1, :count) n) s"
)
_ACCOUNTS = text(
    "INSERT INTO accounts (id, location_id, user_id, email, email_key, google_sub, state, state_changed_at,"
    " created_at, connected_at, granted_scopes)"
    " SELECT 'acc_' || :location || n, :location, 'usr_' || :location || n, e, e, 'sub' || :location || n, 'active',"
    " now(), now(), now(), '[]'"
    " FROM (SELECT n, 'box' || n || '@' || :location || '.example' AS e FROM generate_series(1, :count) n) s"
)
_CONTACTS = text(
    "INSERT INTO contacts (id, location_id, name, source, created_at, updated_at)"
    " SELECT 'con_' || :location || n, :location, 'Contact', 'crm', now(), now()"
    " FROM generate_series(1, :count) n"
)
_ADDRESSES = text(
    "INSERT INTO contact_addresses (id, contact_id, location_id, email, email_key, position)"
    " SELECT 'cad_' || :location || n, 'con_' || :location || n, :location, e, e, 0"
    " FROM (SELECT n, 'c' || n || '@' || :location || '.example' AS e FROM generate_series(1, :count) n) s"
)


@dataclass
class _Place:
    """A location with one mailbox that mail comes to."""

    database: Database
    location_id: str
    account: Account
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    last: str = ""

    @classmethod
    def make(cls, database: Database, *, accounts: int = 0, contacts: int = 0) -> _Place:
        with database.session() as session:
            location = Location(name="Growth", api_key_hash=new_id("key"))
            session.add(location)
            session.flush()
            user = User(
                location_id=location.id, email=f"ann@{location.id}.example", name="Ann",
                email_key=f"ann@{location.id}.example", auto_bcc_token=new_id("bcc"),
            )  # fmt: skip
            lead = Contact(location_id=location.id, name="Lea")
            session.add_all([user, lead])
            session.flush()
            account = Account(
                location_id=location.id, user_id=user.id, email=user.email, email_key=user.email_key,
                google_sub=new_id("sub"), state=AccountState.ACTIVE, connected_at=now() - timedelta(days=1),
            )  # fmt: skip
            address = ContactAddress(contact_id=lead.id, location_id=location.id, email=LEAD, email_key=LEAD)
            session.add_all([account, address])
            session.flush()
            for statement, count in (
                (_USERS, accounts), (_ACCOUNTS, accounts), (_CONTACTS, contacts), (_ADDRESSES, contacts),
            ):  # fmt: skip
                session.execute(statement, {"location": location.id, "count": count})
        return cls(database, location.id, account)

    def file(self, count: int, *, answering: bool) -> float:
        """File a page of so many mails of the lead; seconds."""
        items = [self._mail(answering) for _ in range(count)]
        started = time.perf_counter()
        with self.database.session() as session:
            filed = file_page(session, self.account, items, BCC_DOMAIN)
        spent = time.perf_counter() - started
        assert all(one.created for one in filed)
        return spent

    def _mail(self, answering: bool) -> Item:
        number = next(self.numbers)
        own = f"<{self.location_id}.{number}@growth.example>"
        references = (
            f"References: {self.last}\r\nIn-Reply-To: {self.last}\r\n" if answering and self.last else ""
        )
        raw = (
            f"From: Lea <{LEAD}>\r\nTo: {self.account.email}\r\nSubject: Offer {0 if answering else number}\r\n"
            f"Message-ID: {own}\r\n{references}Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nHello {number}.\r\n"
        ).encode()
        self.last = own
        mail = parse(raw)
        headline = Headline(
            gmail_id=f"{self.location_id}{number:06}",
            gmail_thread_id="thread" if answering else f"thread{number}",
            label_ids=frozenset({"INBOX"}),
            internal_date=now(),
            size_estimate=len(raw),
            mail=parse_headers(list(mail.headers)),
        )
        return Item(headline, mail, f"blob/{self.location_id}/{number}")


def measure() -> list[Result]:
    """One ratio for each thing that grows: a message in the large location against one in the small one."""
    with Stack.start(parts={"postgres"}) as stack:
        database = Database(stack.database_url, pool_size=2)
        try:
            return [
                _grown("accounts of the location", database, partial(_with_accounts, database)),
                _grown("contacts of the location", database, partial(_with_contacts, database)),
                _grown("messages of the thread", database, partial(_with_thread, database), answering=True),
            ]
        finally:
            database.close()


def _with_accounts(database: Database, times: int) -> _Place:
    return _Place.make(database, accounts=times * ACCOUNTS)


def _with_contacts(database: Database, times: int) -> _Place:
    return _Place.make(database, contacts=times * CONTACTS)


def _with_thread(database: Database, times: int) -> _Place:
    place = _Place.make(database)
    for _ in range(times):
        place.file(THREAD, answering=True)
    return place


def _grown(
    what: str, database: Database, make: Callable[[int], _Place], *, answering: bool = False
) -> Result:
    small, large = make(1), make(10)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    costs: dict[int, list[float]] = {1: [], 10: []}
    for number in range(SAMPLES + WARM_UP):
        for times, place in ((1, small), (10, large)):
            spent = place.file(1, answering=answering)
            if number >= WARM_UP:
                costs[times].append(spent * 1000)
    floor, value = statistics.median(costs[1]), statistics.median(costs[10])
    return Result.against_floor(f"message with 10x {what}", value, "ms", floor, at_most=1.2)
