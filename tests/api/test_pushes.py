"""Gmail's pushes: verified, and safe with Temporal before 204."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crm import accounts
from models import Account
from models.ids import new_id
from models.states import AccountState
from tests.api.builders import connected_account
from tests.api.running import RunningApi, Tenant, serve
from tests.gmail.scripted import ScriptedGoogle, says, scripted_google
from tests.gmail.signer import Signer

pytestmark = pytest.mark.servers

AUDIENCE, SENDER = "https://crm.example/push", "push@project.iam.gserviceaccount.com"
SIGNER = Signer()


@pytest.fixture(scope="module")
def google() -> Iterator[ScriptedGoogle]:
    with scripted_google() as server:
        yield server


@pytest.fixture(scope="module")
def served(
    google: ScriptedGoogle, module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApi]:
    google.on("/certs", says(SIGNER.pem_by_id()))
    with serve(
        module_database,
        str(tmp_path_factory.mktemp("state")),
        google_certs_uri=f"{google.url}/certs",
        pubsub_push_audience=AUDIENCE,
        pubsub_push_service_account=SENDER,
    ) as running:
        yield running


def token(**claims: Any) -> str:
    return SIGNER.jwt(**{"aud": AUDIENCE, "email": SENDER, "email_verified": True, **claims})


def push(running: RunningApi, mailbox: str, history_id: object = "4711", **claims: Any) -> httpx.Response:
    data = json.dumps({"emailAddress": mailbox, "historyId": history_id}).encode()
    body = {
        "message": {"data": base64.urlsafe_b64encode(data).decode(), "messageId": "1"},
        "subscription": "s",
    }
    headers = {"Authorization": f"Bearer {token(**claims)}"}
    return running.client().post("/webhooks/gmail", json=body, headers=headers)


def test_a_push_wakes_each_account_of_the_mailbox(running: RunningApi, tenant: Tenant) -> None:
    email = f"{new_id('m')}@gmail.com"
    accounts = [connected_account(running, tenant, email=email)]
    accounts.append(connected_account(running, running.tenant(), email=email))
    connected_account(running, running.tenant(), email=email, state=AccountState.DISCONNECTED, active=False)
    assert push(running, email.upper(), 4711).status_code == 204
    assert sorted(running.commands.named("gmail_changed")) == sorted((account, 4711) for account in accounts)


def test_a_push_for_nobody_is_accepted(running: RunningApi) -> None:
    assert push(running, "nobody@gmail.com").status_code == 204
    assert running.commands.given == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b'{"message": {"data": "%%%"}}', b'{"message": 7}']
)
def test_a_body_without_sense_is_accepted(running: RunningApi, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token()}"}
    assert running.client().post("/webhooks/gmail", content=body, headers=headers).status_code == 204


def test_a_missing_or_forged_token_is_refused(running: RunningApi) -> None:
    client = running.client()
    assert client.post("/webhooks/gmail", json={}).status_code == 401
    for forged in ("x", "a.b.c", Signer().jwt(aud=AUDIENCE, email=SENDER, email_verified=True)):
        answer = client.post("/webhooks/gmail", json={}, headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert push(running, "a@gmail.com", iss="https://evil.example").status_code == 401
    assert push(running, "a@gmail.com", exp=1).status_code == 401


def test_a_wrong_audience_or_sender_is_forbidden(running: RunningApi) -> None:
    assert push(running, "a@gmail.com", aud="https://other.example").status_code == 403
    assert push(running, "a@gmail.com", email="other@project.iam.gserviceaccount.com").status_code == 403
    assert push(running, "a@gmail.com", email_verified=False).status_code == 403


def test_a_hint_that_cannot_be_kept_comes_again(running: RunningApi, tenant: Tenant) -> None:
    email = f"{new_id('m')}@gmail.com"
    connected_account(running, tenant, email=email)
    running.commands.away = True
    assert push(running, email).status_code == 503
    running.commands.away = False
    assert push(running, email).status_code == 204
    assert len(running.commands.named("gmail_changed")) == 1


def test_an_account_that_comes_later_hears_of_the_next_push(running: RunningApi, tenant: Tenant) -> None:
    email = f"{new_id('m')}@gmail.com"
    accounts_of_mailbox = {connected_account(running, tenant, email=email)}
    assert push(running, email).status_code == 204
    later = connected_account(running, tenant, email=email, state=AccountState.CONNECTING)
    accounts_of_mailbox.add(later)
    with running.database.session() as session:
        accounts.transition(session, session.get_one(Account, later), AccountState.ACTIVE)
    deadline = time.monotonic() + 30
    while {account for account, _ in running.commands.named("gmail_changed")} != accounts_of_mailbox:
        assert time.monotonic() < deadline, "the new account never heard of a push"
        assert push(running, email).status_code == 204
