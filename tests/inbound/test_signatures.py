"""Signatures are looked at in linear time, and with dkimpy's results."""

from __future__ import annotations

import base64
import time

import dkim
import pytest
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

from inbound import signatures
from tests.inbound.name_server import Signer

HEAD = (
    b"From: ann@acme.example\r\nTo: nora@lead.example\r\nSubject: Offer\r\n"
    b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n"
)
ACME = Signer("acme.example")
PATIENCE_S = 10.0
"""Of this thread's own time; where dkimpy's patterns are quadratic these inputs take minutes."""


def verdict(content: bytes, record: bytes | None = None) -> str:
    head, body = signatures.split(content)
    mail = signatures.headers_of(head)
    found = signatures.signers(mail)
    key = ACME.record.encode() if record is None else record
    return signatures.verify(mail, found[0][0], body, lambda name: key) if found else "none"


bodies = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\n", b"\r", b"a", b"b c"]), max_size=25).map(
    b"".join
)


@given(bodies, st.sampled_from([b"relaxed/relaxed", b"relaxed/simple", b"simple", b"simple/relaxed"]))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_the_body_is_hashed_as_dkimpy_would(body: bytes, algorithms: bytes) -> None:
    body += b"\r\n"  # as every body that came by SMTP
    canonical = CanonicalizationPolicy.from_c_value(algorithms).canonicalize_body
    as_read = dkim.DKIM(b"From: a@b\r\n\r\n" + body).body
    assert signatures._canonical(body, algorithms) == canonical(as_read)


@pytest.mark.parametrize(
    "text", [b"", b"\r\n", b"Dear Nora\r\n", b"Dear  Nora \t\r\n\r\n\r\n", b"a\nb\r\n", b"\r\n" * 9]
)
def test_a_signed_mail_passes_whatever_its_body_is(text: bytes) -> None:
    assert verdict(ACME.sign(HEAD + b"\r\n" + text)) == "pass"
    assert verdict(ACME.sign(HEAD + b"\r\n" + text) + b"more\r\n") == "fail"


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n" * 1_000_000 + b"x\r\n",
        (b" " * 120_000 + b"x\r\n") * 8,
        b" \t" * 500_000 + b"\r\n",
        b"\n" * 1_000_000,
    ],
)
def test_a_hostile_body_takes_no_long_time(body: bytes) -> None:
    signed = ACME.sign(HEAD + b"\r\ntext\r\n").removesuffix(b"text\r\n") + body
    began = time.thread_time()
    assert verdict(signed) == "fail"
    assert time.thread_time() - began < PATIENCE_S


@pytest.mark.parametrize(
    "field",
    [
        b"v=1; a=rsa-sha256; d=acme.example; s=mail; h=from; bh=AAAA; b=" + b"\r\n " * 60_000 + b"!",
        b"v=1; a=rsa-sha256; d=acme.example; s=mail; h=from; bh=AAAA; b=" + b" " * 200_000 + b"!",
        b"v=1; a=rsa-sha256; d=acme.example; s=mail; h=from" + b":x" * 100_000 + b"; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=" + b"a." * 100_000 + b"; s=mail; h=from; bh=AAAA; b=AAAA",
    ],
)
def test_a_hostile_field_is_no_signature(field: bytes) -> None:
    began = time.thread_time()
    assert verdict(b"DKIM-Signature: " + field + b"\r\n" + HEAD + b"\r\ntext\r\n") == "none"
    assert time.thread_time() - began < PATIENCE_S


def test_a_field_that_signs_hundreds_of_names_does_not_count() -> None:
    many = b"from" + b":x" * signatures.MOST_SIGNED_NAMES
    field = b"v=1; a=rsa-sha256; d=acme.example; s=mail; h=" + many + b"; bh=AAAA; b=AAAA"
    assert verdict(b"DKIM-Signature: " + field + b"\r\n" + HEAD + b"\r\ntext\r\n") == "policy"


def test_a_key_without_end_is_none() -> None:
    huge = b"v=DKIM1; k=rsa; p=" + base64.b64encode(b"\x30" * 60_000)
    began = time.thread_time()
    assert verdict(ACME.sign(HEAD + b"\r\ntext\r\n"), huge) == "fail"
    assert time.thread_time() - began < PATIENCE_S
