"""Builders for the rules' tests: mails, headlines and a small world, in the product's words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from crm import contacts, keeping, policy, users
from crm.facts import load_world
from crm.headline import Headline
from crm.keeping import Filed, Item
from mail.message import Mail
from mail.parse import parse, parse_headers
from models import Account, Contact, Location, User
from models.ids import new_id
from models.states import AccountState, InboundScope
from storage.database import Database

NOON = datetime(2026, 11, 2, 12, 0, 0, 1000, UTC)
BCC_DOMAIN = "bcc.crm.test"
_ids = itertools.count(1)


def raw_mail(
    sender: str,
    to: Sequence[str] | str = (),
    *,
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    subject: str = "Offer",
    text: str = "Hello there.",
    message_id: str | None = "",
    answers: Sequence[str] = (),
    date: datetime | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The bytes of a plain mail; `answers`: the ids of References, the last one is In-Reply-To."""
    if message_id == "":
        message_id = f"<m{next(_ids)}@mail.test>"
    to = [to] if isinstance(to, str) else to
    fields = [("From", sender), ("To", ", ".join(to)), ("Cc", ", ".join(cc)), ("Bcc", ", ".join(bcc))]
    fields += [("Subject", subject), ("Message-ID", message_id or "")]
    if answers:
        fields += [("In-Reply-To", answers[-1]), ("References", " ".join(answers))]
    moment = date or NOON
    fields += [("Date", moment.strftime("%a, %d %b %Y %H:%M:%S +0000")), *headers]
    lines = [f"{name}: {value}" for name, value in fields if value]
    return "\r\n".join([*lines, "", text, ""]).encode()


def headers_of(raw: bytes) -> Mail:
    """What format=metadata gives of a mail."""
    whole = parse(raw)
    return parse_headers(list(whole.headers))


def headline(
    raw: bytes,
    *labels: str,
    thread: str = "t1",
    at: datetime = NOON,
    gmail_id: str | None = None,
) -> Headline:
    """A Gmail message that carries this mail."""
    return Headline(
        gmail_id=gmail_id or f"g{next(_ids):06}",
        gmail_thread_id=thread,
        label_ids=frozenset(labels or ("INBOX",)),
        internal_date=at,
        size_estimate=len(raw),
        mail=headers_of(raw),
    )


@dataclass
class Crm:
    """A location in a database, with its people; `arrive` files mails of a mailbox as the sync does."""

    database: Database
    location: Location
    clock: datetime = NOON
    mailboxes: dict[str, Account] = field(default_factory=dict)

    @classmethod
    def create(cls, database: Database, scope: InboundScope = InboundScope.ANY_CONTACT) -> Crm:
        with database.session() as session:
            location = Location(name="Acme", api_key_hash=new_id("key"), inbound_scope=scope)
            session.add(location)
        return cls(database, location)

    def user(self, email: str, name: str = "") -> User:
        with self.database.session() as session:
            return users.create(session, self.location.id, email, name or email.partition("@")[0])

    def mailbox(self, email: str, login: str | None = None) -> Account:
        """A user with a connected mailbox."""
        user = self.user(login or email)
        return self.connect(user, email)

    def connect(self, user: User, email: str) -> Account:
        with self.database.session() as session:
            account = Account(
                location_id=self.location.id,
                user_id=user.id,
                email=email,
                email_key=email.lower(),
                google_sub=new_id("sub"),
                state=AccountState.ACTIVE,
                connected_at=NOON - timedelta(hours=1),
                history_id=1,
            )
            session.add(account)
        self.mailboxes[email] = account
        return account

    def contact(self, *emails: str, assigned_to: User | None = None, name: str = "") -> Contact:
        with self.database.session() as session:
            return contacts.create(
                session,
                self.location.id,
                name or emails[0],
                emails,
                assigned_user_id=assigned_to.id if assigned_to else None,
            )

    def tick(self, seconds: float = 60) -> datetime:
        self.clock += timedelta(seconds=seconds)
        return self.clock

    def arrive(
        self, account: Account, *mails: tuple[bytes, Sequence[str], str], gap_open: bool = False
    ) -> list[Filed]:
        """Look, decide, fetch what is wanted, keep: each mail with its labels and Gmail thread."""
        items = []
        for raw, labels, thread in mails:
            items.append((raw, headline(raw, *labels, thread=thread, at=self.tick())))
        return self.file(account, items, gap_open=gap_open)

    def file(
        self, account: Account, items: Sequence[tuple[bytes, Headline]], *, gap_open: bool = False
    ) -> list[Filed]:
        """Both passes of the sync; bodies are there only where the first pass wanted them."""
        heads = [head for _, head in items]
        with self.database.session() as session:
            world = load_world(session, account, heads, BCC_DOMAIN)
        verdicts = policy.decide_page(heads, world)
        page = [
            Item(
                head,
                parse(raw) if verdicts[head.gmail_id].wants_body else None,
                raw_blob=f"blob/{head.gmail_id}",
            )
            for raw, head in items
        ]
        with self.database.session() as session:
            row = session.get_one(Account, account.id)
            filed = keeping.file_page(session, row, page, BCC_DOMAIN, gap_open=gap_open)
        missing = {one.gmail_id for one in filed if one.unfetched}
        if missing:
            again = [Item(head, parse(raw)) for raw, head in items if head.gmail_id in missing]
            with self.database.session() as session:
                row = session.get_one(Account, account.id)
                by_id = {one.gmail_id: one for one in keeping.file_page(session, row, again, BCC_DOMAIN)}
            filed = [by_id.get(one.gmail_id, one) for one in filed]
        return filed

    def session(self) -> Session:
        return Session(self.database.engine)
