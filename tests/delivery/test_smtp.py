"""An SMTP provider that refuses at each step, hangs up, or goes away: what has left and what has not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery import smtp
from delivery.smtp import (
    OutcomeUnknown,
    Provider,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnreachable,
    RefusedRecipient,
    SmtpConnection,
)
from tests.delivery.provider import OK, server

MAIL = b"Subject: Hi\r\n\r\n.dot\r\nbye\r\n"


def send(connection: SmtpConnection, told: list[str] | None = None) -> list[RefusedRecipient]:
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


def test_a_connection_is_reused_and_one_that_died_meanwhile_is_replaced() -> None:
    with server() as it, SmtpConnection(it.provider, checked_after_s=-1) as connection:
        send(connection)
        send(connection)
        assert it.connections == 1
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


AUTH = "250-ok\r\n250 AUTH PLAIN"


def test_a_password_is_not_sent_unencrypted_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(smtp, "_stays_here", lambda _: False)
    with server() as it:
        it.answers["EHLO"], it.before_answer = AUTH, said.append
        provider = replace(it.provider, username="ann", password="s3cret")
        with SmtpConnection(provider) as connection, pytest.raises(ProviderMisconfigured) as refused:
            send(connection)
    assert "encryption" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "AUTH" not in said


def test_on_this_machine_a_password_may_go_unencrypted() -> None:
    said: list[str] = []
    with server() as it:
        it.answers |= {"EHLO": AUTH, "AUTH": "235 welcome"}
        it.before_answer = said.append
        with SmtpConnection(replace(it.provider, username="ann", password="s3cret")) as connection:
            assert send(connection) == []
    assert "AUTH" in said


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://127.0.0.1", ""),
        ("smtps://apikey:x@smtp.example", ""),
        ("smtps://office%40acme.example:x@smtp.example", "office@acme.example"),
        ("smtps://apikey:x@smtp.example?from=news@acme.example", "news@acme.example"),
        ("smtps://apikey:x@smtp.example?from=nonsense", ""),
    ],
)
def test_s25_a_providers_url_tells_the_locations_own_address(url: str, address: str) -> None:
    assert Provider.parse(url).address == address
