"""Connections that wait for the next mail: reused, checked, and not kept for ever."""

from __future__ import annotations

from dataclasses import replace

from delivery import connections
from delivery.connections import Connections
from delivery.smtp import SmtpConnection
from tests.delivery.provider import server

MAIL = b"Subject: Hi\r\n\r\nbye\r\n"


def send(connection: SmtpConnection) -> None:
    assert connection.send("bounce+1@bcc.test", ["lea@lead.example"], MAIL) == []


def test_a_connection_serves_one_mail_at_a_time_and_then_the_next() -> None:
    waiting = Connections()
    with server() as it:
        with waiting.to(it.provider) as one, waiting.to(it.provider) as other:
            send(one)
            send(other)
            assert one is not other
        with waiting.to(it.provider) as again:
            send(again)
        waiting.close()
    assert (len(it.taken), it.connections) == (3, 2)


def test_who_logs_in_as_somebody_else_gets_another_connection() -> None:
    waiting = Connections()
    with server() as it:
        it.answers |= {"EHLO": "250-ok\r\n250 AUTH PLAIN", "AUTH": "235 welcome"}
        for name in ("ann", "bob"):
            with waiting.to(replace(it.provider, username=name, password="x")) as connection:
                send(connection)
        waiting.close()
    assert it.connections == 2


def test_connections_that_nobody_used_for_a_while_are_closed() -> None:
    moment = 0.0
    waiting = Connections(clock=lambda: moment)
    with server() as it, server() as another:
        with waiting.to(it.provider) as idle:
            send(idle)
        moment = connections.IDLE_S + 1
        with waiting.to(another.provider) as used:
            send(used)
        assert (idle.is_open, used.is_open) == (False, True)
        waiting.close()
        assert not used.is_open
