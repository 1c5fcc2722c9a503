"""An SMTP provider that refuses at each step, hangs up, or goes away: what has left and what has not."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from delivery import smtp
from delivery.smtp import (
    OutcomeUnknown,
    Provider,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnreachable,
    SmtpConnection,
)

MAIL = b"Subject: Hi\r\n\r\n.dot\r\nbye\r\n"
OK = {
    "EHLO": "250 ok",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    ".": "250 taken",
    "NOOP": "250 ok",
    "RSET": "250 ok",
}


@dataclass
class Server:
    """Answers each command as told; an empty answer hangs up."""

    answers: dict[str, str] = field(default_factory=lambda: dict(OK))
    port: int = 0
    connections: int = 0
    taken: list[bytes] = field(default_factory=list)

    @property
    def provider(self) -> Provider:
        return Provider.parse(f"smtp://127.0.0.1:{self.port}")


@contextmanager
def server() -> Iterator[Server]:
    it = Server()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            it.connections += 1
            self.wfile.write(b"220 hi\r\n")
            for line in self.rfile:
                word = line.strip().decode().upper().partition(" ")[0]
                answer = it.answers.get(word, "250 ok")
                if not answer:
                    return
                self.wfile.write(f"{answer}\r\n".encode())
                if answer.startswith("354"):
                    content = b""
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        content += part
                    if not part:
                        return
                    if not it.answers["."]:
                        return
                    if it.answers["."].startswith("250"):
                        it.taken.append(content)
                    self.wfile.write(f"{it.answers['.']}\r\n".encode())

    class Threaded(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Threaded(("127.0.0.1", 0), Handler) as tcp:
        it.port = tcp.server_address[1]
        thread = threading.Thread(target=tcp.serve_forever, daemon=True)
        thread.start()
        yield it
        tcp.shutdown()
        thread.join(10)


def send(connection: SmtpConnection, told: list[str] | None = None) -> list[tuple[str, str]]:
    def before() -> None:
        if told is not None:
            told.append("handed over")

    return connection.send("bounce+1@bcc.test", ["lea@lead.example"], MAIL, before_data=before)


def test_a_mail_is_handed_over_once_it_is_agreed_and_dots_are_doubled() -> None:
    told: list[str] = []
    with server() as it, SmtpConnection(it.provider) as connection:
        assert send(connection, told) == []
    assert told == ["handed over"]
    assert it.taken == [b"Subject: Hi\r\n\r\n..dot\r\nbye\r\n"]


@pytest.mark.parametrize(
    ("command", "answer", "permanent", "about"),
    [
        ("MAIL", "550 5.7.1 not you", True, "us"),
        ("MAIL", "451 later", False, "us"),
        ("RCPT", "550 5.1.1 no such user", True, "recipient"),
        ("RCPT", "451 4.2.1 greylisted", False, "recipient"),
        ("RCPT", "421 too many", False, "us"),
        ("DATA", "554 no", True, "mail"),
        (".", "554 5.7.1 spam", True, "mail"),
        (".", "451 later", False, "mail"),
    ],
)
def test_a_refusal_tells_whom_it_is_about(command: str, answer: str, permanent: bool, about: str) -> None:
    told: list[str] = []
    with server() as it, SmtpConnection(it.provider) as connection:
        it.answers[command] = answer
        with pytest.raises(ProviderRefused) as refused:
            send(connection, told)
        assert (refused.value.permanent, refused.value.about) == (permanent, about)
        assert refused.value.reason == answer
        assert told == (["handed over"] if command == "." else [])
        it.answers[command] = OK[command]
        assert send(connection) == [], "the connection is good for the next mail"
    assert len(it.taken) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_hang_up_before_the_data_means_that_nothing_has_left(command: str) -> None:
    told: list[str] = []
    with server() as it, SmtpConnection(it.provider) as connection:
        it.answers[command] = ""
        with pytest.raises(ProviderUnreachable):
            send(connection, told)
        it.answers[command] = OK[command]
        assert send(connection) == []
    assert told == []


def test_a_hang_up_after_the_data_leaves_the_outcome_unknown() -> None:
    with server() as it, SmtpConnection(it.provider) as connection:
        it.answers["."] = ""
        with pytest.raises(OutcomeUnknown):
            send(connection)


def test_where_it_cannot_be_written_down_nothing_leaves() -> None:
    def broken() -> None:
        raise RuntimeError("the database is away")

    with server() as it, SmtpConnection(it.provider) as connection:
        with pytest.raises(RuntimeError):
            connection.send("a@b.test", ["lea@lead.example"], MAIL, before_data=broken)
        assert it.taken == []
        assert send(connection) == []
        assert it.connections == 2, "the half-spoken connection was closed"


def test_a_connection_is_reused_and_one_that_died_meanwhile_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server() as it, SmtpConnection(it.provider) as connection:
        send(connection)
        send(connection)
        assert it.connections == 1
        monkeypatch.setattr(smtp, "CHECKED_AFTER_S", -1)
        it.answers["NOOP"] = ""
        assert send(connection) == []
        assert it.connections == 2


def test_an_address_that_smtp_cannot_write_is_refused() -> None:
    with server() as it, SmtpConnection(it.provider) as connection:
        with pytest.raises(ProviderRefused) as refused:
            connection.send("a@b.test", ["lëa@lead.example"], MAIL)
        assert refused.value.permanent
        assert send(connection) == []


def test_an_address_smuggles_no_command_in() -> None:
    with server() as it, SmtpConnection(it.provider) as connection:
        it.answers["VRFY"] = ""
        connection.send("a@b.test", ["lea@lead.example\r\nVRFY eve"], MAIL)
        assert send(connection) == []
        assert it.connections == 1, "the command in the address was never spoken"


def test_nobody_there() -> None:
    with server() as it:
        provider = it.provider
    with SmtpConnection(provider) as connection, pytest.raises(ProviderUnreachable):
        send(connection)


def test_a_password_is_in_no_text_of_a_provider() -> None:
    provider = Provider.parse("smtps://ann:s3cret%40@mx.example")
    assert (provider.port, provider.password, provider.tls) == (465, "s3cret@", True)
    assert "s3cret" not in repr(provider)
    with pytest.raises(ProviderMisconfigured):
        Provider.parse("http://mx.example")
