"""Pushes: who may bring them, and what they say."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from gmail.errors import GoogleError
from gmail.keys import CertsUnavailable, GoogleKeys
from gmail.push import (
    ForgedToken,
    MissingToken,
    PushHint,
    PushRefused,
    PushVerifier,
    WrongAudience,
    WrongSender,
    bearer,
    parse_push,
)
from gmail.transport import Http
from tests.gmail.scripted import Answer, ScriptedGoogle, says
from tests.gmail.signer import Signer

AUDIENCE = "https://crm.example/webhooks/gmail"
SENDER = "push@crm-prod.iam.gserviceaccount.com"


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(google: ScriptedGoogle, signer: Signer, clock: Clock) -> PushVerifier:
    google.on("/certs", says(signer.pem_by_id(), Cache_Control="public, max-age=19800"))
    config = google.config(push_audience=AUDIENCE, push_service_account=SENDER)
    return PushVerifier(config, GoogleKeys(config.certs_uri, Http(), clock))


def token(signer: Signer, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"aud": AUDIENCE, "email": SENDER, "email_verified": True, "sub": "117", **changes}
    return signer.jwt(header=header, **claims)


@pytest.mark.servers
@pytest.mark.parametrize("form", ["pem by id", "jwks"])
def test_a_push_of_our_subscription_is_let_in_and_the_keys_are_fetched_once(
    google: ScriptedGoogle, signer: Signer, verifier: PushVerifier, form: str
) -> None:
    google.on("/certs", says(signer.pem_by_id() if form == "pem by id" else signer.jwks()))

    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        for _ in range(5):
            verifier.verify(token(signer, iss=issuer))

    assert len(google.asked_for("/certs")) == 1


@pytest.mark.servers
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://other.example/webhooks/gmail"}, WrongAudience),
        ({"aud": None}, WrongAudience),
        ({"email": "somebody@crm-prod.iam.gserviceaccount.com"}, WrongSender),
        ({"email": None}, WrongSender),
        ({"email_verified": False}, WrongSender),
        ({"email_verified": None}, WrongSender),
        ({"iss": "https://accounts.google.com.evil.example"}, ForgedToken),
        ({"exp": 1_000_000}, ForgedToken),
        ({"iat": 4_000_000_000, "exp": 4_000_003_600}, ForgedToken),
        ({"exp": None}, ForgedToken),
        ({"header": {"alg": "none"}}, ForgedToken),
        ({"header": {"alg": "HS256"}}, ForgedToken),
        ({"header": {"kid": 5}}, ForgedToken),
    ],
    ids=str,
)
def test_any_other_token_is_refused(
    signer: Signer, verifier: PushVerifier, changes: dict[str, Any], error: type[PushRefused]
) -> None:
    with pytest.raises(PushRefused) as raised:
        verifier.verify(token(signer, **changes))

    assert type(raised.value) is error
    assert raised.value.answer == (403 if error in (WrongAudience, WrongSender) else 401)


@pytest.mark.servers
@pytest.mark.parametrize(
    "text", ["", "abc", "a.b.c", "..", "é.é.é", "e30.e30.e30", "W10.W10.W10", "x" * 20_000]
)
def test_what_is_no_token_is_refused(verifier: PushVerifier, text: str) -> None:
    with pytest.raises((MissingToken, ForgedToken)):
        verifier.verify(text)


@pytest.mark.servers
def test_a_token_signed_by_another_key_or_changed_after_signing_is_forged(
    signer: Signer, verifier: PushVerifier
) -> None:
    good = token(signer)
    head, body, mark = good.split(".")
    changed = base64.urlsafe_b64encode(
        json.dumps({**json.loads(base64.urlsafe_b64decode(body + "==")), "sub": "118"}).encode()
    )

    for bad in (
        token(Signer(signer.kid)),
        f"{head}.{changed.decode().rstrip('=')}.{mark}",
        f"{head}.{body}.",
    ):
        with pytest.raises(ForgedToken):
            verifier.verify(bad)
    verifier.verify(good)


@pytest.mark.servers
def test_without_an_audience_or_sender_of_ours_nobody_gets_in(google: ScriptedGoogle, signer: Signer) -> None:
    google.on("/certs", says(signer.jwks()))
    keys = GoogleKeys(f"{google.url}/certs", Http())

    with pytest.raises(WrongAudience):
        PushVerifier(google.config(push_service_account=SENDER), keys).verify(token(signer, aud=""))
    with pytest.raises(WrongSender):
        PushVerifier(google.config(push_audience=AUDIENCE), keys).verify(token(signer, email=""))


@pytest.mark.servers
def test_googles_new_key_is_fetched_and_invented_key_ids_do_not_make_us_ask_again(
    google: ScriptedGoogle, signer: Signer, verifier: PushVerifier, clock: Clock
) -> None:
    verifier.verify(token(signer))
    rotated = Signer("key-2")
    google.on("/certs", says({**signer.pem_by_id(), **rotated.pem_by_id()}))
    clock.now += 60

    verifier.verify(token(rotated))
    for number in range(20):
        with pytest.raises(ForgedToken):
            verifier.verify(token(signer, header={"kid": f"invented-{number}"}))

    assert len(google.asked_for("/certs")) == 2


@pytest.mark.servers
def test_keys_are_fetched_anew_when_their_time_is_over(
    google: ScriptedGoogle, signer: Signer, verifier: PushVerifier, clock: Clock
) -> None:
    verifier.verify(token(signer))
    clock.now += 19_700
    verifier.verify(token(signer, exp=int(clock.now) + 600))
    assert len(google.asked_for("/certs")) == 1

    clock.now += 200
    google.on("/certs", says(Signer("key-2").pem_by_id()))
    with pytest.raises(ForgedToken):
        verifier.verify(token(signer, exp=int(clock.now) + 600))
    assert len(google.asked_for("/certs")) == 2


@pytest.mark.servers
@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500),
        Answer(fault="drop"),
        Answer(body=b"<html>"),
        says({}),
        says({"keys": []}),
        says({"a": "no pem"}),
    ],
    ids=["500", "dropped", "html", "no key", "no jwk", "no certificate"],
)
def test_without_googles_keys_the_push_should_come_again(
    google: ScriptedGoogle, signer: Signer, verifier: PushVerifier, clock: Clock, trouble: Answer
) -> None:
    google.on("/certs", trouble, says(signer.pem_by_id()))

    for _ in range(3):
        with pytest.raises(CertsUnavailable) as raised:
            verifier.verify(token(signer))
        assert isinstance(raised.value, GoogleError)
    assert len(google.asked_for("/certs")) == 1

    clock.now += 2
    verifier.verify(token(signer))


def envelope(data: bytes, **more: Any) -> bytes:
    message = {
        "data": base64.b64encode(data).decode(),
        "messageId": "1",
        "publishTime": "2026-11-28T11:00:00Z",
    }
    return json.dumps({"message": {**message, **more}, "subscription": "projects/p/subscriptions/s"}).encode()


@pytest.mark.parametrize(
    "history_id", ['"18446744073709551615"', "18446744073709551615"], ids=["text", "number"]
)
def test_a_push_hints_at_a_mailbox(history_id: str) -> None:
    body = envelope(b'{"emailAddress":"Ann@Example.com","historyId":%s}' % history_id.encode())

    assert parse_push(body) == PushHint("ann@example.com", 2**64 - 1)


def test_the_data_may_be_base64url_without_padding() -> None:
    data = '{"emailAddress":"ann@example.com","historyId":1,"x":"ÿÿ>>>???"}'.encode()
    text = base64.urlsafe_b64encode(data).decode()
    assert "-" in text or "_" in text

    body = json.dumps({"message": {"data": text.rstrip("=")}}).encode()
    assert parse_push(body) == PushHint("ann@example.com", 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"message":7}',
        b'{"message":{"data":7}}',
        b'{"message":{"data":"%%%"}}',
        envelope(b"not json"),
        envelope(b"[]"),
        envelope(b"\xff"),
        envelope(b'{"emailAddress":"ann@example.com"}'),
        envelope(b'{"emailAddress":"ann@example.com","historyId":"-1"}'),
        envelope(b'{"emailAddress":"ann@example.com","historyId":true}'),
        envelope(b'{"emailAddress":"ann@example.com","historyId":1e400}'),
        envelope(b'{"emailAddress":"ann@example.com","historyId":"%s"}' % (b"9" * 5000)),
        envelope(b'{"emailAddress":"ann@example.com","historyId":18446744073709551616}'),
        envelope(b'{"emailAddress":"ann\\u0000@example.com","historyId":1}'),
        envelope(b'{"emailAddress":"","historyId":1}'),
        envelope(b'{"emailAddress":["ann@example.com"],"historyId":1}'),
    ],
)
def test_a_body_that_makes_no_sense_is_no_hint(body: bytes) -> None:
    assert parse_push(body) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Basic abc", None),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
    ],
)
def test_the_token_stands_in_the_authorization_header(header: str | None, expected: str | None) -> None:
    assert bearer(header) == expected
