"""S16, S17, S21: a mail seen at the listener and in the synced mailbox is one message, whichever came first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from activities.filing import Filing
from crm import inbound_mails, users
from models import Contact, ContactAddress, InboundMail, Message, Participant, User
from storage.blobs import Blobs
from storage.database import Database
from tests.crm.builders import BCC_DOMAIN, Crm

pytestmark = pytest.mark.servers

LEAD = "nora@newlead.example"
ANN = "ann@acme.example"
HEAD = f"From: Ann Archer <{ANN}>\r\nTo: Nora Newlead <{LEAD}>\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
TEXT = "Dear Nora,\r\n\r\nit was good to meet you at the fair.\r\n\r\nAnn\r\n"
HTML = "<html><body><p>Dear Nora,</p><p>it was good to meet you at the fair.</p><p>Ann</p></body></html>\r\n"


def alternative(boundary: str, text: str = TEXT, html: str = HTML) -> str:
    return (
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--{boundary}--\r\n"
    )


SHAPES = {
    "outlook": HEAD
    + "Subject: Nice to meet you\r\nThread-Topic: Nice to meet you\r\nThread-Index: AdzB1234567890==\r\n"
    "Message-ID: <VI1PR0501MB2799@VI1PR0501MB2799.eurprd05.prod.outlook.com>\r\nAccept-Language: en-GB\r\n"
    "X-MS-Has-Attach: \r\nMIME-Version: 1.0\r\n" + alternative("_000_VI1PR0501MB2799eurprd05prod_"),
    "apple mail": HEAD + "Subject: Nice to meet you\r\nX-Mailer: Apple Mail (2.3774.300.61.1.2)\r\n"
    "X-Universally-Unique-Identifier: 9B1DEB4D-3B7D\r\nMessage-Id: <9B1DEB4D-3B7D@acme.example>\r\n"
    "Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.300.61.1.2\\))\r\n" + alternative("Apple-Mail=_6D2C1A"),
    "thunderbird": HEAD
    + "Subject: Nice to meet you\r\nMessage-ID: <5f0c1b5e-9a1a-4c5e@acme.example>\r\nMIME-Version: 1.0\r\n"
    "User-Agent: Mozilla Thunderbird\r\nContent-Language: en-US\r\n"
    "Content-Type: text/plain; charset=UTF-8; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + TEXT,
    "gmail": HEAD + "Subject: Nice to meet you\r\nMIME-Version: 1.0\r\n"
    "Message-ID: <CAB1234567890abcdefg@mail.gmail.com>\r\n" + alternative("000000000000a1b2c3"),
}


def footer(raw: str) -> str:
    return raw.replace("Ann\r\n", "Ann\r\n\r\n-- \r\nScanned by the mail gateway of Acme\r\n", 1)


def other_id(raw: str) -> str:
    lines = raw.split("\r\n")
    return "\r\n".join(
        "Message-ID: <rewritten@relay.example>" if line.lower().startswith("message-id:") else line
        for line in lines
    )


CHANGES: dict[str, Callable[[str], str]] = {
    "nothing": lambda raw: raw,
    "another Message-ID": other_id,
    "a footer": footer,
    "line ends": lambda raw: raw.replace("\r\n", "\n"),
    "Message-ID and a footer": lambda raw: other_id(footer(raw)),
    "a relay's headers": lambda raw: (
        "Received: from a by b; Sat, 28 Nov 2026 10:00:03 +0000\r\nReturn-Path: <x@y>\r\n" + raw
    ),
}


class Doors:
    """Both ways into the CRM for one user."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.crm = Crm.create(database)
        self.mailbox = self.crm.mailbox(ANN)
        self.blobs = Blobs(folder.as_uri())
        with database.session() as session:
            self.ann = session.exec(select(User).where(User.location_id == self.crm.location.id)).one()
        self.address = users.auto_bcc_address(self.ann, BCC_DOMAIN)

    def at_the_listener(self, raw: str) -> None:
        """The copy has no Bcc header: the address was only in the envelope."""
        content = raw.encode()
        with self.crm.database.session() as session:
            mailbox = inbound_mails.find(session, self.ann.auto_bcc_token)
            assert mailbox is not None
            inbound_id = inbound_mails.keep(
                session,
                mailbox,
                blob=self.blobs.put(self.crm.location.id, content),
                size=len(content),
                digest=hashlib.sha256(content + self.crm.location.id.encode()).hexdigest(),
                authentication={},
            )
        Filing(self.crm.database, self.blobs, BCC_DOMAIN).file_inbound(inbound_id)
        with self.crm.database.session() as session:
            assert session.get_one(InboundMail, inbound_id).filed_at is not None

    def in_sent(self, raw: str) -> None:
        """Gmail's copy keeps the Bcc header."""
        kept = raw.replace("Subject:", f"Bcc: {self.address}\r\nSubject:", 1)
        self.crm.arrive(self.mailbox, (kept.encode(), ("SENT",), "t1"))

    def assert_one_message(self) -> None:
        with self.crm.database.session() as session:
            message = session.exec(select(Message).where(Message.location_id == self.crm.location.id)).one()
            contact = session.exec(select(Contact).where(Contact.location_id == self.crm.location.id)).one()
            bcc = session.exec(
                select(Participant.email).where(
                    Participant.message_id == message.id, Participant.role == "bcc"
                )
            ).all()
        assert (message.contact_id, message.direction) == (contact.id, "outbound")
        assert (contact.source, contact.assigned_user_id) == ("auto_bcc", self.ann.id)
        assert list(bcc) == [self.address]


@pytest.fixture(scope="module")
def pool(module_database: str) -> Iterator[Database]:
    database = Database(module_database, pool_size=4)
    yield database
    database.close()


@pytest.mark.parametrize("first", ["listener", "mailbox"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", SHAPES)
def test_s16_s21_one_mail_by_two_ways_is_one_message(
    pool: Database, tmp_path: Path, shape: str, change: str, first: str
) -> None:
    doors = Doors(pool, tmp_path)
    raw = SHAPES[shape]
    seen_by: dict[str, Callable[[], None]] = {
        "listener": lambda: doors.at_the_listener(CHANGES[change](raw)),
        "mailbox": lambda: doors.in_sent(raw),
    }
    seen_by.pop(first)()
    for arrive in seen_by.values():
        arrive()
    doors.assert_one_message()


def test_s16_two_different_mails_stay_two(pool: Database, tmp_path: Path) -> None:
    doors = Doors(pool, tmp_path)
    doors.at_the_listener(SHAPES["outlook"])
    doors.in_sent(other_id(SHAPES["outlook"]).replace("good to meet you", "bad to miss you"))
    with pool.session() as session:
        found = session.exec(select(Message.id).where(Message.location_id == doors.crm.location.id)).all()
    assert len(found) == 2


def answering(raw: str, message_id: str, subject: str) -> str:
    """A mail of Ann's that answers or forwards one, from the same program."""
    lines = f"In-Reply-To: {message_id}\r\nReferences: {message_id}\r\n"
    return raw.replace("Subject: Nice to meet you", f"{lines}Subject: {subject}", 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_s16_s15_a_reply_with_the_address_goes_into_its_thread(
    pool: Database, tmp_path: Path, shape: str
) -> None:
    doors = Doors(pool, tmp_path)
    doors.at_the_listener(SHAPES["gmail"])
    reply = answering(SHAPES[shape], "<CAB1234567890abcdefg@mail.gmail.com>", "Re: Nice to meet you")
    doors.at_the_listener(other_id(reply).replace(f"To: Nora Newlead <{LEAD}>", "To: carl@elsewhere.example"))
    with pool.session() as session:
        messages = session.exec(select(Message).where(Message.location_id == doors.crm.location.id)).all()
        contacts = session.exec(
            select(Contact.source).where(Contact.location_id == doors.crm.location.id)
        ).all()
    assert len({message.thread_id for message in messages}) == 1
    assert len(messages) == 2
    assert set(contacts) == {"auto_bcc"}  # the new recipient became a contact as well
    assert len(contacts) == 2


FORWARDS = {
    "outlook": "From: Nora Newlead <nora@newlead.example>\r\nSent: Saturday, November 28, 2026 10:00\r\n"
    "To: Ann Archer <ann@acme.example>\r\nSubject: Question\r\n\r\nCan you help?\r\n",
    "apple mail": "Begin forwarded message:\r\n\r\n> From: Nora Newlead <nora@newlead.example>\r\n"
    "> Subject: Question\r\n> Date: 28 November 2026 at 10:00:00 GMT\r\n> To: Ann <ann@acme.example>\r\n> \r\n"
    "> Can you help?\r\n",
    "thunderbird": "-------- Forwarded Message --------\r\nSubject: Question\r\n"
    "Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nFrom: Nora Newlead <nora@newlead.example>\r\n"
    "To: Ann <ann@acme.example>\r\n\r\nCan you help?\r\n",
    "gmail": "---------- Forwarded message ---------\r\nFrom: Nora Newlead <nora@newlead.example>\r\n"
    "Date: Sat, Nov 28, 2026 at 10:00 AM\r\nSubject: Question\r\nTo: Ann <ann@acme.example>\r\n\r\n"
    "Can you help?\r\n",
}


@pytest.mark.parametrize("program", FORWARDS)
def test_s16_s18_a_forward_to_the_address_alone_is_filed_with_who_wrote_the_original(
    pool: Database, tmp_path: Path, program: str
) -> None:
    doors = Doors(pool, tmp_path)
    subject = "FW: Question" if program == "outlook" else "Fwd: Question"
    doors.at_the_listener(
        f"From: Ann Archer <{ANN}>\r\nTo: {doors.address}\r\nDate: Sat, 28 Nov 2026 11:00:00 +0000\r\n"
        f"Subject: {subject}\r\nMessage-ID: <fw-{program.replace(' ', '')}@acme.example>\r\n\r\n"
        f"{FORWARDS[program]}"
    )
    with pool.session() as session:
        contact = session.exec(select(Contact).where(Contact.location_id == doors.crm.location.id)).one()
        message = session.exec(select(Message).where(Message.location_id == doors.crm.location.id)).one()
        email = session.exec(
            select(ContactAddress.email).where(ContactAddress.contact_id == contact.id)
        ).one()
    assert (email, contact.name, contact.source) == (LEAD, "Nora Newlead", "auto_bcc")
    assert (message.contact_id, message.forwarded) == (contact.id, True)
