"""What happens to mail outside and on arrival: answers, bounces, delays, holidays, filters, forwarding, SMTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest

pytestmark = pytest.mark.servers
BOB, LEAD = "bob@gmail.com", "lead@out.example"


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB, name="Bob")
    return Rest(gmail, BOB)


def wait_for(look: Callable[[], Any], deadline_s: float = 30) -> Any:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def arrival(gmail: GmailControl, count: int = 1) -> list[dict[str, Any]]:
    """The messages that others sent to Bob, once there are enough."""

    def look() -> list[dict[str, Any]]:
        found = [m for m in gmail.messages(BOB, raw=True) if "SENT" not in m["labels"]]
        return found if len(found) >= count else []

    return list(wait_for(look))


def write(gmail: GmailControl, to: str = LEAD) -> dict[str, Any]:
    return gmail.send_as_user(BOB, {"to": to, "subject": "Offer", "text": "Our price"})


def test_a_person_outside_answers_in_the_thread(gmail: GmailControl, bob: Rest) -> None:
    gmail.person(LEAD, on_mail="answer", name="Lead", answer="Yes please")
    sent = write(gmail)
    (answer,) = arrival(gmail)
    assert answer["thread_id"] == sent["thread_id"]
    assert b"Yes please" in answer["raw"]
    assert answer["subject"] == "Re: Offer"


def test_a_bounce_is_written_as_gmail_does_and_joins_the_thread(gmail: GmailControl, bob: Rest) -> None:
    gmail.person(LEAD, on_mail="bounce")
    sent = write(gmail)
    (notice,) = arrival(gmail)
    assert notice["thread_id"] == sent["thread_id"]
    mail = message_from_bytes(notice["raw"])
    assert mail["From"] == "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"
    assert mail["Return-Path"] == "<>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Failed-Recipients"] == LEAD
    assert mail["Subject"] == "Delivery Status Notification (Failure)"
    assert mail["In-Reply-To"] == mail["References"] == sent["message_id"]
    assert mail["Message-ID"].endswith(".GMR@mx.google.com>")
    assert (mail.get_content_type(), mail.get_param("report-type")) == ("multipart/report", "delivery-status")
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds[:6] == [
        "multipart/report",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
    ]
    fields = str(next(part for part in mail.walk() if part.get_content_type() == "message/delivery-status"))
    assert "Action: failed" in fields
    assert "Status: 5.1.1" in fields
    assert f"X-Original-Message-ID: {sent['message_id']}" in fields
    returned = next(part for part in mail.walk() if part.get_content_type() == "message/rfc822")
    assert sent["message_id"] in str(returned)


def test_a_notice_may_have_an_empty_report(gmail: GmailControl, bob: Rest) -> None:
    gmail.person(LEAD, on_mail="bounce", report=False)
    write(gmail)
    (notice,) = arrival(gmail)
    assert b"Action:" not in notice["raw"]
    report = notice["raw"].split(b"Content-Type: message/delivery-status\r\n\r\n")[1].split(b"\r\n--")[0]
    assert report.strip() == b""
    assert message_from_bytes(notice["raw"])["X-Failed-Recipients"] == LEAD


@pytest.mark.parametrize("on_mail", ["delay", "refuse"])
def test_a_delay_says_delivery_incomplete_and_names_no_failed_recipient(
    gmail: GmailControl, bob: Rest, on_mail: str
) -> None:
    gmail.person(f"*@{LEAD.split('@')[1]}", on_mail=on_mail)
    write(gmail)
    (notice,) = arrival(gmail)
    mail = message_from_bytes(notice["raw"])
    assert mail["Subject"] == "Delivery Status Notification (Delay)"
    assert "X-Failed-Recipients" not in mail
    assert b"Delivery incomplete" in notice["raw"]
    assert b"Action: delayed" in notice["raw"]
    assert b"Will-Retry-Until:" in notice["raw"]


def test_another_server_bounces_in_its_own_words(gmail: GmailControl, bob: Rest) -> None:
    gmail.person(LEAD, on_mail="remote_bounce", status="5.2.2", reason="552 5.2.2 Mailbox full")
    sent = write(gmail)
    (notice,) = arrival(gmail)
    mail = message_from_bytes(notice["raw"])
    assert mail["From"].startswith("MAILER-DAEMON@mail.out.example")
    assert b"Status: 5.2.2" in notice["raw"]
    assert sent["message_id"].encode() in notice["raw"]


def test_a_holiday_reply_is_automatic_and_answers_no_machine(gmail: GmailControl, bob: Rest) -> None:
    gmail.person(LEAD, on_mail="holiday", answer="Back in May")
    write(gmail)
    (reply,) = arrival(gmail)
    mail = message_from_bytes(reply["raw"])
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Subject"] == "Automatic reply: Offer"
    assert mail["Return-Path"] == "<>"
    assert len(gmail.outbox()) == 1


def test_the_vacation_responder_answers_a_sender_once(gmail: GmailControl, bob: Rest) -> None:
    gmail.rules(BOB, vacation={"enableAutoReply": True, "responseBodyPlainText": "Away"})
    for i in range(2):
        gmail.deliver({"from": LEAD, "to": BOB, "subject": f"Hi {i}"})
    gmail.deliver(
        {"from": "list@out.example", "to": BOB, "subject": "News", "headers": {"List-Id": "<l.out.example>"}}
    )
    assert [m["recipients"] for m in gmail.outbox()] == [[LEAD]]
    assert message_from_bytes(gmail.outbox()[0]["raw"])["Auto-Submitted"] == "auto-replied"
    assert bob.get("settings/vacation")["enableAutoReply"] is True


def test_filters_label_archive_and_forward(gmail: GmailControl, bob: Rest) -> None:
    gmail.create_mailbox("ann@corp.example")
    label = gmail.create_label(BOB, "Leads")
    action = {"addLabelIds": [label], "removeLabelIds": ["INBOX"], "forward": "ann@corp.example"}
    gmail.rules(BOB, filters=[{"criteria": {"from": LEAD}, "action": action}])
    gmail.deliver({"from": LEAD, "to": BOB, "subject": "Filtered"})
    gmail.deliver({"from": "x@out.example", "to": BOB, "subject": "Plain"})
    filtered, plain = gmail.messages(BOB)
    assert label in filtered["labels"]
    assert "INBOX" not in filtered["labels"]
    assert "INBOX" in plain["labels"]
    (forwarded,) = gmail.messages("ann@corp.example", raw=True)
    assert forwarded["message_id"] == filtered["message_id"]
    assert (
        b"X-Forwarded-To: ann@corp.example\r\nX-Forwarded-For: bob@gmail.com ann@corp.example"
        in forwarded["raw"]
    )
    assert b"Return-Path: <bob+caf_=ann=corp.example@gmail.com>" in forwarded["raw"]
    assert [f["criteria"] for f in bob.get("settings/filters")["filter"]] == [{"from": LEAD}]


def test_forwarding_in_a_circle_ends(gmail: GmailControl, bob: Rest) -> None:
    gmail.create_mailbox("ann@corp.example")
    gmail.rules(BOB, forward_to="ann@corp.example")
    gmail.rules("ann@corp.example", forward_to=BOB)
    gmail.deliver({"from": LEAD, "to": BOB, "subject": "Round"})
    assert len(gmail.messages(BOB)) == 1
    assert len(gmail.messages("ann@corp.example")) == 1
    assert bob.get("settings/autoForwarding")["emailAddress"] == "ann@corp.example"


def test_spam_arrives_hidden_and_unspam_is_a_label_change(gmail: GmailControl, bob: Rest) -> None:
    message_id = gmail.deliver({"from": LEAD, "to": BOB, "subject": "Win"}, spam=True)[BOB]
    assert "messages" not in bob.get("messages")
    start = bob.get("profile")["historyId"]
    gmail.move(BOB, message_id, "inbox")
    records = bob.get("history", startHistoryId=start)["history"]
    assert [e["labelIds"] for r in records for e in r.get("labelsRemoved", [])] == [["SPAM"]]
    assert not any("messagesAdded" in r for r in records)


class Catcher:
    """An SMTP server that keeps or refuses."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer = "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(content)
        return "250 OK"


@pytest.fixture
def smtp(gmail: GmailControl) -> Iterator[Catcher]:
    catcher = Catcher()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(catcher, hostname="127.0.0.1", port=port)
    controller.start()
    gmail.configure(smtp_routes={"bcc.localhost": f"127.0.0.1:{port}"})
    yield catcher
    controller.stop()


def test_mail_to_a_routed_domain_is_really_delivered(gmail: GmailControl, bob: Rest, smtp: Catcher) -> None:
    gmail.send_as_user(BOB, {"to": LEAD, "bcc": "u1@bcc.localhost", "subject": "Offer", "text": "x"})
    wait_for(lambda: smtp.mails)
    assert b"Subject: Offer" in smtp.mails[0]
    assert b"bcc.localhost" not in smtp.mails[0]
    assert len(gmail.messages(BOB)) == 1


def test_a_refusal_by_smtp_becomes_gmails_own_notice(gmail: GmailControl, bob: Rest, smtp: Catcher) -> None:
    smtp.answer = "550 5.1.1 no such address"
    sent = write(gmail, "wrong@bcc.localhost")
    (notice,) = arrival(gmail)
    assert notice["thread_id"] == sent["thread_id"]
    assert b"no such address" in notice["raw"]
    assert message_from_bytes(notice["raw"])["X-Failed-Recipients"] == "wrong@bcc.localhost"


def test_a_server_that_is_away_gives_delivery_incomplete(gmail: GmailControl, bob: Rest) -> None:
    gmail.configure(smtp_routes={"gone.localhost": "127.0.0.1:9"})
    write(gmail, "u1@gone.localhost")
    (notice,) = arrival(gmail)
    assert b"Delivery incomplete" in notice["raw"]
