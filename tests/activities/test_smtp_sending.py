"""S25, S27: mail that leaves by SMTP leaves once; what cannot be known is shown as unknown and never sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from activities import answers, smtp_sending
from activities.composing import Composer
from activities.smtp_sending import SmtpSender
from crm import leaving, outbound
from crm.leaving import Next, Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from models import Message
from models.states import MessageStatus
from storage.blobs import Blobs
from storage.database import Database
from tests.crm.builders import Crm
from tests.delivery.provider import Server, server

pytestmark = pytest.mark.servers


class Counter:
    """A user without a mailbox, the location's provider, and the activities' steps one at a time."""

    def __init__(self, database: Database, folder: Path, provider: Server) -> None:
        self.database = database
        self.provider = provider
        self.crm = Crm.create(database)
        self.user = self.crm.user("ann@acme.example", "Ann")
        self.crm.contact("lea@lead.example")
        composer = Composer(database, Blobs(folder.as_uri()))
        self.sender = SmtpSender(database, composer, lambda _: provider.provider, "bcc.test")

    def queue(self, subject: str = "Offer") -> str:
        draft = OutboundDraft("individual", [Recipient("lea@lead.example")], subject, text="Hello.")
        with self.database.session() as session:
            return outbound.queue(session, self.crm.location, self.user, draft).id

    def step(self, message_id: str) -> Next:
        with self.database.session() as session:
            step = leaving.next_step(session, message_id, Limits())
        return self.sender.leave(message_id) if step.way is Way.SMTP else step

    def status(self, message_id: str) -> str:
        return self.message(message_id).status

    def message(self, message_id: str) -> Message:
        with self.database.session() as session:
            return session.get_one(Message, message_id)


@pytest.fixture
def counter(module_database: str, tmp_path: Path) -> Iterator[Counter]:
    database = Database(module_database, pool_size=4)
    with server() as provider:
        yield Counter(database, tmp_path, provider)
    database.close()


def test_s25_without_a_mailbox_it_leaves_through_the_provider(counter: Counter) -> None:
    message_id = counter.queue()
    assert counter.step(message_id).way is Way.DONE
    assert counter.status(message_id) == MessageStatus.SENT
    assert len(counter.provider.taken) == 1


def test_s27_an_answer_that_was_lost_is_unknown_and_never_sent_again(counter: Counter) -> None:
    message_id = counter.queue()
    counter.provider.answers["."] = ""
    assert counter.step(message_id).way is Way.WAIT
    assert counter.status(message_id) == MessageStatus.HELD
    counter.provider.answers["."] = "250 taken"
    counter.step(message_id)
    assert counter.status(message_id) == MessageStatus.HELD
    assert counter.provider.taken == []


@pytest.mark.parametrize(("command", "answer"), [("RCPT", "451 later"), (".", "451 later"), ("MAIL", "")])
def test_refused_for_now_it_is_tried_again_later(counter: Counter, command: str, answer: str) -> None:
    message_id = counter.queue()
    well = counter.provider.answers[command]
    counter.provider.answers[command] = answer
    step = counter.step(message_id)
    assert (step.way, counter.status(message_id)) == (Way.WAIT, MessageStatus.QUEUED)
    assert step.until == counter.message(message_id).leaves_at
    counter.provider.answers[command] = well
    assert counter.step(message_id).way is Way.DONE
    assert len(counter.provider.taken) == 1


def test_refused_for_good_it_has_failed(counter: Counter) -> None:
    message_id = counter.queue()
    counter.provider.answers["RCPT"] = "550 5.1.1 no such user"
    assert counter.step(message_id).way is Way.DONE
    assert counter.status(message_id) == MessageStatus.FAILED
    assert "no such user" in (counter.message(message_id).status_detail or "")


@pytest.mark.parametrize("command", ["RCPT", "DATA", "."])
def test_s27_two_workers_on_one_mail_hand_it_over_once(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # The first worker was given up (it lost Temporal for a while) and goes on all the same.
    monkeypatch.setattr(smtp_sending, "OVERTAKEN_PAUSE", smtp_sending.OVERTAKEN_PAUSE * 0)
    message_id = counter.queue()
    hangs, go = threading.Event(), threading.Event()

    def hang(word: str) -> None:
        if word == command and not hangs.is_set():
            hangs.set()
            assert go.wait(30)

    counter.provider.before_answer = hang
    with ThreadPoolExecutor(1) as first:
        given_up = first.submit(counter.step, message_id)
        assert hangs.wait(30)
        counter.step(message_id)
        go.set()
        given_up.result(30)
    assert counter.status(message_id) == MessageStatus.SENT
    assert len(counter.provider.taken) == 1


def test_s27_a_refusal_that_comes_late_does_not_undo_what_another_worker_did(counter: Counter) -> None:
    message_id = counter.queue()
    hangs, go = threading.Event(), threading.Event()

    def hang(word: str) -> None:
        if word == "MAIL" and not hangs.is_set():
            hangs.set()
            assert go.wait(30)
            counter.provider.answers["MAIL"] = "451 later"

    counter.provider.before_answer = hang
    with ThreadPoolExecutor(1) as first:
        given_up = first.submit(counter.step, message_id)
        assert hangs.wait(30)
        assert counter.step(message_id).way is Way.DONE
        go.set()
        given_up.result(30)
    assert counter.status(message_id) == MessageStatus.SENT
    assert len(counter.provider.taken) == 1


def test_s27_the_answer_is_kept_while_the_database_is_away(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = counter.queue()
    session, away = counter.database.session, iter(range(3))

    def taken(word: str) -> None:
        if word == ".":
            monkeypatch.setattr(counter.database, "session", broken)

    def broken() -> object:
        if next(away, None) is None:
            return session()
        raise OperationalError("SELECT 1", {}, Exception("the server is gone"))

    counter.provider.before_answer = taken
    monkeypatch.setattr(answers, "PAUSE_S", 0.01)
    assert counter.step(message_id).way is Way.DONE
    assert counter.status(message_id) == MessageStatus.SENT


def test_a_mail_that_cannot_be_written_has_failed_and_says_why(counter: Counter) -> None:
    message_id = counter.queue("Offer\r\nBcc: everybody@lead.example")
    assert counter.step(message_id).way is Way.DONE
    assert counter.status(message_id) == MessageStatus.FAILED
    assert counter.provider.taken == []
