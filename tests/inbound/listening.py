"""A listener on a free port in a thread, and the people who write to it."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from pathlib import Path
from typing import cast

from sqlmodel import col, select

from activities.filing import Filing
from crm import users
from inbound.listener import Listener
from inbound.safekeeping import Safekeeping
from models import InboundMail, Location, User
from settings import Settings
from storage.blobs import Blobs
from storage.database import Database
from workflows.commands import Commands, WorkflowsUnavailable

DOMAIN = "bcc.localhost"


@dataclass
class Handover:
    """Takes the place of Temporal's client: takes the command, or is away."""

    away: bool = False
    taken: list[str] = field(default_factory=list)

    async def file_inbound(self, inbound_id: str) -> None:
        if self.away:
            raise WorkflowsUnavailable("Temporal is away")
        self.taken.append(inbound_id)


@dataclass
class Door:
    """The running listener, and a location with Ann and Bob."""

    port: int
    database: Database
    blobs: Blobs
    handover: Handover
    location_id: str
    ann: User
    bob: User

    @property
    def address(self) -> str:
        """Ann's auto-BCC address."""
        return f"{self.ann.auto_bcc_token}@{DOMAIN}"

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=30)

    def kept(self) -> list[InboundMail]:
        """What is safe, of this location; first come first."""
        with self.database.session() as session:
            return list(
                session.exec(
                    select(InboundMail)
                    .where(InboundMail.location_id == self.location_id)
                    .order_by(col(InboundMail.received_at))
                )
            )

    def give(
        self, mail: EmailMessage | bytes, *recipients: str, sender: str | None = None
    ) -> tuple[int, str]:
        """Give a mail; the last answer of the server."""
        content = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP_LINES)
        if sender is None:
            sender = str(mail["From"]) if isinstance(mail, EmailMessage) else "ann@acme.example"
        with self.client() as smtp:
            smtp.ehlo("outlook.example")
            code, text = smtp.mail(sender)
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                if code >= 400:
                    return code, text.decode()
            code, text = smtp.data(content)
            return code, text.decode()

    def file_all(self) -> None:
        """What the workflow does with what was taken."""
        filing = Filing(self.database, self.blobs, DOMAIN)
        for inbound_id in self.handover.taken:
            filing.file_inbound(inbound_id)


def mail(author: str, to: str, subject: str = "Nice to meet you", **headers: str) -> EmailMessage:
    """A mail as an ordinary program writes it."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = author, to, subject
    made["Message-ID"], made["Date"] = (
        f"<{abs(hash((author, to, subject)))}@outlook.example>",
        "Sat, 28 Nov 2026 10:00:00 +0000",
    )
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("It was good to meet you at the fair.\n")
    return made


@contextmanager
def open_door(url: str, folder: Path, *, reachable: bool = True, **overrides: object) -> Iterator[Door]:
    """Start the listener in a thread of its own; not `reachable`: its database is away."""
    database, blobs, handover = Database(url, pool_size=4), Blobs(folder.as_uri()), Handover()
    with database.session() as session:
        location = Location(name="Acme", api_key_hash=folder.name)
        session.add(location)
        session.flush()
        ann = users.create(session, location.id, "ann@acme.example", "Ann Archer")
        bob = users.create(session, location.id, "bob@acme.example", "Bob")
    values: dict[str, object] = {
        "database_url": url,
        "smtp_inbound_port": 0,
        "auto_bcc_domain": DOMAIN,
        **overrides,
    }
    settings = Settings.model_validate(values)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    its_database = database if reachable else Database("postgresql://postgres@127.0.0.1:1/away", pool_size=1)
    listener = Listener(settings, Safekeeping(its_database, blobs, cast(Commands, handover), DOMAIN))
    asyncio.run_coroutine_threadsafe(listener.start(), loop).result(30)
    try:
        yield Door(listener.port, database, blobs, handover, location.id, ann, bob)
    finally:
        asyncio.run_coroutine_threadsafe(listener.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        database.close()
