"""What a stranger who learned an address may try with the protocol itself."""

from __future__ import annotations

import concurrent.futures
import random
from collections.abc import Iterator

import pytest

from tests.inbound.listening import DOMAIN, Door, open_door
from tests.inbound.talking import Talk

pytestmark = pytest.mark.servers

HEAD = (
    b"From: Ann <ann@acme.example>\r\nTo: nora@lead.example\r\nSubject: Offer\r\n"
    b"Message-ID: <%d@acme.example>\r\n\r\n"
)


@pytest.fixture(scope="module")
def door(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(module_database, tmp_path_factory.mktemp("door")) as opened:
        yield opened


def content_of(door: Door, number: int = -1) -> bytes:
    return door.blobs.get(door.kept()[number].blob)


# SMTP smuggling (CVE-2023-51764 and its kin): what one server takes for the end of a mail, another does not.
@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\n\n.\r\r\n"],
)
def test_one_mail_cannot_carry_a_second(door: Door, end: bytes) -> None:
    before = len(door.kept())
    smuggled = (
        b"MAIL FROM:<x@evil.example>\r\nRCPT TO:<"
        + door.address.encode()
        + b">\r\nDATA\r\nFrom: bob@acme.example"
    )
    body = HEAD % before + b"Dear Nora" + end + smuggled + b"\r\n\r\nforged"
    with Talk(door.port) as talk:
        assert talk.envelope(door.address).startswith("250")
        assert talk.data(body + b"\r\n.\r\n").startswith("250 2.0.0")
        assert talk.say("NOOP").startswith("250")  # nothing more was answered
        assert talk.say("RCPT TO:<" + door.address + ">").startswith("503")
    assert len(door.kept()) == before + 1
    assert content_of(door) == body.replace(b"\r\n.", b"\r\n") + b"\r\n"  # RFC 5321, 4.5.2


def test_dots_at_the_start_of_lines_come_back_as_they_were(door: Door) -> None:
    with Talk(door.port) as talk:
        talk.envelope(door.address)
        assert talk.data(HEAD % 77 + b"..\r\n..one\r\nno dot\r\n...two\r\n.\r\n").startswith("250")
    assert content_of(door).endswith(b"\r\n\r\n.\r\n.one\r\nno dot\r\n..two\r\n")


@pytest.mark.parametrize(
    "command", ["BDAT 10 LAST", "XCLIENT ADDR=127.0.0.1", "TURN", "ETRN acme.example", "SEND FROM:<a@b>"]
)
def test_commands_that_are_not_offered_do_nothing(door: Door, command: str) -> None:
    before = len(door.kept())
    with Talk(door.port) as talk:
        talk.envelope(door.address)
        assert talk.say(command).startswith("50")
        assert talk.say("From: x@y").startswith("50")  # what follows a BDAT is a command, and wrong
    assert len(door.kept()) == before


def test_words_before_tls_are_not_taken_for_words_after_it(door: Door) -> None:
    # CVE-2011-0411: commands injected into the packet of STARTTLS.
    injected = f"EHLO evil.example\r\nMAIL FROM:<x@evil.example>\r\nRCPT TO:<{door.address}>\r\n".encode()
    with Talk(door.port) as talk:
        talk.say("EHLO client.example")
        try:
            talk.start_tls(injected)
        except OSError:
            return  # taken for a broken handshake: nothing was done with it
        assert talk.say("NOOP").startswith("250")
        assert talk.say("DATA").startswith("503")


def test_tls_forgets_what_was_said_before_it(door: Door) -> None:
    with Talk(door.port) as talk:
        assert talk.envelope(door.address).startswith("250")
        talk.start_tls()
        assert talk.say(f"RCPT TO:<{door.address}>").startswith("503")
        assert talk.say("MAIL FROM:<ann@acme.example>").startswith("503")
        assert talk.say("EHLO client.example").startswith("250")
        assert talk.say("STARTTLS").startswith("503")
        assert talk.say("NOOP").startswith("250")


def test_pipelined_commands_are_each_answered_in_order(door: Door) -> None:
    before = len(door.kept())
    with Talk(door.port) as talk:
        talk.send(
            b"EHLO client.example\r\nMAIL FROM:<ann@acme.example>\r\nRCPT TO:<"
            + door.address.encode()
            + b">\r\nDATA\r\n"
            + HEAD % 88
            + b"text\r\n.\r\nQUIT\r\n"
        )
        codes = [talk.answer()[:3] for _ in range(6)]
    assert codes == ["250", "250", "250", "354", "250", "221"]
    assert len(door.kept()) == before + 1


def test_long_lines_of_careless_programs_arrive_and_endless_ones_do_not(door: Door) -> None:
    before = len(door.kept())
    with Talk(door.port) as talk:
        talk.envelope(door.address)
        assert talk.data(HEAD % 99 + b"a" * 100_000 + b"\r\n.\r\n").startswith("250")
        talk.say("MAIL FROM:<ann@acme.example>")
        talk.say(f"RCPT TO:<{door.address}>")
        assert talk.data(HEAD % 100 + b"a" * 1_000_000 + b"\r\n.\r\n").startswith("500")
        assert talk.say("NOOP").startswith("250")
    assert len(door.kept()) == before + 1


def test_a_long_command_is_refused_and_the_next_is_heard(door: Door) -> None:
    with Talk(door.port) as talk:
        talk.say("EHLO client.example")
        assert talk.say("MAIL FROM:<" + "a" * 300_000 + "@acme.example>").startswith("500")
        assert talk.envelope(door.address).startswith("250")


def test_a_header_without_end_is_refused(door: Door) -> None:
    before = len(door.kept())
    filler = b"".join(b"X-Filler-%d: %s\r\n" % (n, b"a" * 900) for n in range(400))
    with Talk(door.port) as talk:
        talk.envelope(door.address)
        assert talk.data(b"From: ann@acme.example\r\n" + filler + b"\r\ntext\r\n.\r\n").startswith("552")
    assert len(door.kept()) == before


def test_a_mail_that_grows_over_the_size_is_refused_at_its_end(
    module_database: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inbound.listener.LARGEST_MAIL", 200_000)
    with open_door(module_database, tmp_path_factory.mktemp("small")) as small, Talk(small.port) as talk:
        talk.envelope(small.address)
        assert talk.data(HEAD % 1 + (b"a" * 70 + b"\r\n") * 4000 + b".\r\n").startswith("552")
        talk.say("MAIL FROM:<ann@acme.example>")
        talk.say(f"RCPT TO:<{small.address}>")
        assert talk.data(HEAD % 2 + b"text\r\n.\r\n").startswith("250")
        assert len(small.kept()) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\xfd",
        b"EHLO \xff\xfe",
        b"MAIL FROM:<\xff@\xfe>",
        b"RCPT TO:<\xff@" + DOMAIN.encode() + b">",
        b"RCPT TO:<\x00@" + DOMAIN.encode() + b">",
        b"VRFY \xff",
        b"HELP \xff",
        b"MAIL FROM:<ann@acme.example> SIZE=-1",
        b"MAIL FROM:<ann@acme.example> SIZE=" + b"9" * 400,
        b"MAIL FROM:<ann@acme.example> BODY=BINARYMIME",
        b"RCPT TO:<a@b> NOTIFY=NEVER",
        b"DATA now",
        b"RSET now",
        b"<>",
        b"\x00" * 100,
        b"GET / HTTP/1.1",
    ],
)
def test_nonsense_is_answered_without_a_word_about_our_insides(door: Door, line: bytes) -> None:
    with Talk(door.port) as talk:
        talk.say("EHLO client.example")
        answer = talk.say(line)
        assert answer[:1] in "245"
        assert "Error:" not in answer or "(" not in answer, answer
        assert "Traceback" not in answer
        assert talk.envelope(door.address).startswith("250")


@pytest.mark.parametrize(
    "helo", [b"EHLO \xff\xfe", b"EHLO \xe2\x80\xae.example", b"EHLO [999.1.1.1]", b"EHLO " + b"a" * 400]
)
def test_a_strange_name_in_helo_does_no_harm(door: Door, helo: bytes) -> None:
    before = len(door.kept())
    with Talk(door.port) as talk:
        assert talk.say(helo).startswith("250")
        talk.say("MAIL FROM:<ann@acme.example>")
        talk.say(f"RCPT TO:<{door.address}>")
        assert talk.data(HEAD % before + b"%d\r\n.\r\n" % before).startswith("250")


def test_100_connections_of_garbage_hold_nobody_up(door: Door) -> None:
    noise = random.Random(7)
    pieces = [noise.randbytes(100_000) for _ in range(5)]

    def shout(number: int) -> None:
        try:
            with Talk(door.port) as talk:
                talk.send(pieces[number % 5] + b"\r\n")
                while talk.answer():
                    pass
        except OSError:
            return  # hung up on in the middle

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        shouting = [pool.submit(shout, number) for number in range(100)]
        before = len(door.kept())
        for number in range(5):
            with Talk(door.port, patience_s=20) as talk:
                assert talk.envelope(door.address).startswith("250")
                assert talk.data(HEAD % number + b"amid noise %d\r\n.\r\n" % number).startswith("250")
        for one in shouting:
            one.result(60)
    assert len(door.kept()) == before + 5


def test_too_many_commands_end_the_session(door: Door) -> None:
    with Talk(door.port) as talk:
        refused = [talk.say(f"RCPT TO:<guess{number}@{DOMAIN}>")[:3] for number in range(30)]
        assert set(refused) == {"503"}
        assert talk.answer().startswith("421")
    with Talk(door.port) as talk:
        answers = [talk.say("NOOP") for _ in range(21)]
        assert answers[19].startswith("250")
        assert answers[20].startswith("421")
        assert talk.say("NOOP") == ""
