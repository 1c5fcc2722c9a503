"""Slow clients and greedy ones hold nobody up: limits of time, bytes, connections and mails a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from inbound.connection import FULL, TOO_MANY_CONNECTIONS, Traffic
from inbound.rates import MOST_NAMES, PerMinute, peer_of
from tests.inbound.listening import Door, open_door
from tests.inbound.talking import Talk

HEAD = b"From: ann@acme.example\r\nTo: nora@lead.example\r\nSubject: Offer\r\n\r\n"
PATIENCE_S = 1.5


@contextmanager
def dripping(talk: Talk, data: bytes, pause_s: float) -> Iterator[threading.Event]:
    """Send the same bytes again and again in another thread; the event is set once the server has hung up."""
    gone, stop = threading.Event(), threading.Event()

    def drip() -> None:
        while not stop.wait(pause_s):
            try:
                talk.send(data)
            except OSError:
                gone.set()
                return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield gone
    finally:
        stop.set()
        thread.join(30)


def in_data(door: Door, talk: Talk) -> None:
    talk.envelope(door.address)
    assert talk.say("DATA").startswith("354")
    talk.send(HEAD)


def assert_served(door: Door, number: int = 0) -> None:
    with Talk(door.port) as talk:
        assert talk.envelope(door.address).startswith("250")
        assert talk.data(HEAD + b"%d\r\n.\r\n" % number).startswith("250")


@pytest.mark.servers
def test_slow_clients_are_hung_up_on_and_meanwhile_others_are_served(
    module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inbound.connection.SLOW_CLIENT_S", PATIENCE_S)
    with open_door(module_database, tmp_path) as door, ExitStack() as slow:
        silent = [slow.enter_context(Talk(door.port)) for _ in range(20)]
        half = [slow.enter_context(Talk(door.port)) for _ in range(20)]
        for talk in half:
            talk.send(b"EHL")
        after_mail = [slow.enter_context(Talk(door.port)) for _ in range(20)]
        for talk in after_mail:
            talk.envelope(door.address)
        data = [slow.enter_context(Talk(door.port)) for _ in range(20)]
        for talk in data:
            in_data(door, talk)
        commands = [slow.enter_context(Talk(door.port)) for _ in range(3)]
        drips = [slow.enter_context(dripping(talk, b"N", 0.1)) for talk in commands]
        drips += [slow.enter_context(dripping(talk, b"a", 0.1)) for talk in data[:3]]
        began = time.monotonic()
        assert_served(door)
        assert time.monotonic() - began < 20
        for talk in (*silent, *half, *after_mail, *data):
            assert talk.answer() == ""
        for gone in drips:
            assert gone.wait(30)
        assert len(door.kept()) == 1


@pytest.mark.servers
def test_a_mail_that_comes_slowly_but_steadily_may_take_longer_than_the_patience(
    module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inbound.connection.SLOW_CLIENT_S", PATIENCE_S)
    monkeypatch.setattr("inbound.connection.SLOWEST_BYTES_S", 500)
    with open_door(module_database, tmp_path) as door, Talk(door.port) as talk:
        in_data(door, talk)
        began = time.monotonic()
        with dripping(talk, b"a" * 498 + b"\r\n", 0.1) as gone:
            assert not gone.wait(PATIENCE_S * 2)
        talk.send(b".\r\n")
        assert talk.answer().startswith("250")
        assert time.monotonic() - began > PATIENCE_S * 2


@pytest.mark.servers
def test_the_largest_mail_goes_when_too_much_comes_at_once(
    module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inbound.listener.MOST_HELD_BYTES", 400_000)
    filler = (b"a" * 998 + b"\r\n") * 300
    with open_door(module_database, tmp_path) as door, Talk(door.port) as greedy, Talk(door.port) as honest:
        in_data(door, greedy)
        greedy.send(filler)
        in_data(door, honest)
        honest.send(filler[:150_000] + b"\r\n.\r\n")
        assert honest.answer().startswith("250")
        assert greedy.answer().startswith("421 4.3.2")
        assert_served(door, 2)
        assert len(door.kept()) == 2


@pytest.mark.servers
def test_all_connections_together_are_limited(module_database: str, tmp_path: Path) -> None:
    with open_door(module_database, tmp_path, smtp_inbound_connections=3) as door:
        with ExitStack() as several:
            for number in range(3):
                assert (
                    several.enter_context(Talk(door.port, source=f"127.0.0.{number + 2}")).greeting[:3]
                    == "220"
                )
            with Talk(door.port) as fourth:
                assert fourth.greeting.startswith("421 4.3.2")
                assert fourth.answer() == ""
        patience = time.monotonic() + 30
        greeting = ""
        while not greeting.startswith("220") and time.monotonic() < patience:
            with Talk(door.port) as again:
                greeting = again.greeting
        assert greeting.startswith("220")


@pytest.mark.servers
def test_a_stranger_who_is_refused_uses_up_only_his_own_share(module_database: str, tmp_path: Path) -> None:
    with open_door(module_database, tmp_path, smtp_inbound_mails_per_minute=3) as door:

        def give(source: str, author: bytes, number: int) -> str:
            with Talk(door.port, source=source) as talk:
                answer = talk.envelope(door.address)
                if not answer.startswith("250"):
                    return answer[:3]
                return talk.data(HEAD.replace(b"ann@acme", author) + b"%d\r\n.\r\n" % number)[:3]

        assert [give("127.0.0.2", b"x@evil", number) for number in range(4)] == ["550", "550", "550", "450"]
        assert [give("127.0.0.3", b"ann@acme", number) for number in range(4)] == ["250", "250", "250", "450"]
        # The address has had its share, whoever comes.
        assert give("127.0.0.4", b"ann@acme", 9) == "450"
        assert len(door.kept()) == 3


def test_traffic_is_counted_by_peer_and_in_all() -> None:
    traffic = Traffic(4, 2, 1000)
    assert [traffic.enter("a"), traffic.enter("a"), traffic.enter("a")] == [None, None, TOO_MANY_CONNECTIONS]
    assert not traffic.stressed
    assert traffic.enter("b") is None
    assert traffic.stressed
    assert [traffic.enter("c"), traffic.enter("d")] == [None, FULL]
    traffic.leave("a")
    assert traffic.enter("d") is None


def test_a_minute_slides() -> None:
    at = [0.0]
    rate = PerMinute(2, lambda: at[0])
    assert [rate.too_many("a"), rate.too_many("a"), rate.too_many("a")] == [False, False, True]
    assert not rate.too_many("b")
    at[0] = 59.9
    assert rate.too_many("a")
    at[0] = 60.1
    assert not rate.too_many("a")


def test_those_who_were_silent_for_a_minute_are_forgotten() -> None:
    at = [0.0]
    rate = PerMinute(1, lambda: at[0])
    for number in range(MOST_NAMES):
        rate.too_many(str(number))
    at[0] = 61.0
    assert not rate.too_many("new")
    assert rate.remembered == 1


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_subscriber_of_ipv6_is_one_peer(address: str, counted: str) -> None:
    assert peer_of(address) == counted
