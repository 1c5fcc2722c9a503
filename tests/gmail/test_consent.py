"""Consent: the address of Google's page, and what its code becomes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gmail import consent
from gmail.consent import CONTACTS, MODIFY, OTHER_CONTACTS, Consent, ExchangeFailed, Grant, PartialConsent
from gmail.errors import ConfigurationRefused, GoogleError, MalformedAnswer, Unavailable
from gmail.keys import CertsUnavailable, GoogleKeys
from gmail.transport import Http
from tests.gmail.scripted import Answer, ScriptedGoogle, refuses, says
from tests.gmail.signer import Signer

pytestmark = pytest.mark.servers

AS_GRANTED = f"openid https://www.googleapis.com/auth/userinfo.email {MODIFY} {CONTACTS} {OTHER_CONTACTS}"

Answers = Callable[..., Answer]


@pytest.fixture
def door(google: ScriptedGoogle, signer: Signer) -> Consent:
    google.on("/certs", says(signer.pem_by_id()))
    http = Http()
    return Consent(google.config(), http, GoogleKeys(f"{google.url}/certs", http), clock=lambda: 1000.0)


@pytest.fixture
def granted(signer: Signer) -> Answers:
    """What the token endpoint says to a good code; an argument of None leaves a member out."""

    def answer(**changes: object) -> Answer:
        value = {
            "access_token": "access-secret",
            "refresh_token": "refresh-secret",
            "expires_in": 3599,
            "scope": AS_GRANTED,
            "id_token": signer.jwt(
                aud="client.example", sub="1070", email="Ann@Example.com", email_verified=True
            ),
            **changes,
        }
        return says({name: member for name, member in value.items() if member is not None})

    return answer


def test_s1_the_page_is_asked_for_offline_access_with_pkce(google: ScriptedGoogle) -> None:
    verifier = consent.new_verifier()
    url = consent.authorization_url(google.config(), "state-1", verifier, login_hint="ann@example.com")

    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert url.startswith(f"{google.url}/auth?")
    assert query == {
        "client_id": "client.example",
        "redirect_uri": "https://crm.example/oauth/google/callback",
        "response_type": "code",
        "scope": f"openid email {MODIFY} {CONTACTS} {OTHER_CONTACTS}",
        "state": "state-1",
        "code_challenge": digest,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": "ann@example.com",
    }


def test_verifiers_are_as_rfc_7636_wants_them_and_never_the_same() -> None:
    verifiers = {consent.new_verifier() for _ in range(100)}

    assert len(verifiers) == 100
    assert all(43 <= len(verifier) <= 128 for verifier in verifiers)
    # RFC 7636, appendix B
    assert (
        consent.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_s1_a_code_becomes_a_grant(google: ScriptedGoogle, door: Consent, granted: Answers) -> None:
    google.on("/token", granted())

    grant = door.exchange("code-1", "verifier-1")

    assert grant == Grant(
        refresh_token="refresh-secret",
        access_token="access-secret",
        expires_at=1000.0 + 3599,
        scopes=frozenset({"openid", "email", MODIFY, CONTACTS, OTHER_CONTACTS}),
        subject="1070",
        email="ann@example.com",
    )
    assert grant.contacts
    assert grant.other_contacts
    assert "secret" not in repr(grant)
    assert google.asked_for("/token")[0].form == {
        "client_id": "client.example",
        "client_secret": "very-secret",
        "code": "code-1",
        "code_verifier": "verifier-1",
        "grant_type": "authorization_code",
        "redirect_uri": "https://crm.example/oauth/google/callback",
    }


def test_s23_contacts_may_be_left_out(google: ScriptedGoogle, door: Consent, granted: Answers) -> None:
    google.on("/token", granted(scope=f"openid email {MODIFY}"))

    grant = door.exchange("code", "verifier")

    assert not grant.contacts
    assert not grant.other_contacts


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        (f"openid email {CONTACTS}", (MODIFY,)),
        (f"openid {MODIFY}", ("email",)),
        ("", ("openid", "email", MODIFY)),
        ("openid email https://www.googleapis.com/auth/gmail.readonly", (MODIFY,)),
    ],
)
def test_s2_an_unticked_scope_is_named_and_the_grant_can_be_given_back(
    google: ScriptedGoogle, door: Consent, granted: Answers, scope: str, missing: tuple[str, ...]
) -> None:
    google.on("/token", granted(scope=scope))

    with pytest.raises(PartialConsent) as raised:
        door.exchange("code", "verifier")

    assert raised.value.missing == missing
    assert raised.value.token == "refresh-secret"
    assert "secret" not in str(raised.value) + repr(raised.value)


def test_full_access_to_mail_includes_what_we_need() -> None:
    assert consent.missing_scopes("openid email https://mail.google.com/") == ()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says({"error": "invalid_grant", "error_description": "Bad Request"}, 400), ExchangeFailed),
        (says({"error": "invalid_client"}, 401), ConfigurationRefused),
        (says({"error": "redirect_uri_mismatch"}, 400), ConfigurationRefused),
        (Answer(503), Unavailable),
        (Answer(fault="drop"), Unavailable),
        (Answer(body=b"<html>"), MalformedAnswer),
    ],
    ids=["code used twice", "our client", "our redirect", "503", "dropped", "html"],
)
def test_an_exchange_that_fails_says_whose_fault_it_is(
    google: ScriptedGoogle, door: Consent, answer: Answer, error: type[GoogleError]
) -> None:
    google.on("/token", answer)

    with pytest.raises(GoogleError) as raised:
        door.exchange("code-secret", "verifier-secret")

    assert type(raised.value) is error
    assert "secret" not in str(raised.value)
    assert len(google.asked_for("/token")) == 1


def test_an_id_token_of_another_client_or_key_says_nothing(
    google: ScriptedGoogle, door: Consent, granted: Answers, signer: Signer
) -> None:
    forger = Signer(signer.kid)
    who: dict[str, Any] = {"sub": "1", "email": "ann@example.com"}
    google.on(
        "/token",
        granted(id_token=signer.jwt(aud="other", **who)),
        granted(id_token=forger.jwt(aud="client.example", **who)),
        granted(id_token=signer.jwt(aud="client.example", exp=1000, **who)),
        granted(id_token=None),
        granted(refresh_token=None),
    )

    for _ in range(5):
        with pytest.raises(ExchangeFailed):
            door.exchange("code", "verifier")


def test_without_googles_keys_nobody_is_blamed(
    google: ScriptedGoogle, door: Consent, granted: Answers
) -> None:
    google.on("/token", granted())
    google.on("/certs", Answer(500))

    with pytest.raises(CertsUnavailable):
        door.exchange("code", "verifier")


def test_revoking_gives_the_grant_back_and_a_dead_one_is_fine(google: ScriptedGoogle, door: Consent) -> None:
    google.on("/revoke", Answer(200), says({"error": "invalid_token"}, 400), Answer(503))

    door.revoke("refresh-1")
    door.revoke("refresh-1")
    with pytest.raises(Unavailable):
        door.revoke("refresh-1")

    assert [asked.form for asked in google.asked_for("/revoke")] == [{"token": "refresh-1"}] * 3


def test_revoking_at_a_wrong_address_is_no_success(google: ScriptedGoogle, door: Consent) -> None:
    google.on("/revoke", refuses(404, "notFound", "Not Found"))

    with pytest.raises(GoogleError):
        door.revoke("refresh-1")
