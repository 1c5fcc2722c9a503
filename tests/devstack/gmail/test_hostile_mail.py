"""Broken and hostile mail must not break the emulator: every answer is JSON, every byte comes back."""

from __future__ import annotations

import random

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest
from tests.devstack.gmail.test_messages import RAW, decoded

pytestmark = pytest.mark.servers
BOB = "bob@gmail.com"
NESTED = (
    b"--b1\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\xff\r\n"
    b"Content-Type: multipart/alternative; boundary=q\r\n\r\n"
    b"--q\r\nContent-Type: text/html; charset=utf-7\r\n\r\n<p>x\r\n--q--\r\n"
    b"--b1\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: d\r\n--b1--\r\n"
)
PIECES = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"=?utf-8?q?=FF?=",
        b"=?x?b?!!?=",
        b"=?utf-8?b?4?=",
        b"charset=idna",
    ),
    *(
        b"charset=undefined",
        b"charset=punycode",
        b"charset=unicode_escape",
        b"charset=rot13",
        b"charset=\x00",
        b'boundary="',
    ),
    *(
        b"Content-Type: ",
        b"multipart/",
        b"name*0*=x",
        b"filename*=''%",
        b"<",
        b">",
        b"@",
        b";",
        b'"',
        b"uuencode",
        b"base64",
    ),
    *(
        b"quoted-printable",
        b" :",
        b":",
        b"message/rfc822",
        b"\xed\xa0\x80",
        b"Date: x",
        b"99999999999",
        b"\x85",
        b"\x0c",
        b"(",
    ),
]


def mutants(seed: int, count: int) -> list[bytes]:
    """The sample mail with random damage."""
    source = random.Random(seed)
    made = []
    for _ in range(count):
        raw = bytearray(RAW.replace(b"--b1--\r\n", NESTED))
        for _ in range(source.randrange(1, 8)):
            at, kind = source.randrange(len(raw) + 1), source.randrange(3)
            if kind == 2:
                del raw[at : at + source.randrange(60)]
            else:
                raw[at : at + kind * source.randrange(20)] = source.choice(PIECES)
        made.append(bytes(raw))
    return made


def read_everything(gmail: GmailControl, raws: list[bytes]) -> None:
    gmail.create_mailbox(BOB)
    bob = Rest(gmail, BOB)
    ids = gmail.insert(BOB, [{"raw": raw} for raw in raws])
    for message_id, raw in zip(ids, raws, strict=True):
        for form in ("minimal", "metadata"):
            bob.get(f"messages/{message_id}", format=form)
        assert decoded(bob.get(f"messages/{message_id}", format="raw")["raw"]) == raw
        waiting = [bob.get(f"messages/{message_id}")["payload"]]
        while waiting:
            part = waiting.pop()
            waiting += part.get("parts", [])
            if "attachmentId" in part["body"]:
                bob.get(f"messages/{message_id}/attachments/{part['body']['attachmentId']}")
        gmail.reply(BOB, message_id, "x", to="lead@out.example")
        gmail.forward(BOB, message_id, "lead@out.example")
        gmail.deliver(raw=raw, to=[BOB])
    bob.get("messages", q="from:j subject:x text")


def test_damaged_mail_can_be_read_in_every_format(gmail: GmailControl) -> None:
    read_everything(gmail, mutants(1, 40))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_much_damaged_mail_can_be_read_in_every_format(gmail: GmailControl, seed: int) -> None:
    read_everything(gmail, mutants(seed, 150))


@pytest.mark.parametrize(
    "raw",
    [
        b"x",
        b"\r\n\r\n",
        b"Subject only",
        b": : :\r\n\r\n",
        b"\x00" * 100,
        b"A:" + b"b" * 100_000 + b"\r\n\r\nx",
        b"\r\n".join(b"X-%d: y" % i for i in range(5000)) + b"\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 60,
    ],
    ids=["one byte", "empty", "no body", "colons", "nulls", "long line", "many fields", "nested"],
)
def test_extreme_mail_can_be_read_in_every_format(gmail: GmailControl, raw: bytes) -> None:
    read_everything(gmail, [raw])
