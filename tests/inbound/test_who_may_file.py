"""S16: who may file under a user cannot be forged by a From line alone; how strictly is a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from inbound import handler, lookups
from tests.inbound.listening import Door, open_door
from tests.inbound.name_server import NameServer, Signer, serving

pytestmark = pytest.mark.servers

STRICTNESS = ("off", "record", "aligned", "strict")
TAKEN = (250, 250, 250, 250)
ONLY_IF_NOBODY_LOOKS = (250, 250, 550, 550)
REJECT = "v=DMARC1; p=reject"
HERE = "v=spf1 ip4:127.0.0.1 -all"
ELSEWHERE = "v=spf1 ip4:192.0.2.1 -all"
ACME, EVIL = Signer("acme.example"), Signer("evil.example")
NEWS = Signer("news.acme.example")


def written_by(author: str) -> bytes:
    return (
        f"From: {author}\r\nTo: Nora <nora@lead.example>\r\nSubject: Offer\r\n"
        "Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n\r\nDear Nora\r\n"
    ).encode()


ANNS = written_by("Ann Archer <ann@acme.example>")


@dataclass(frozen=True)
class Case:
    """A mail, what DNS says, and the answer at each strictness."""

    content: bytes
    codes: tuple[int, int, int, int]
    sender: str = "ann@acme.example"
    records: tuple[tuple[str, str], ...] = ()
    down: tuple[str, ...] = ()
    aligned: tuple[str, ...] = ()


PUBLISHED = ((ACME.name, ACME.record), ("_dmarc.acme.example", REJECT), ("acme.example", ELSEWHERE))
CASES = {
    "signed by the user's domain": Case(ACME.sign(ANNS), TAKEN, records=PUBLISHED, aligned=("dkim",)),
    "from a mail server of the user's domain": Case(
        ANNS, TAKEN, records=(("acme.example", HERE), ("_dmarc.acme.example", REJECT)), aligned=("spf",)
    ),
    "a colleague's, signed": Case(
        ACME.sign(written_by("bob@acme.example")), TAKEN, records=PUBLISHED, aligned=("dkim",)
    ),
    "a From line alone": Case(ANNS, ONLY_IF_NOBODY_LOOKS, sender="x@evil.example"),
    "a From line and the same envelope": Case(ANNS, ONLY_IF_NOBODY_LOOKS),
    "the user's domain names other servers": Case(ANNS, ONLY_IF_NOBODY_LOOKS, records=PUBLISHED),
    "a forged colleague": Case(
        written_by("Bob <bob@acme.example>"), ONLY_IF_NOBODY_LOOKS, sender="x@evil.example", records=PUBLISHED
    ),
    "forged, and signed by the stranger": Case(
        EVIL.sign(ANNS),
        ONLY_IF_NOBODY_LOOKS,
        sender="x@evil.example",
        records=((EVIL.name, EVIL.record), ("evil.example", HERE), ("_dmarc.evil.example", REJECT)),
    ),
    "forged, from a domain that begins like the user's": Case(
        ANNS,
        ONLY_IF_NOBODY_LOOKS,
        sender="x@acme.example-evil.com",
        records=(("acme.example-evil.com", HERE), *PUBLISHED),
    ),
    "forwarded by the user's provider, which rewrites the envelope": Case(
        b"Received: from a by forwarder.example; Sat, 28 Nov 2026 10:00:01 +0000\r\n" + ACME.sign(ANNS),
        TAKEN,
        sender="SRS0=x=y=acme.example=ann@forwarder.example",
        records=(("forwarder.example", HERE), *PUBLISHED),
        aligned=("dkim",),
    ),
    "forwarded by somebody who adds a footer": Case(
        ACME.sign(ANNS) + b"-- \r\nScanned\r\n",
        ONLY_IF_NOBODY_LOOKS,
        sender="x@forwarder.example",
        records=(("forwarder.example", HERE), *PUBLISHED),
    ),
    "signed by a sub-domain": Case(
        NEWS.sign(ANNS), TAKEN, records=((NEWS.name, NEWS.record), *PUBLISHED), aligned=("dkim",)
    ),
    "signed by a sub-domain, which the policy does not allow": Case(
        NEWS.sign(ANNS),
        ONLY_IF_NOBODY_LOOKS,
        records=((NEWS.name, NEWS.record), ("_dmarc.acme.example", "v=DMARC1; p=reject; adkim=s")),
        aligned=("dkim",),
    ),
    "signed, of a domain without a policy": Case(
        ACME.sign(ANNS), (250, 250, 250, 550), records=((ACME.name, ACME.record),), aligned=("dkim",)
    ),
    "DNS is down": Case(
        ACME.sign(ANNS),
        (250, 250, 451, 451),
        down=("acme.example", ACME.name, "_dmarc.acme.example", "example"),
    ),
    "the policy cannot be looked up": Case(
        ACME.sign(ANNS),
        (250, 250, 451, 451),
        records=((ACME.name, ACME.record),),
        down=("_dmarc.acme.example",),
        aligned=("dkim",),
    ),
    "a stranger's, with every proof": Case(
        EVIL.sign(written_by("x@evil.example")),
        (550, 550, 550, 550),
        sender="x@evil.example",
        records=((EVIL.name, EVIL.record), ("evil.example", HERE), ("_dmarc.evil.example", REJECT)),
    ),
}


@pytest.fixture(scope="module")
def doors(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """One listener for each strictness, which trust nobody."""
    with ExitStack() as stack:
        yield {
            strictness: stack.enter_context(
                open_door(
                    module_database,
                    tmp_path_factory.mktemp(strictness),
                    auto_bcc_authentication=strictness,
                    smtp_inbound_trusted_peers="",
                )
            )
            for strictness in STRICTNESS
        }


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    monkeypatch.setattr(lookups, "LOOKUP_S", 2.0)
    with serving(monkeypatch) as server:
        yield server


@pytest.mark.parametrize("name", CASES)
def test_s16_a_from_line_alone_files_nothing(doors: dict[str, Door], names: NameServer, name: str) -> None:
    case = CASES[name]
    names.txt.update(case.records)
    names.broken.update(case.down)
    for strictness, expected in zip(STRICTNESS, case.codes, strict=True):
        door = doors[strictness]
        before = len(door.kept())
        content = case.content.replace(b"\r\n\r\n", f"\r\nX-Case: {name}\r\n\r\n".encode(), 1)
        code, text = door.give(content, door.address, sender=case.sender)
        assert (strictness, code, text) == (strictness, expected, text)
        kept = door.kept()[before:]
        assert len(kept) == (expected == 250)
        if kept and strictness != "off":
            assert kept[0].authentication["aligned"] == list(case.aligned)


def test_s16_with_off_nothing_is_looked_up(doors: dict[str, Door], names: NameServer) -> None:
    door = doors["off"]
    assert door.give(ANNS, door.address)[0] == 250
    assert (names.asked, door.kept()[-1].authentication) == ([], {})


def test_s16_the_refusal_says_what_is_missing(doors: dict[str, Door], names: NameServer) -> None:
    _, text = doors["aligned"].give(ANNS, doors["aligned"].address)
    assert "5.7.26" in text
    assert "SPF" in text


def test_s16_a_mail_that_could_not_be_checked_is_taken_when_it_comes_again(
    doors: dict[str, Door], names: NameServer
) -> None:
    door, again = doors["aligned"], ACME.sign(ANNS.replace(b"Offer", b"Again"))
    names.txt.update(PUBLISHED)
    names.broken.add(ACME.name)
    assert door.give(again, door.address)[0] == 451
    names.broken.clear()
    assert door.give(again, door.address)[0] == 250


def test_s16_this_machine_is_trusted_by_default_and_no_dns_is_asked(
    names: NameServer, module_database: str, tmp_path: Path
) -> None:
    with open_door(module_database, tmp_path) as door:
        assert door.give(ANNS, door.address)[0] == 250
        assert door.kept()[0].authentication["trusted"] is True
    assert names.asked == []


def test_s16_a_trusted_peers_mail_is_taken_also_where_the_look_ups_take_too_long(
    doors: dict[str, Door], database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LOOKUPS_S", 0.0)
    with open_door(database, tmp_path) as door:
        assert door.give(ANNS, door.address)[0] == 250
        assert door.kept()[0].authentication["conclusion"] == "trusted"
    assert doors["aligned"].give(ANNS, doors["aligned"].address)[0] == 451


CHECKS: list[Callable[[bytes], bytes]] = [
    lambda mail: mail.replace(b"From: Ann Archer <ann@acme.example>\r\n", b""),
    lambda mail: b"From: x@evil.example\r\n" + mail,
    lambda mail: mail.replace(b"To:", b"From : x@evil.example\r\nTo:"),
    lambda mail: mail.replace(b"<ann@acme.example>", b"<ann@acme.example>, x@evil.example"),
    lambda mail: mail.replace(b"Ann Archer <ann@acme.example>", b"Team: ann@acme.example, x@evil.example;"),
    lambda mail: mail.replace(b"Ann Archer <ann@acme.example>", b""),
    lambda mail: mail.replace(b"Ann Archer <ann@acme.example>", b"<ann@acme.example>\r\n ,<x@evil.example>"),
    lambda mail: mail.partition(b"\r\n\r\n")[2],
    lambda mail: b"",
]


@pytest.mark.parametrize("change", CHECKS)
def test_s16_a_mail_has_one_author(
    doors: dict[str, Door], names: NameServer, change: Callable[[bytes], bytes]
) -> None:
    names.txt["acme.example"] = HERE
    door = doors["aligned"]
    before = len(door.kept())
    code, text = door.give(change(ANNS), door.address)
    assert (code, len(door.kept())) == (550, before), text


def test_s16_sender_and_reply_to_lines_decide_nothing(doors: dict[str, Door], names: NameServer) -> None:
    names.txt.update({"acme.example": HERE, "evil.example": HERE})
    door = doors["aligned"]
    assert door.give(b"Sender: x@evil.example\r\nReply-To: x@evil.example\r\n" + ANNS, door.address)[0] == 250
    forged = b"Sender: ann@acme.example\r\n" + written_by("x@evil.example")
    assert door.give(forged, door.address)[0] == 550
