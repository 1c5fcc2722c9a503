"""Two mailboxes at the same moment: transactions that meet end in one message (I2, S21)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlmodel import func, select

from crm import identity, keeping
from crm.headline import Headline
from crm.keeping import Filed, Item
from mail.parse import parse
from models import Account, Contact, GmailMessage, Message, Thread, User
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail

pytestmark = pytest.mark.servers


def items(raws: list[bytes], crm: Crm, thread: str, *labels: str) -> list[tuple[bytes, Headline]]:
    return [(raw, headline(raw, *labels, thread=f"{thread}{n}", at=crm.tick())) for n, raw in enumerate(raws)]


def together(*jobs: Callable[[], object]) -> None:
    """Run jobs at the same time; the first failure is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait(30)
            job()
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def file(crm: Crm, account: Account, page: list[tuple[bytes, Headline]]) -> list[Filed]:
    with crm.database.session() as session:
        row = session.get_one(Account, account.id)
        return keeping.file_page(session, row, [Item(head, parse(raw)) for raw, head in page], BCC_DOMAIN)


def test_s21_the_same_mails_from_two_mailboxes_at_once_in_opposite_order(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    crm.contact("carl@lead.com")
    raws = [
        raw_mail("carl@lead.com", ["alice@acme.com", "bob@acme.com"], subject=f"Offer {n}") for n in range(12)
    ]
    of_alice = items(raws, crm, "ta")
    of_bob = items(list(reversed(raws)), crm, "tb")
    together(lambda: file(crm, alice, of_alice), lambda: file(crm, bob, of_bob))
    with crm.session() as session:
        here = Message.location_id == crm.location.id
        assert session.exec(select(func.count()).select_from(Message).where(here)).one() == 12
        counts = session.exec(select(Thread.message_count).where(Thread.location_id == crm.location.id)).all()
        assert counts == [1] * 12
        copies = session.exec(
            select(func.count())
            .select_from(GmailMessage)
            .where(GmailMessage.account_id.in_([alice.id, bob.id]))  # type: ignore[attr-defined]
        ).one()
        assert copies == 24


def test_a_mail_and_its_answer_in_two_mailboxes_at_once_end_in_one_thread(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    crm.contact("carl@lead.com")
    ids = [f"<together{n}@lead.com>" for n in range(6)]
    asked = items([raw_mail("carl@lead.com", ["alice@acme.com"], message_id=one) for one in ids], crm, "ta")
    answers = [raw_mail("carl@lead.com", ["bob@acme.com"], answers=[one], subject="Re: Offer") for one in ids]
    answered = items(answers, crm, "tb")
    held = threading.Event()

    def first() -> None:
        with crm.database.session() as session:
            row = session.get_one(Account, alice.id)
            keeping.file_page(session, row, [Item(head, parse(raw)) for raw, head in asked], BCC_DOMAIN)
            held.set()
            wait_until_somebody_waits(crm)

    def second() -> None:
        assert held.wait(30)
        file(crm, bob, answered)

    together(first, second)
    with crm.session() as session:
        counts = session.exec(select(Thread.message_count).where(Thread.location_id == crm.location.id)).all()
        assert counts == [2] * 6


def wait_until_somebody_waits(crm: Crm) -> None:
    """Until another transaction of this database waits for a lock; only then is the meeting a real one."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(3000):
        with crm.session() as session:
            if session.execute(query).scalar_one():
                return
            session.execute(text("SELECT pg_sleep(0.01)"))
    raise AssertionError("nobody came to wait")


def test_s16_two_mails_that_make_the_same_contact_at_once_make_one(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    with crm.session() as session:
        tokens = [session.get_one(User, a.user_id).auto_bcc_token for a in (alice, bob)]

    def mails(sender: str, token: str) -> list[bytes]:
        bcc = [f"{token}@{BCC_DOMAIN}"]
        return [raw_mail(sender, [f"new{n}@lead.com"], bcc=bcc, subject=f"Hi {n} {sender}") for n in range(5)]

    of_alice = items(mails("alice@acme.com", tokens[0]), crm, "ta", "SENT")
    of_bob = items(list(reversed(mails("bob@acme.com", tokens[1]))), crm, "tb", "SENT")
    together(lambda: file(crm, alice, of_alice), lambda: file(crm, bob, of_bob))
    with crm.session() as session:
        here = Contact.location_id == crm.location.id
        assert session.exec(select(func.count()).select_from(Contact).where(here)).one() == 5


def test_a_key_stays_with_the_first_message_that_claims_it(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    crm.contact("carl@lead.com")
    one, two = crm.arrive(
        alice,
        (raw_mail("carl@lead.com", "alice@acme.com", text="one"), ("INBOX",), "t1"),
        (raw_mail("carl@lead.com", "alice@acme.com", text="two"), ("INBOX",), "t2"),
    )
    with crm.database.session() as session:
        identity.claim_keys(session, crm.location.id, [("mail:test", str(one.message_id))])
        identity.claim_keys(session, crm.location.id, [("mail:test", str(two.message_id))])
    with crm.session() as session:
        found = session.execute(
            text("SELECT message_id FROM match_keys WHERE location_id = :location AND key = 'mail:test'"),
            {"location": crm.location.id},
        ).scalars()
        assert list(found) == [one.message_id]
