"""Connecting, reauthorising and switching over HTTP, with a Google that gives and refuses consent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlmodel import col, select

from crm import connections, consents
from devstack.gmail.control import GmailControl
from devstack.story import eventually
from models import Account, PendingConsent, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState
from tests.api.builders import connected_account
from tests.api.running import RunningApi, Tenant, serve
from tests.devstack.gmail.conftest import start, stop

pytestmark = pytest.mark.servers

RETURN_URL = "https://crm.example/done?tab=email"


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GmailControl]:
    process, control = start(
        "--client-id", "a-client", "--client-secret", "its-secret", folder=tmp_path_factory.mktemp("google")
    )
    yield control
    stop(process, control)


@pytest.fixture(scope="module")
def served(
    google: GmailControl, module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApi]:
    root = google.base_url
    with serve(
        module_database,
        str(tmp_path_factory.mktemp("state")),
        google_auth_uri=f"{root}/o/oauth2/v2/auth",
        google_token_uri=f"{root}/token",
        google_revoke_uri=f"{root}/revoke",
        google_certs_uri=f"{root}/oauth2/v1/certs",
    ) as running:
        yield running


class Person:
    """A user of a tenant, and the Google account that they choose on the consent page."""

    def __init__(self, running: RunningApi, tenant: Tenant, google: GmailControl) -> None:
        self.running, self.tenant, self.google = running, tenant, google
        self.id = tenant.user(f"{new_id('u')}@team.example")["id"]

    def mailbox(self) -> str:
        """A new Gmail address."""
        email = f"{new_id('m')}@gmail.com"
        self.google.create_mailbox(email)
        return email

    def ask(self, path: str = "/v1/accounts/connect", **body: object) -> str:
        """Where to send the browser."""
        answer = self.tenant.api.post(path, json={"return_url": RETURN_URL, **body})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["authorization_url"])

    def come_back(self, url: str, email: str, **how: object) -> dict[str, str]:
        """Give consent as `email`; the parameters with which the browser is back at `return_url`."""
        redirect = self.google.consent(url, email, **how)  # type: ignore[arg-type]
        return self.visit(redirect)

    def visit(self, redirect: str) -> dict[str, str]:
        """Follow Google's redirect to us, once."""
        answer = httpx.get(redirect, timeout=30)
        assert answer.status_code == 302, answer.text
        target = urlsplit(answer.headers["location"])
        assert f"{target.scheme}://{target.netloc}{target.path}" == "https://crm.example/done"
        found = {name: values[0] for name, values in parse_qs(target.query).items()}
        assert found.pop("tab") == "email"
        return found

    def connect(self, email: str) -> str:
        """Connect a mailbox; returns the account's id."""
        return self.come_back(self.ask(user_id=self.id), email)["account_id"]

    def row(self, account_id: str) -> Account:
        with self.running.database.session() as session:
            return session.get_one(Account, account_id)

    def settle(self, account_id: str, state: AccountState = AccountState.ACTIVE) -> None:
        """What the workflow would have written."""
        with self.running.database.session() as session:
            session.get_one(Account, account_id).state = state

    def grants_alive(self, email: str) -> bool:
        """Whether Google still honours a refresh token that we hold for the mailbox."""
        with self.running.database.session() as session:
            sealed = session.exec(
                select(Account.refresh_token_encrypted).where(
                    Account.email == email, col(Account.refresh_token_encrypted).is_not(None)
                )
            ).first()
        assert sealed is not None
        answer = httpx.post(
            f"{self.google.base_url}/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": self.running.context.vault.decrypt(sealed),
                "client_id": "a-client",
                "client_secret": "its-secret",
            },
        )
        return answer.status_code == 200


@pytest.fixture
def ann(running: RunningApi, tenant: Tenant, google: GmailControl) -> Person:
    return Person(running, tenant, google)


def test_s1_a_consent_connects_the_mailbox(ann: Person) -> None:
    email = ann.mailbox()
    account_id = ann.connect(email)
    shown = ann.tenant.api.get(f"/v1/accounts/{account_id}").json()
    assert (shown["email"], shown["state"], shown["user_id"]) == (email, "connecting", ann.id)
    assert ann.running.commands.named("account_consented") == [(account_id,)]
    row = ann.row(account_id)
    assert row.refresh_token_encrypted is not None
    assert ann.grants_alive(email)


def test_a_state_serves_once(ann: Person) -> None:
    email = ann.mailbox()
    redirect = ann.google.consent(ann.ask(user_id=ann.id), email)
    ann.visit(redirect)
    again = httpx.get(redirect)
    assert again.status_code == 400
    assert again.json()["type"].endswith("unknown-state")
    assert "location" not in again.headers


def test_an_unknown_or_old_state_redirects_nowhere(ann: Person) -> None:
    assert httpx.get(f"{ann.running.url}/oauth/google/callback?state=x&code=y").status_code == 400
    assert httpx.get(f"{ann.running.url}/oauth/google/callback").status_code == 400
    redirect = ann.google.consent(ann.ask(user_id=ann.id), ann.mailbox())
    with ann.running.database.session() as session:
        for pending in session.exec(select(PendingConsent).where(PendingConsent.user_id == ann.id)):
            pending.expires_at = now()
    assert httpx.get(redirect).status_code == 400


def test_a_denied_consent_says_so(ann: Person) -> None:
    assert ann.come_back(ann.ask(user_id=ann.id), ann.mailbox(), deny=True) == {"error": "access_denied"}
    assert ann.tenant.api.get("/v1/accounts").json()["items"] == []


def test_s2_a_partial_consent_is_refused_and_given_back(ann: Person) -> None:
    back = ann.come_back(ann.ask(user_id=ann.id), ann.mailbox(), scopes=["openid", "email"])
    assert back == {"error": "missing_scopes"}
    assert ann.tenant.api.get("/v1/accounts").json()["items"] == []
    assert len(ann.google.requests(method="oauth.revoke")) >= 1


def test_s2_a_partial_consent_does_not_end_another_connection(
    ann: Person, running: RunningApi, google: GmailControl
) -> None:
    email = ann.mailbox()
    ann.connect(email)
    eve = Person(running, running.tenant(), google)
    assert eve.come_back(eve.ask(user_id=eve.id), email, scopes=["openid", "email"]) == {
        "error": "missing_scopes"
    }
    assert ann.grants_alive(email)


def test_s23_the_contacts_scope_is_optional(ann: Person) -> None:
    scopes = ["openid", "email", "https://www.googleapis.com/auth/gmail.modify"]
    assert "account_id" in ann.come_back(ann.ask(user_id=ann.id), ann.mailbox(), scopes=scopes)


def test_a_wrong_code_is_an_exchange_that_failed(ann: Person) -> None:
    state = parse_qs(urlsplit(ann.ask(user_id=ann.id)).query)["state"][0]
    assert ann.visit(f"{ann.running.url}/oauth/google/callback?state={state}&code=invented") == {
        "error": "exchange_failed"
    }


def test_one_active_account_per_user(ann: Person) -> None:
    first_url = ann.ask(user_id=ann.id)
    second_url = ann.ask(user_id=ann.id)
    first, second = ann.mailbox(), ann.mailbox()
    account_id = ann.come_back(first_url, first)["account_id"]
    refused = ann.tenant.api.post("/v1/accounts/connect", json={"user_id": ann.id})
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("already-connected")
    assert ann.come_back(second_url, second) == {"error": "already_connected"}
    assert [a["id"] for a in ann.tenant.api.get("/v1/accounts").json()["items"]] == [account_id]


def test_one_mailbox_may_be_connected_by_several_users_and_locations(
    ann: Person, running: RunningApi, google: GmailControl
) -> None:
    email = ann.mailbox()
    others = [Person(running, ann.tenant, google), Person(running, running.tenant(), google)]
    assert len({person.connect(email) for person in (ann, *others)}) == 3


def test_s6_reauthorise_comes_back_with_the_same_account(ann: Person) -> None:
    email = ann.mailbox()
    account_id = ann.connect(email)
    ann.settle(account_id, AccountState.REAUTHORIZATION_REQUIRED)
    before = ann.row(account_id).refresh_token_encrypted
    url = ann.ask(f"/v1/accounts/{account_id}/reauthorize")
    assert email in parse_qs(urlsplit(url).query)["login_hint"]
    assert ann.come_back(url, email) == {"account_id": account_id}
    assert ann.row(account_id).refresh_token_encrypted != before
    assert ann.running.commands.named("account_consented")[-1] == (account_id,)


def test_s6_another_address_is_refused_and_its_grant_given_back(ann: Person) -> None:
    account_id = ann.connect(ann.mailbox())
    before = ann.row(account_id).refresh_token_encrypted
    other = ann.mailbox()
    revoked = len(ann.google.requests(method="oauth.revoke"))
    back = ann.come_back(ann.ask(f"/v1/accounts/{account_id}/reauthorize"), other)
    assert back == {"error": "wrong_account"}
    assert ann.row(account_id).refresh_token_encrypted == before
    assert len(ann.google.requests(method="oauth.revoke")) == revoked + 1


def test_s4_a_switch_to_a_new_address_comes_back_with_the_new_account(ann: Person) -> None:
    old, new = ann.mailbox(), ann.mailbox()
    old_id = ann.connect(old)
    ann.settle(old_id)
    new_id_ = ann.come_back(ann.ask(f"/v1/users/{ann.id}/switch"), new)["account_id"]
    assert new_id_ != old_id
    assert ann.running.commands.named("switch") == [(ann.id, new_id_)]
    with ann.running.database.session() as session:
        assert (
            session.get_one(User, ann.id).active_account_id == old_id
        )  # the workflow decides, not the browser


def test_s4_a_switch_to_the_same_address_is_refused_and_ends_nothing(ann: Person) -> None:
    email = ann.mailbox()
    ann.settle(ann.connect(email))
    assert ann.come_back(ann.ask(f"/v1/users/{ann.id}/switch"), email) == {"error": "already_connected"}
    assert ann.grants_alive(email)


def test_s4_switching_back_needs_no_consent_while_the_grant_lives(ann: Person) -> None:
    old = ann.mailbox()
    paused = ann.connect(old)
    with ann.running.database.session() as session:  # what a switch leaves behind
        session.get_one(Account, paused).state = AccountState.PAUSED
        session.get_one(User, ann.id).active_account_id = None
    active = ann.connect(ann.mailbox())
    switch = f"/v1/users/{ann.id}/switch"
    assert ann.tenant.api.post(switch, json={"account_id": active}).status_code == 202
    assert ann.running.commands.named("switch") == []
    assert ann.tenant.api.post(switch, json={"account_id": paused}).status_code == 202
    assert ann.running.commands.named("switch") == [(ann.id, paused)]
    ann.google.change_password(old)
    dead = ann.tenant.api.post(switch, json={"account_id": paused})
    assert dead.status_code == 409
    assert dead.json()["type"].endswith("reauthorization-required")
    assert ann.row(paused).state == AccountState.REAUTHORIZATION_REQUIRED
    assert len(ann.running.commands.named("switch")) == 1
    assert ann.tenant.api.post(switch, json={"account_id": "acc_unknown"}).status_code == 404


def test_s5_reconnecting_the_same_address_revives_the_account(ann: Person) -> None:
    email = ann.mailbox()
    account_id = ann.connect(email)
    ann.settle(account_id)
    assert ann.tenant.api.post(f"/v1/accounts/{account_id}/disconnect").status_code == 202
    with ann.running.database.session() as session:  # what the workflow does
        account = session.get_one(Account, account_id)
        account.state, account.next_action = AccountState.DISCONNECTED, None
        account.refresh_token_encrypted = account.disconnect_asked_at = None
        session.get_one(User, ann.id).active_account_id = None
    assert ann.tenant.api.post(f"/v1/accounts/{account_id}/reauthorize").status_code == 409
    assert ann.connect(email) == account_id
    assert ann.row(account_id).state == AccountState.CONNECTING


@pytest.mark.parametrize("newer", [False, True], ids=["its own grant is dead", "it has consented anew since"])
def test_s2_a_partial_consent_to_reauthorise_is_given_back_unless_the_account_lives(
    ann: Person, newer: bool
) -> None:
    email = ann.mailbox()
    account_id = ann.connect(email)
    ann.settle(account_id, AccountState.REAUTHORIZATION_REQUIRED)
    with ann.running.database.session() as session:
        row = session.get_one(Account, account_id)
        row.state_changed_at = now() + timedelta(minutes=-1 if newer else 1)
    before = len(ann.google.requests(method="oauth.revoke"))
    back = ann.come_back(ann.ask(f"/v1/accounts/{account_id}/reauthorize"), email, scopes=["openid", "email"])
    assert back == {"error": "missing_scopes"}
    assert len(ann.google.requests(method="oauth.revoke")) - before == (0 if newer else 1)


def test_s5_a_grant_that_another_disconnect_gave_back_meanwhile_is_not_taken(
    ann: Person, running: RunningApi, google: GmailControl
) -> None:
    email = ann.mailbox()
    eve = Person(running, running.tenant(), google)
    lock = connections.lock_of(eve.row(eve.connect(email)).google_sub)
    redirect = google.consent(ann.ask(user_id=ann.id), email)
    asked = google.usage(method="oauth.token")["count"]
    with ThreadPoolExecutor(1) as threads:
        with running.database.alone(lock):
            back = threads.submit(ann.visit, redirect)
            eventually(lambda: google.usage(method="oauth.token")["count"] > asked, "the code is exchanged")
            google.revoke_grant(email)
        assert back.result(30) == {"error": "exchange_failed"}
    assert ann.tenant.api.get("/v1/accounts").json()["items"] == []


def test_a_consent_waits_for_the_disconnect_before_it(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.consent.RELEASE_WAIT_S", 0.2)
    account_id = connected_account(ann.running, ann.tenant, user_id=ann.id)
    ann.tenant.api.post(f"/v1/accounts/{account_id}/disconnect")
    assert ann.running.commands.named("disconnect") == [(account_id,)]
    refused = ann.tenant.api.post("/v1/accounts/connect", json={"user_id": ann.id})
    assert refused.status_code == 503


def test_a_grant_is_not_lost_where_temporal_is_away(ann: Person) -> None:
    redirect = ann.google.consent(ann.ask(user_id=ann.id), ann.mailbox())
    ann.running.commands.away = True
    account_id = ann.visit(redirect)["account_id"]
    assert ann.row(account_id).refresh_token_encrypted is not None


def test_s4_a_switch_is_not_lost_where_temporal_is_away(ann: Person) -> None:
    ann.settle(ann.connect(ann.mailbox()))
    first = ann.google.consent(ann.ask(f"/v1/users/{ann.id}/switch"), ann.mailbox())
    second = ann.google.consent(ann.ask(f"/v1/users/{ann.id}/switch"), ann.mailbox())
    third = ann.google.consent(ann.ask(f"/v1/users/{ann.id}/switch"), ann.mailbox())
    ann.running.commands.away = True
    ann.visit(first)
    wanted = ann.visit(second)["account_id"]
    assert untold(ann) == [wanted], "of two wishes the last one counts"
    ann.running.commands.away = False
    ann.visit(third)
    assert untold(ann) == []


def test_s4_who_switches_by_hand_afterwards_is_not_switched_once_more(ann: Person) -> None:
    active = ann.connect(ann.mailbox())
    ann.settle(active)
    redirect = ann.google.consent(ann.ask(f"/v1/users/{ann.id}/switch"), ann.mailbox())
    ann.running.commands.away = True
    ann.visit(redirect)
    ann.running.commands.away = False
    assert ann.tenant.api.post(f"/v1/users/{ann.id}/switch", json={"account_id": active}).status_code == 202
    assert untold(ann) == []


def untold(ann: Person) -> list[str]:
    """Accounts that the user is still to be switched to."""
    with ann.running.database.session() as session:
        found = consents.untold_switches(session, now() + timedelta(seconds=1))
    return [account_id for user_id, account_id in found if user_id == ann.id]


@pytest.mark.parametrize(
    "return_url",
    [
        "https://evil.example/",
        "https://crm.example.evil.example/",
        "https://user@crm.example/",
        "javascript:alert(1)",
        "//evil.example/x",
        "https:/\\evil.example",
        "/\\evil.example",
        "ftp://crm.example/",
        "https://[",
        "https://crm.example\u2100/",
        " https://crm.example/",
        "https://crm.example:99999999/",
        "/" + "a" * 4000,
    ],
)
def test_a_return_url_leads_only_where_it_may(ann: Person, return_url: str) -> None:
    answer = ann.tenant.api.post("/v1/accounts/connect", json={"user_id": ann.id, "return_url": return_url})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/return_url"
