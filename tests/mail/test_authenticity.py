"""What Gmail found about an author is read from its own field alone."""

from __future__ import annotations

import pytest

from mail.authenticity import is_doubted
from mail.parse import parse

GMAIL = "mx.google.com;\r\n       "
ANN = "ann@acme.example"


def doubted(*fields: str) -> bool:
    lines = "".join(f"Authentication-Results: {field}\r\n" for field in fields)
    return is_doubted(parse(f"{lines}From: {ANN}\r\n\r\nHello\r\n".encode()), ANN)


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=acme.example",
        "dkim=pass header.i=@acme.example header.s=google header.b=x9;\r\n       "
        "spf=pass (google.com: domain of ann@acme.example designates 192.0.2.1 as permitted sender) "
        "smtp.mailfrom=ann@acme.example;\r\n       dmarc=pass (p=NONE) header.from=acme.example",
        "dkim=pass header.i=@acme.example header.s=s1",
        "dkim=pass header.d=mail.acme.example",
        "dkim=fail header.i=@acme.example; spf=pass smtp.mailfrom=ann@acme.example",
        "dkim=pass header.i=@other.example; dkim=pass header.i=@acme.example",
        "spf=pass smtp.mailfrom=acme.example",
    ],
)
def test_s16_gmail_vouches_for_the_author(results: str) -> None:
    assert not doubted(GMAIL + results)


@pytest.mark.parametrize(
    "results",
    [
        "spf=softfail (google.com: ann@acme.example does not designate 192.0.2.1) smtp.mailfrom=x@acme.example",
        "dkim=pass header.i=@evil.example; spf=pass smtp.mailfrom=x@evil.example",
        "dkim=pass header.i=@evil.example; dmarc=fail (p=NONE sp=NONE dis=NONE) header.from=acme.example",
        "spf=pass smtp.mailfrom=x@acme.example.evil.example",
        "spf=pass smtp.mailfrom=x@evilacme.example",
        "spf=pass (dkim=pass header.i=@acme.example) smtp.mailfrom=x@evil.example",
        "spf=pass smtp.mailfrom=example",
        "none",
    ],
)
def test_s16_gmail_does_not_vouch_for_the_author(results: str) -> None:
    assert doubted(GMAIL + results)


def test_s16_what_others_say_counts_for_nothing() -> None:
    passed, failed = "dmarc=pass header.from=acme.example", "dmarc=fail header.from=acme.example"
    assert doubted(GMAIL + failed, "mx.google.com; " + passed)
    assert not doubted("mx.evil.example; " + failed)
    assert doubted("mx.evil.example; " + passed, GMAIL + failed)
    assert not doubted()
