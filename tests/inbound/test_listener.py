"""S16: what the listener says to whom; 250 means safe, and nothing is relayed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import func, select

from crm import users
from models import Attachment, Contact, InboundMail, Message, Participant, User
from tests.inbound.listening import DOMAIN, Door, mail, open_door

pytestmark = pytest.mark.servers

LEAD = "nora@newlead.example"


@pytest.fixture
def door(database: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database, tmp_path) as opened:
        yield opened


def kept(door: Door) -> int:
    with door.database.session() as session:
        return session.exec(select(func.count()).select_from(InboundMail)).one()


def test_s16_a_users_mail_is_kept_and_handed_on(door: Door) -> None:
    code, _ = door.give(mail("ann@acme.example", LEAD), door.address)
    assert code == 250
    assert (kept(door), len(door.handover.taken)) == (1, 1)


def test_s16_it_makes_the_contact_and_s17_shows_the_address_in_bcc(door: Door) -> None:
    door.give(mail("ann@acme.example", f"Nora <{LEAD}>", Cc="carl@elsewhere.example"), door.address)
    door.file_all()
    with door.database.session() as session:
        (contact,) = session.exec(select(Contact)).all()
        (message,) = session.exec(select(Message)).all()
        bcc = session.exec(select(Participant.email).where(Participant.role == "bcc")).all()
    assert (contact.source, contact.assigned_user_id) == ("auto_bcc", door.ann.id)
    assert (message.contact_id, message.direction) == (contact.id, "outbound")
    assert list(bcc) == [door.address]


def test_s16_a_colleague_may_file_under_ann(door: Door) -> None:
    assert door.give(mail("bob@acme.example", LEAD), door.address)[0] == 250


@pytest.mark.parametrize(
    ("author", "why"),
    [
        ("stranger@elsewhere.example", "a stranger who learned the address"),
        ("ann@acme.example.evil.example", "a look-alike"),
        ('"ann@acme.example" <stranger@elsewhere.example>', "a name that looks like an address"),
    ],
)
def test_s16_nobody_else_gets_anything_in(door: Door, author: str, why: str) -> None:
    code, text = door.give(mail(author, LEAD), door.address, sender="ann@acme.example")
    assert (code, kept(door)) == (550, 0), why
    assert "owner" in text


def test_several_authors_are_refused(door: Door) -> None:
    code, _ = door.give(
        mail("ann@acme.example, stranger@elsewhere.example", LEAD), door.address, sender="x@y.example"
    )
    assert (code, kept(door)) == (550, 0)


@pytest.mark.parametrize(
    "recipient",
    [
        f"nobody@{DOMAIN}",
        "somebody@gmail.com",
        f"somebody%gmail.com@{DOMAIN}",
        f"@{DOMAIN}:somebody@gmail.com",
        f"somebody@gmail.com@{DOMAIN}x",
        "postmaster",
    ],
)
def test_nothing_is_relayed(door: Door, recipient: str) -> None:
    code, _ = door.give(mail("ann@acme.example", LEAD), recipient)
    assert (500 <= code < 560, kept(door)) == (True, 0)


def test_a_replaced_address_is_refused_and_says_so(door: Door) -> None:
    old = door.address
    with door.database.session() as session:
        users.rotate_auto_bcc(session, session.get_one(User, door.ann.id))
    code, text = door.give(mail("ann@acme.example", LEAD), old)
    assert (code, kept(door)) == (550, 0)
    assert "replaced" in text


def test_451_while_temporal_is_away_and_the_mail_comes_again_once(door: Door) -> None:
    door.handover.away = True
    sent = mail("ann@acme.example", LEAD)
    assert door.give(sent, door.address)[0] == 451
    door.handover.away = False
    assert door.give(sent, door.address)[0] == 250
    assert door.give(sent, door.address)[0] == 250
    assert kept(door) == 1
    door.file_all()
    with door.database.session() as session:
        assert session.exec(select(func.count()).select_from(Message)).one() == 1


def test_451_while_the_database_is_away(database: str, tmp_path: Path) -> None:
    with open_door(database, tmp_path, reachable=False) as door:
        assert door.give(mail("ann@acme.example", LEAD), door.address)[0] == 451


def test_return_addresses_take_notices_from_a_null_sender_only(door: Door) -> None:
    assert door.give(mail("ann@acme.example", LEAD), f"bounce+nothing@{DOMAIN}")[0] == 550
    door.give(mail("ann@acme.example", f"Nora <{LEAD}>"), door.address)
    door.file_all()
    with door.database.session() as session:
        message = session.exec(select(Message)).one()
        message.stamp, message.status = "stamp-of-ours", "sent"
    returned = f"bounce+stamp-of-ours@{DOMAIN}"
    assert door.give(mail("ann@acme.example", LEAD), returned)[0] == 550
    notice = mail(
        "mailer-daemon@mx.example",
        returned,
        "Undelivered Mail Returned to Sender",
        Auto_Submitted="auto-replied",
    )
    notice.set_content(
        f"This is the mail system.\n\n<{LEAD}>: host mx.example said: 550 5.1.1 <{LEAD}>: no such user\n"
    )
    assert door.give(notice, returned, sender=LEAD)[0] == 550
    assert door.give(notice, returned, sender="")[0] == 250
    door.file_all()
    with door.database.session() as session:
        bounced = session.get_one(Message, message.id)
    assert (bounced.status, bounced.bounce_permanent) == ("bounced", True)


def test_s20_a_return_address_takes_an_automatic_answer_from_any_sender(door: Door) -> None:
    door.give(mail("ann@acme.example", f"Nora <{LEAD}>"), door.address)
    door.file_all()
    with door.database.session() as session:
        message = session.exec(select(Message)).one()
        message.stamp, message.status = "stamp-of-ours", "sent"
    away = mail(LEAD, "ann@acme.example", "Automatic reply: Nice to meet you", Auto_Submitted="auto-replied")
    away.add_attachment(b"a picture", maintype="image", subtype="png", filename="logo.png")
    assert door.give(away, f"bounce+STAMP-OF-OURS@{DOMAIN}", sender=LEAD)[0] == 250
    door.file_all()
    with door.database.session() as session:
        answer = session.exec(select(Message).where(Message.kind == "auto_reply")).one()
        (logo,) = session.exec(select(Attachment).where(Attachment.message_id == answer.id)).all()
    assert (answer.thread_id, logo.filename) == (message.thread_id, "logo.png")
    assert door.blobs.get(str(logo.blob)) == b"a picture"


def test_starttls_and_the_size_limit_are_told(door: Door) -> None:
    with door.client() as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        assert smtp.esmtp_features["size"] == "36700160"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        smtp.starttls(context=context)
        smtp.ehlo()
        smtp.mail("ann@acme.example")
        assert smtp.rcpt(door.address)[0] == 250
        assert smtp.data(mail("ann@acme.example", LEAD).as_bytes())[0] == 250


def test_a_mail_over_the_size_is_refused_before_it_comes(door: Door) -> None:
    with door.client() as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@acme.example", [f"SIZE={40 * 2**20}"])[0] == 552


def test_many_mails_in_a_minute_are_asked_to_come_again(database: str, tmp_path: Path) -> None:
    with open_door(database, tmp_path, smtp_inbound_mails_per_minute=2) as door:
        codes = [door.give(mail("ann@acme.example", LEAD, f"Mail {n}"), door.address)[0] for n in range(3)]
    assert codes == [250, 250, 450]


def test_too_many_connections_of_one_peer_are_turned_away(database: str, tmp_path: Path) -> None:
    with open_door(database, tmp_path, smtp_inbound_connections_per_peer=2) as door:
        with door.client(), door.client(), pytest.raises(smtplib.SMTPConnectError, match="421"):
            door.client()
        assert door.give(mail("ann@acme.example", LEAD), door.address)[0] == 250


def test_garbage_and_a_silent_client_hold_nobody_up(door: Door) -> None:
    silent = socket.create_connection(("127.0.0.1", door.port))
    with socket.create_connection(("127.0.0.1", door.port)) as noisy:
        noisy.settimeout(30)
        with contextlib.suppress(OSError):  # hung up on in the middle, as it should be
            noisy.sendall(os.urandom(100_000) + b"\r\n")
        assert door.give(mail("ann@acme.example", LEAD), door.address)[0] == 250
    silent.close()
    assert kept(door) == 1


def test_parallel_deliveries_are_each_kept_once(door: Door) -> None:
    def give(number: int) -> int:
        return door.give(mail("ann@acme.example", LEAD, f"Mail {number % 30}"), door.address)[0]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(give, range(60))) == {250}
    assert kept(door) == 30


@pytest.mark.parametrize(("setting", "code"), [("record", 250), ("off", 250), ("strict", 550)])
def test_how_strictly_the_sender_is_authenticated_is_a_setting(
    database: str, tmp_path: Path, setting: str, code: int
) -> None:
    with open_door(database, tmp_path, auto_bcc_authentication=setting) as door:
        assert door.give(mail("ann@acme.example", LEAD), door.address)[0] == code
        if setting == "record":
            with door.database.session() as session:
                assert session.exec(select(InboundMail)).one().authentication["dmarc"] == "none"
