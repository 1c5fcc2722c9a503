"""Access tokens: when they are refreshed, and what a refusal means."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from gmail.client import Gmail
from gmail.errors import (
    AccessTokenRefused,
    ConfigurationRefused,
    GoogleError,
    GrantCause,
    GrantRefused,
    MalformedAnswer,
    Throttled,
    Unavailable,
)
from gmail.mailbox import Mailbox
from gmail.tokens import AccessTokens, FixedToken
from gmail.transport import Http
from tests.gmail.conftest import ADDRESS
from tests.gmail.scripted import Answer, ScriptedGoogle, refuses, says

pytestmark = pytest.mark.servers

PROFILE = "/gmail/v1/users/me/profile"
EXPIRED = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Keeper:
    """Where refresh tokens are kept."""

    held: dict[str, str | None] = field(default_factory=lambda: {"account-1": "refresh-secret"})

    def read(self, key: str) -> str | None:
        return self.held.get(key)

    def keep(self, key: str, token: str) -> None:
        self.held[key] = token


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def tokens(google: ScriptedGoogle, clock: Clock, keeper: Keeper) -> AccessTokens:
    return AccessTokens(google.config(), Http(), keeper.read, keeper.keep, clock)


def token(name: str, **more: object) -> Answer:
    return says({"access_token": name, "expires_in": 3600, "token_type": "Bearer", **more})


def test_a_token_serves_until_3_min_45_s_before_it_expires(
    google: ScriptedGoogle, tokens: AccessTokens, clock: Clock
) -> None:
    google.on("/token", token("first"), token("second"))
    source = tokens.of("account-1", ADDRESS)

    assert source.access_token() == "first"
    clock.now += 3600 - 226
    assert source.access_token() == "first"
    clock.now += 2
    assert source.access_token() == "second"
    assert google.asked_for("/token")[0].form == {
        "client_id": "client.example",
        "client_secret": "very-secret",
        "refresh_token": "refresh-secret",
        "grant_type": "refresh_token",
    }


def test_eight_threads_make_one_refresh(google: ScriptedGoogle, tokens: AccessTokens) -> None:
    google.on("/token", token("first"), token("second"))
    source, start = tokens.of("account-1"), threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait(30)
        return source.access_token()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"first"}
    assert len(google.asked_for("/token")) == 1


def test_a_token_refused_by_several_at_once_is_refreshed_once(
    google: ScriptedGoogle, tokens: AccessTokens
) -> None:
    google.on("/token", token("first"), token("second"), token("third"))
    source = tokens.of("account-1")
    refused = source.access_token()

    assert [source.access_token(refused) for _ in range(3)] == ["second"] * 3
    assert len(google.asked_for("/token")) == 2


def test_a_rotated_refresh_token_is_kept(
    google: ScriptedGoogle, tokens: AccessTokens, keeper: Keeper
) -> None:
    google.on(
        "/token", token("first", refresh_token="refresh-new"), token("second", refresh_token="refresh-new")
    )

    tokens.access_token("account-1")
    assert keeper.held == {"account-1": "refresh-new"}
    tokens.access_token("account-1", refused="first")
    assert google.asked_for("/token")[1].form["refresh_token"] == "refresh-new"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(EXPIRED, 400), GrantRefused),
        (says({"error": "invalid_client"}, 401), ConfigurationRefused),
        (says({"error": "internal_failure"}, 503), Unavailable),
        (refuses(429, "rateLimitExceeded", "Resource has been exhausted (e.g. check quota)."), Throttled),
        (Answer(fault="drop"), Unavailable),
        (Answer(body=b"<html>sign in to this network</html>"), MalformedAnswer),
        (says({"token_type": "Bearer"}), MalformedAnswer),
    ],
    ids=["revoked", "our client", "503", "429", "dropped", "a captive portal", "no token"],
)
def test_s6_only_a_refused_grant_blames_the_user(
    google: ScriptedGoogle, tokens: AccessTokens, answer: Answer, error: type[GoogleError]
) -> None:
    google.on("/token", answer, token("first"))
    source = tokens.of("account-1", ADDRESS)

    with pytest.raises(GoogleError) as raised:
        source.access_token()

    assert type(raised.value) is error
    assert raised.value.mailbox == ADDRESS
    assert "secret" not in str(raised.value) + repr(raised.value)
    assert source.access_token() == "first"  # the next call asks again


def test_s5_forgotten_credentials_are_no_question_for_google(
    google: ScriptedGoogle, tokens: AccessTokens, keeper: Keeper
) -> None:
    google.on("/token", token("first"))
    tokens.access_token("account-1")
    keeper.held["account-1"] = None
    tokens.forget("account-1")

    with pytest.raises(GrantRefused) as raised:
        tokens.access_token("account-1")

    assert raised.value.cause is GrantCause.NO_TOKEN
    assert len(google.asked_for("/token")) == 1


def test_a_token_of_the_consent_saves_the_first_refresh(
    google: ScriptedGoogle, tokens: AccessTokens, clock: Clock
) -> None:
    tokens.put("account-1", "from-consent", clock.now + 3600)

    assert tokens.access_token("account-1") == "from-consent"
    assert google.asked == []


def test_a_call_refused_with_401_is_asked_once_more_with_a_new_token(
    google: ScriptedGoogle, tokens: AccessTokens, gmail_of: Callable[..., Gmail]
) -> None:
    google.on("/token", token("first"), token("second"))
    google.on(
        PROFILE,
        refuses(401, "authError", "Invalid Credentials"),
        says({"emailAddress": ADDRESS, "historyId": "7"}),
    )
    mailbox = Mailbox(gmail_of(), ADDRESS, tokens.of("account-1", ADDRESS))

    assert mailbox.profile().history_id == 7
    assert [asked.headers["authorization"] for asked in google.asked_for(PROFILE)] == [
        "Bearer first",
        "Bearer second",
    ]


def test_a_refused_new_token_proves_nothing_about_the_grant(
    google: ScriptedGoogle, tokens: AccessTokens, gmail_of: Callable[..., Gmail]
) -> None:
    google.on("/token", token("first"), token("second"))
    google.on(PROFILE, refuses(401, "authError", "Invalid Credentials"))
    mailbox = Mailbox(gmail_of(), ADDRESS, tokens.of("account-1", ADDRESS))

    with pytest.raises(AccessTokenRefused) as raised:
        mailbox.profile()

    assert raised.value.retryable
    assert len(google.asked_for(PROFILE)) == 2


def test_no_secret_is_in_a_representation(google: ScriptedGoogle) -> None:
    shown = repr(google.config()) + repr(FixedToken("access-secret"))

    assert "secret" not in shown.replace("client_secret", "")


def test_s27_a_send_that_waited_in_vain_for_a_token_did_not_leave(
    google: ScriptedGoogle, tokens: AccessTokens, gmail_of: Callable[..., Gmail]
) -> None:
    google.on("/token", Answer(fault="drop"), Answer(503))
    mailbox = Mailbox(gmail_of(), ADDRESS, tokens.of("account-1", ADDRESS))

    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            mailbox.send_draft("r1")
        assert not raised.value.effect_unknown
    assert {asked.path for asked in google.asked} == {"/token"}
