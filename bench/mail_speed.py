"""Mail: parsing, and all that `python -m mail` prints, against a bare standard library parse of the same mails.

The mails are made up, but mixed like a mailbox: answers with quoted text, newsletters, attachments, notices,
bounces, forwards. The floor parses with `email` (compat32) and decodes every payload, in the same run.
"""

from __future__ import annotations

import email
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from bench.result import Result
from mail.__main__ import describe
from mail.answer import forward_html, forward_text, reply_html, reply_text
from mail.compose import OutgoingFile, compose
from mail.message import Address
from mail.parse import parse

MAILS = 300
ROUNDS = 8
SEED = 7

_TEXT = (
    "we have looked at the offer and would like to meet next week about the details of the project please send plan "
    "die Besprechung morgen um zehn Uhr mit allen Unterlagen grüße aus Köln merci beaucoup pour votre réponse rápida"
)
_WORDS = _TEXT.split(" ")
_RECEIVED = (
    "from mail-{0}.example.net (mail-{0}.example.net [192.0.2.{0}]) by mx.example.com with ESMTPS id {0}abc"
    " for <ann@example.com> (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384); Mon, 02 Mar 2026 10:00:{0:02} +0000"
)


def mailbox(count: int = MAILS, seed: int = SEED) -> list[bytes]:
    """Made-up mails of all kinds, the same for the same seed."""
    rng = random.Random(seed)
    makers = (
        _answer,
        _answer,
        _answer,
        _newsletter,
        _newsletter,
        _attachment,
        _notice,
        _bounce,
        _forward,
        _note,
    )
    return [makers[number % len(makers)](rng, number) for number in range(count)]


def measure() -> list[Result]:
    """Mails a second of the standard library, of `parse`, and of everything that the command prints."""
    floor, parsed, printed = speeds(mailbox(), (_standard_library, parse, _print))
    return [
        Result.speed("mail: parse", parsed, "mails/s", floor, at_least=0.75),
        Result.speed("mail: all that python -m mail prints", printed, "mails/s", floor, at_least=0.5),
    ]


def speeds(mails: list[bytes], works: Sequence[Callable[[bytes], object]]) -> list[float]:
    """Best of some rounds for each work, in mails a second; taken in turns, so that a busy moment hits all."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            before = time.process_time()
            for raw in mails:
                work(raw)
            best[number] = min(best[number], time.process_time() - before)
    return [len(mails) / seconds for seconds in best]


def _print(raw: bytes) -> bytes:
    return to_json(describe("mail", parse(raw)))


def _standard_library(raw: bytes) -> None:
    for part in email.message_from_bytes(raw).walk():
        if not part.is_multipart():
            part.get_payload(decode=True)


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(6, 22))).capitalize() + "."


def _paragraphs(rng: random.Random, count: int) -> list[str]:
    return [" ".join(_sentence(rng) for _ in range(rng.randint(1, 4))) for _ in range(count)]


def _html(paragraphs: list[str]) -> str:
    return "".join(
        f'<div dir="ltr" style="font-size:14px;color:#222">{text}<br></div>' for text in paragraphs
    )


def _write(
    rng: random.Random,
    number: int,
    subject: str,
    text: str | None,
    html: str | None,
    files: list[OutgoingFile] | None = None,
) -> bytes:
    raw = compose(
        from_=Address("Jörg Müller" if number % 3 else "Ann Lee", f"sender{number}@example.net"),
        to=[Address("Ann", "ann@example.com"), Address("", "bob@example.org")],
        subject=subject,
        text=text,
        html=html,
        attachments=files or [],
        date=datetime(2026, 3, 2, 10, 0, tzinfo=UTC) + timedelta(minutes=number),
        message_id=f"<{number}@example.net>",
        references=[f"<{number - back}@example.net>" for back in range(1, rng.randint(2, 6))],
        headers=[
            ("X-Mailer", "Example 1.0"),
            ("X-Spam-Status", "No, score=-1.2 required=5.0 tests=DKIM_VALID,SPF_PASS"),
        ],
    )
    trace = "".join(f"Received: {_RECEIVED.format(hop)}\r\n" for hop in range(1, 6))
    signature = (
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n b="
        + "Ab1/" * 80
        + "\r\n"
    )
    return (trace + signature).encode() + raw


def _note(rng: random.Random, number: int) -> bytes:
    return _write(rng, number, _sentence(rng)[:60], "\n\n".join(_paragraphs(rng, 2)), None)


def _answer(rng: random.Random, number: int) -> bytes:
    original = parse(_note(rng, number + 1000))
    paragraphs = _paragraphs(rng, rng.randint(1, 4))
    for _ in range(rng.randint(0, 2)):
        original = parse(_write(rng, number, "Re: plan", reply_text(original, _sentence(rng)), None))
    text, html = reply_text(original, "\n\n".join(paragraphs)), reply_html(original, _html(paragraphs))
    return _write(rng, number, f"Re: {_sentence(rng)[:50]}", text, html)


def _forward(rng: random.Random, number: int) -> bytes:
    original = parse(_note(rng, number + 1000))
    return _write(
        rng, number, "Fwd: plan", forward_text(original, "FYI"), forward_html(original, "<p>FYI</p>")
    )


def _newsletter(rng: random.Random, number: int) -> bytes:
    cells = "".join(
        '<tr><td align="center" style="padding:10px 20px;font-family:Arial,sans-serif;font-size:15px;'
        f'line-height:22px;background-color:#f4f4f4"><a href="https://shop.example/p/{n}?utm_source=mail&amp;utm_id='
        f'{number}" style="color:#0b5394;text-decoration:none">'
        f'<img src="https://img.example/{n}.png" width="120" alt="Item {n}"></a>'
        f'<p style="margin:0 0 12px">{_sentence(rng)}</p></td></tr>'
        for n in range(rng.randint(10, 40))
    )
    html = (
        "<!DOCTYPE html><html><head><style>.x{color:red} @media(max-width:600px){.y{width:100%}}</style></head>"
        f'<body bgcolor="#ffffff"><div style="display:none">{_sentence(rng)}</div>'
        f'<table width="600" cellpadding="0" cellspacing="0">{cells}</table></body></html>'
    )
    return _write(rng, number, _sentence(rng)[:70], "\n\n".join(_paragraphs(rng, 6)), html)


def _attachment(rng: random.Random, number: int) -> bytes:
    file = OutgoingFile(
        f"Übersicht {number}.pdf", "application/pdf", rng.randbytes(rng.randint(5_000, 60_000))
    )
    paragraphs = _paragraphs(rng, 3)
    return _write(rng, number, "Unterlagen für morgen", "\n\n".join(paragraphs), _html(paragraphs), [file])


def _notice(rng: random.Random, number: int) -> bytes:
    raw = _write(rng, number, "Automatic reply: plan", _sentence(rng), None)
    return b"Auto-Submitted: auto-replied\r\n" + raw


def _bounce(rng: random.Random, number: int) -> bytes:
    original = _note(rng, number + 1000).decode("ascii")
    return (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: ann@example.com\r\n"
        "Subject: Delivery Status Notification (Failure)\r\nAuto-Submitted: auto-replied\r\n"
        f"X-Failed-Recipients: gone{number}@example.org\r\nMessage-ID: <b{number}@mx.google.com>\r\n"
        'Content-Type: multipart/report; boundary="b"; report-type=delivery-status\r\n\r\n'
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n** Address not found **\r\n\r\n"
        f"Your message wasn't delivered to gone{number}@example.org because the address couldn't be found.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; googlemail.com\r\n\r\n"
        f"Final-Recipient: rfc822; gone{number}@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\n--b--\r\n"
    ).encode("ascii")
