"""S16, I1, I2: the listener is killed between DATA and 250; what it acknowledged is there, and once."""

from __future__ import annotations

import concurrent.futures
import os
import smtplib
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from sqlmodel import select

from crm import users
from devstack.stack import Stack
from devstack.story import eventually
from models import InboundMail, Location, Message
from storage.database import Database
from tests.inbound.listening import DOMAIN, mail

pytestmark = pytest.mark.servers


def deliver_while_killing(stack: Stack, mails: int, kills: int, parallel: int) -> int:
    """Deliver in parallel, as senders that come again until they hear 250, and kill the listener meanwhile.

    Returns:
        how many deliveries a kill cut off between DATA and the answer.
    """
    database = Database(stack.database_url, pool_size=4)
    with database.session() as session:
        location = Location(name="Acme", api_key_hash="killed")
        session.add(location)
        session.flush()
        ann = users.create(session, location.id, "ann@acme.example", "Ann")
    address = f"{ann.auto_bcc_token}@{DOMAIN}"
    acknowledged: Counter[str] = Counter()
    unheard: Counter[str] = Counter()
    lock, heard = threading.Lock(), threading.Semaphore(0)

    def give(number: int) -> None:
        subject = f"Mail {number}"
        content = mail("ann@acme.example", f"lead{number}@lead.example", subject).as_bytes()
        while True:
            in_data = False
            try:
                with smtplib.SMTP(*stack.smtp_inbound, timeout=60) as smtp:
                    smtp.ehlo("outlook.example")
                    smtp.mail("ann@acme.example")
                    smtp.rcpt(address)
                    in_data = True
                    code, _ = smtp.data(content)
            except (smtplib.SMTPException, OSError):
                code = 0
                if in_data:
                    unheard[subject] += 1
            if code != 250:
                threading.Event().wait(0.3)  # as a mail server does: it comes again
                continue
            with lock:
                acknowledged[subject] += 1
            heard.release()
            return

    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        giving = [pool.submit(give, number) for number in range(mails)]
        for _ in range(kills):
            for _ in range(mails // (kills + 1)):
                heard.acquire()
            stack.kill("inbound")
        for one in giving:
            one.result(300)

    assert len(acknowledged) == mails

    def all_filed() -> bool:
        with database.session() as session:
            return session.exec(select(InboundMail.id).where(InboundMail.filed_at.is_(None))).first() is None  # type: ignore[union-attr]

    eventually(all_filed, "every kept mail is filed", patience_s=240)
    with database.session() as session:
        subjects = Counter(session.exec(select(Message.subject)).all())
    assert subjects == Counter({f"Mail {number}": 1 for number in range(mails)})
    database.close()
    return unheard.total()


@pytest.mark.timeout(600)
def test_s16_nothing_acknowledged_is_lost_and_nothing_doubled(fresh_stack: Callable[..., Stack]) -> None:
    stack = fresh_stack(parts={"postgres", "temporal", "gmail", "worker", "inbound"})
    deliver_while_killing(stack, mails=40, kills=1, parallel=20)
    assert stack.parts


@pytest.mark.soak
def test_s16_nothing_acknowledged_is_lost_in_full(fresh_stack: Callable[..., Stack]) -> None:
    stack = fresh_stack(parts={"postgres", "temporal", "gmail", "worker", "inbound"})
    cut_off = deliver_while_killing(stack, mails=int(os.environ.get("MAILS", "200")), kills=6, parallel=200)
    assert cut_off > 0
