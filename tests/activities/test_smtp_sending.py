"""S25, S27: mail that leaves by SMTP leaves once; what cannot be known is shown as unknown and never sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from activities import answers, smtp_sending
from activities.composing import Composer
from activities.smtp_sending import SmtpSender
from crm import filing, inbound_mails, leaving, outbound
from crm.leaving import Next, Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from delivery.pacing import DomainPace
from delivery.smtp import Provider
from mail.parse import parse
from models import Contact, InboundMail, Message, Participant
from models.columns import now
from models.ids import new_id
from models.states import MessageStatus, Role
from storage.blobs import Blobs
from storage.database import Database
from tests.crm.builders import Crm, raw_mail
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
        self.composer = Composer(database, Blobs(folder.as_uri()))
        self.own_address = ""
        self.sender = self.sender_with(DomainPace(6000))

    def sender_with(self, pace: DomainPace) -> SmtpSender:
        def provider_of(_: object) -> Provider:
            return replace(self.provider.provider, address=self.own_address)

        return SmtpSender(self.database, self.composer, provider_of, "bcc.test", pace)

    def queue(
        self,
        subject: str = "Offer",
        *,
        to: Sequence[str] = ("lea@lead.example",),
        kind: str = "individual",
        asked: tuple[str, str] | None = None,
    ) -> str:
        name, email = asked or ("", None)
        draft = OutboundDraft(
            kind,
            [Recipient(one) for one in to],
            subject,
            text="Hello.",
            from_email=email,
            from_name=name,
        )
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
        one = Counter(database, tmp_path, provider)
        yield one
        one.sender.close()
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


def test_scheduled_mail_is_tried_for_a_day_from_its_first_try_on(counter: Counter) -> None:
    message_id = counter.queue()
    with counter.database.session() as session:
        row = session.get_one(Message, message_id)
        row.created_at, row.send_at = now() - timedelta(days=3), now()
    counter.provider.answers["RCPT"] = "451 later"
    assert counter.step(message_id).way is Way.WAIT
    assert counter.status(message_id) == MessageStatus.QUEUED
    with counter.database.session() as session:
        session.get_one(Message, message_id).tried_since = now() - timedelta(hours=25)
    assert counter.step(message_id).way is Way.DONE
    assert counter.status(message_id) == MessageStatus.FAILED


def test_it_leaves_with_the_id_and_the_date_that_the_crm_knows_it_by(counter: Counter) -> None:
    message_id = counter.queue()
    counter.step(message_id)
    left, row = parse(counter.provider.taken[0]), counter.message(message_id)
    assert left.message_id == row.message_id_header
    assert str(left.message_id).endswith("@bcc.test>")
    assert left.date is not None
    assert abs(left.date - now()) < timedelta(minutes=1)
    assert left.headers.get(outbound.STAMP_HEADER) == row.stamp == str(row.stamp).lower()


def test_s24_an_answer_to_workflow_mail_is_known_as_one(counter: Counter) -> None:
    ann = counter.crm.connect(counter.user, "ann@gmail.example")
    message_id = counter.queue(kind="workflow")
    counter.step(message_id)
    left = parse(counter.provider.taken[0])
    answer = raw_mail(
        "lea@lead.example", ["ann@gmail.example"], subject="Re: Offer", answers=[str(left.message_id)]
    )
    counter.crm.clock = now()
    (filed,) = counter.crm.arrive(ann, (answer, ("INBOX",), "t1"))
    assert counter.message(str(filed.message_id)).thread_id == counter.message(message_id).thread_id
    assert counter.message(message_id).replied_at is not None


def test_s25_a_recipient_refused_for_now_gets_it_later_and_the_others_only_once(counter: Counter) -> None:
    message_id = counter.queue(to=("lea@lead.example", "two@lead.example", "gone@lead.example"))
    counter.provider.answer_to = {
        "two@lead.example": "450 4.2.0 greylisted",
        "gone@lead.example": "550 5.1.1 no such user",
    }
    step = counter.step(message_id)
    waiting = counter.message(message_id)
    assert (step.way, step.until) == (Way.WAIT, waiting.leaves_at)
    assert (waiting.status, waiting.untaken) == (MessageStatus.SENDING, ["two@lead.example"])
    assert (waiting.bounce_permanent, waiting.bounce_recipients) == (True, ["gone@lead.example"])
    with counter.database.session() as session, pytest.raises(outbound.TooLate):
        outbound.cancel(session, message_id)
    assert counter.step(message_id).way is Way.WAIT
    assert len(counter.provider.taken) == 1
    del counter.provider.answer_to["two@lead.example"]
    assert counter.step(message_id).way is Way.DONE
    assert counter.provider.taken_for == [
        ["lea@lead.example"],
        ["two@lead.example"],
    ]
    after = counter.message(message_id)
    assert (after.status, after.untaken, after.leaves_at) == (MessageStatus.BOUNCED, [], None)
    assert (after.bounce_recipients, after.sent_at) == (["gone@lead.example"], waiting.sent_at)


def test_s25_who_is_refused_for_now_for_a_day_is_shown_as_not_reached_and_not_as_refused_for_good(
    counter: Counter,
) -> None:
    message_id = counter.queue(to=("lea@lead.example", "two@lead.example"))
    counter.provider.answer_to = {"two@lead.example": "450 4.2.0 greylisted"}
    counter.step(message_id)
    with counter.database.session() as session:
        session.get_one(Message, message_id).tried_since = now() - timedelta(hours=25)
    assert counter.step(message_id).way is Way.DONE
    row = counter.message(message_id)
    assert (row.status, row.bounce_permanent) == (MessageStatus.BOUNCED, False)
    assert row.bounce_recipients == ["two@lead.example"]


def test_s27_an_answer_lost_on_the_way_to_the_others_is_unknown_and_not_tried_again(counter: Counter) -> None:
    message_id = counter.queue(to=("lea@lead.example", "two@lead.example"))
    counter.provider.answer_to = {"two@lead.example": "450 4.2.0 greylisted"}
    counter.step(message_id)
    counter.provider.answer_to = {}
    counter.provider.answers["."] = ""
    assert counter.step(message_id).way is Way.WAIT
    counter.provider.answers["."] = "250 taken"
    counter.step(message_id)
    assert counter.status(message_id) == MessageStatus.HELD
    assert counter.provider.taken_for == [["lea@lead.example"]]


def test_one_refused_for_now_and_all_others_for_good_is_not_given_up(counter: Counter) -> None:
    counter.crm.contact("two@lead.example")
    message_id = counter.queue(to=("two@lead.example", "gone@lead.example"))
    counter.provider.answer_to = {
        "two@lead.example": "450 4.2.0 greylisted",
        "gone@lead.example": "550 5.1.1 no such user",
    }
    assert counter.step(message_id).way is Way.WAIT
    counter.provider.answer_to = {"gone@lead.example": "550 5.1.1 no such user"}
    assert counter.step(message_id).way is Way.DONE
    assert counter.provider.taken_for == [["two@lead.example"]]


def test_s20_a_bounce_that_is_quicker_than_the_providers_answer_stays(counter: Counter) -> None:
    message_id = counter.queue()

    def bounces(word: str) -> None:
        if word == ".":
            returned(counter, message_id, dsn("lea@lead.example"))

    counter.provider.before_answer = bounces
    counter.step(message_id)
    assert counter.status(message_id) == MessageStatus.BOUNCED


def test_s20_two_notices_about_one_mail_add_up(counter: Counter) -> None:
    message_id = counter.queue(to=("lea@lead.example", "two@lead.example"))
    counter.step(message_id)
    returned(counter, message_id, dsn("lea@lead.example"))
    returned(counter, message_id, dsn("two@lead.example"))
    assert counter.message(message_id).bounce_recipients == ["lea@lead.example", "two@lead.example"]


def returned(counter: Counter, message_id: str, raw: bytes) -> InboundMail:
    """What the listener kept of a mail to the return path of a message, filed."""
    with counter.database.session() as session:
        mailbox = inbound_mails.find(session, f"BOUNCE+{counter.message(message_id).stamp}".upper())
        assert mailbox is not None
        kept = inbound_mails.keep(
            session, mailbox, blob="b", size=len(raw), digest=new_id("d"), authentication={}
        )
        row = session.get_one(InboundMail, kept)
        filing.file_return(session, row, parse(raw))
    return row


def dsn(recipient: str) -> bytes:
    return raw_mail(
        "mailer-daemon@mx.example",
        ["bounce@bcc.test"],
        subject="Undelivered Mail Returned to Sender",
        headers=[
            ("Auto-Submitted", "auto-replied"),
            ("X-Failed-Recipients", recipient),
            ("Return-Path", "<>"),
        ],
        text=f"<{recipient}>: 550 5.1.1 user unknown",
    )


@pytest.mark.parametrize("answers", [(), ("<something@lead.example>",)])
def test_s20_an_out_of_office_answer_to_the_return_path_is_filed_and_is_no_reply(
    counter: Counter, answers: tuple[str, ...]
) -> None:
    message_id = counter.queue(kind="workflow")
    counter.step(message_id)
    away = raw_mail(
        "lea@lead.example",
        ["ann@acme.example"],
        subject="Automatic reply: Offer",
        answers=answers,
        headers=[("Auto-Submitted", "auto-replied")],
        text="I am away until Monday.",
    )
    row = returned(counter, message_id, away)
    filed, ours = counter.message(str(row.message_id)), counter.message(message_id)
    assert (filed.kind, filed.direction, filed.thread_id) == ("auto_reply", "inbound", ours.thread_id)
    assert (ours.status, ours.replied_at) == (MessageStatus.SENT, None)


def assign(counter: Counter, email: str) -> None:
    """Kim becomes the user whom Lea is assigned to."""
    kim = counter.crm.user(email, "Kim")
    with counter.database.session() as session:
        (lea,) = session.exec(select(Contact).where(Contact.location_id == counter.crm.location.id)).all()
        lea.assigned_user_id = kim.id


def shown(counter: Counter, message_id: str, role: Role) -> list[tuple[str, str]]:
    with counter.database.session() as session:
        rows = session.exec(
            select(Participant.name, Participant.email).where(
                Participant.message_id == message_id, Participant.role == role
            )
        ).all()
    return [(name, email) for name, email in rows]


@pytest.mark.parametrize(
    ("own", "asked", "assigned", "from_", "reply_to"),
    [
        ("", None, False, [("Ann", "ann@acme.example")], []),
        ("", None, True, [("Kim", "kim@acme.example")], []),
        ("", ("News", "news@acme.example"), True, [("News", "news@acme.example")], []),
        (
            "office@acme.example",
            None,
            False,
            [("Acme", "office@acme.example")],
            [("Ann", "ann@acme.example")],
        ),
        ("office@mail.acme.example", None, True, [("Kim", "kim@acme.example")], []),
        (
            "office@agency.example",
            None,
            True,
            [("Kim", "office@agency.example")],
            [("Kim", "kim@acme.example")],
        ),
        (
            "office@agency.example",
            ("News", "news@acme.example"),
            True,
            [("News", "office@agency.example")],
            [("News", "news@acme.example")],
        ),
    ],
)
def test_s25_workflow_mail_is_from_its_setting_then_the_assigned_user_then_the_location(
    counter: Counter,
    own: str,
    asked: tuple[str, str] | None,
    assigned: bool,
    from_: list[tuple[str, str]],
    reply_to: list[tuple[str, str]],
) -> None:
    counter.own_address = own
    if assigned:
        assign(counter, "kim@acme.example")
    message_id = counter.queue(kind="workflow", asked=asked)
    assert shown(counter, message_id, Role.FROM) != []
    counter.step(message_id)
    left = parse(counter.provider.taken[0])
    assert [(one.name, one.email) for one in left.from_] == from_
    assert [(one.name, one.email) for one in left.reply_to] == reply_to
    assert shown(counter, message_id, Role.FROM) == from_
    assert shown(counter, message_id, Role.REPLY_TO) == reply_to
    assert counter.message(message_id).from_email == from_[0][1]


def test_s25_individual_mail_is_from_its_user_as_far_as_the_providers_domain_allows(counter: Counter) -> None:
    assign(counter, "kim@acme.example")
    counter.own_address = "office@agency.example"
    counter.provider.answers["RCPT"] = "451 later"
    message_id = counter.queue()
    counter.step(message_id)
    counter.provider.answers["RCPT"] = "250 ok"
    counter.step(message_id)
    left = parse(counter.provider.taken[0])
    assert [(one.name, one.email) for one in left.from_] == [("Ann", "office@agency.example")]
    assert [(one.name, one.email) for one in left.reply_to] == [("Ann", "ann@acme.example")]


def test_one_connection_serves_many_mails(counter: Counter) -> None:
    for _ in range(3):
        assert counter.step(counter.queue()).way is Way.DONE
    assert (len(counter.provider.taken), counter.provider.connections) == (3, 1)


def test_a_connection_that_the_provider_has_closed_meanwhile_costs_no_try(counter: Counter) -> None:
    counter.step(counter.queue())
    counter.provider.answers["NOOP"] = ""
    assert counter.step(counter.queue()).way is Way.DONE
    assert (len(counter.provider.taken), counter.provider.connections) == (2, 2)


def test_mail_to_one_domain_leaves_at_a_steady_pace(counter: Counter) -> None:
    counter.sender.close()
    counter.sender = counter.sender_with(DomainPace(1))
    first, second, third = (counter.queue() for _ in range(3))
    assert counter.step(first).way is Way.DONE
    waits = [counter.step(one) for one in (second, third)]
    assert [step.way for step in waits] == [Way.WAIT, Way.WAIT]
    assert waits[0].until is not None
    assert waits[1].until is not None
    assert waits[1].until - waits[0].until > timedelta(seconds=50), "each has a time of its own"
    assert counter.message(second).status == MessageStatus.QUEUED
    assert counter.message(second).leaves_at == waits[0].until
    assert len(counter.provider.taken) == 1
