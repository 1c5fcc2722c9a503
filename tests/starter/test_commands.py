"""The operators' commands, over a running API and directly on the database."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from models import Account
from models.states import AccountState
from starter.__main__ import app
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant, serve
from tests.gmail.scripted import says, scripted_google

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def served(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with serve(module_database, str(tmp_path_factory.mktemp("state"))) as running:
        yield running


def call(*arguments: str, **options: str) -> Result:
    """Run a command in a wide terminal."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "300", **options}, input="hello\n")


@dataclass
class Operator:
    """Somebody with a location's key."""

    running: RunningApi
    tenant: Tenant

    def does(self, *arguments: str) -> str:
        """The output of a command that must work."""
        result = self.tries(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def tries(self, *arguments: str) -> Result:
        key = self.tenant.api.headers["authorization"].removeprefix("Bearer ")
        return call("--api", self.running.url, "--key", key, *arguments)


@pytest.fixture
def operator(served: RunningApi) -> Operator:
    served.commands.given.clear()
    return Operator(served, served.tenant())


def test_help_lists_every_command_of_the_contract() -> None:
    shown = call("--help").output
    for command in (
        "connect",
        "switch",
        "disconnect",
        "reauthorize",
        "sync",
        "send",
        "status",
        "why",
        "accounts",
    ):
        assert f" {command} " in shown
    assert " up " in shown


def test_users_and_contacts_are_made_and_listed(operator: Operator) -> None:
    operator.does("user-create", "ann@team.example", "Ann")
    operator.does("contact-create", "Bob", "bob@client.example")
    assert "ann@team.example" in operator.does("users")
    assert "bob@client.example" in operator.does("contacts", "--email", "bob@client.example")
    assert "/session/" in operator.does("session", "ann@team.example")


def test_a_mailbox_is_shown_with_its_state_and_reason(operator: Operator) -> None:
    account = connected_account(operator.running, operator.tenant, email="ann.status@gmail.com")
    with operator.running.database.session() as session:
        row = session.get_one(Account, account)
        row.state, row.reason = AccountState.REAUTHORIZATION_REQUIRED, "The password was changed"
    for shown in (operator.does("accounts"), operator.does("status", "ann.status@gmail.com")):
        assert "reauthorization_required" in shown
        assert "The password was changed" in shown


def test_connect_shows_where_to_send_the_browser(operator: Operator) -> None:
    user = operator.tenant.user()
    shown = operator.does("connect", user["id"], "--wait", "0")
    assert "accounts.google.com" in shown.replace("\n", "")


def test_commands_reach_the_workflows(operator: Operator) -> None:
    user = operator.tenant.user()["id"]
    active = connected_account(operator.running, operator.tenant, user_id=user)
    paused = connected_account(
        operator.running, operator.tenant, user_id=user, state=AccountState.PAUSED, active=False
    )
    operator.does("sync", active, "--wait", "0")
    operator.does("switch", user, "--to", paused, "--wait", "0")
    operator.does("disconnect", active, "--yes", "--wait", "0")
    assert [given[0] for given in operator.running.commands.given] == ["sync_now", "switch", "disconnect"]


def test_why_tells_what_was_decided_and_by_which_rule(operator: Operator) -> None:
    account = connected_account(operator.running, operator.tenant, email="ann.why@gmail.com")
    bob = operator.tenant.contact("bob@client.example")["id"]
    inbound_mail(operator.running, operator.tenant, bob, account_id=account)
    shown = operator.does("why", "ann.why@gmail.com")
    assert "S7" in shown
    assert "a contact wrote" in shown


def test_a_mail_is_sent_shown_and_cancelled(operator: Operator) -> None:
    user = operator.tenant.user()["id"]
    operator.tenant.contact("bob@client.example")
    operator.does(
        "send", user, "--to", "bob@client.example", "--subject", "Offer", "--at", "2100-01-01T09:00:00Z"
    )
    message = operator.tenant.api.get("/v1/search", params={"q": "Offer"}).json()["items"][0]["message"]
    assert message["text"] == "hello\n"
    assert "scheduled" in operator.does("message", message["id"])
    assert "cancelled" in operator.does("cancel", message["id"])


def test_a_changed_rule_is_reviewed_applied_and_undone(operator: Operator) -> None:
    bob = operator.tenant.contact("bob@client.example")["id"]
    account = connected_account(operator.running, operator.tenant, email="ann.review@gmail.com")
    message = inbound_mail(operator.running, operator.tenant, bob, account_id=account)
    with operator.running.database.session() as session:
        row = session.get_one(Account, account)
        row.state = AccountState.PAUSED  # no mailbox has to be asked
    operator.tenant.api.patch(
        f"/v1/locations/{operator.tenant.id}", json={"internal_domains": ["client.example"]}
    )
    shown = operator.does("review", "--domain", "client.example")
    assert re.search(r"Would hide +1\b", shown)
    review = re.findall(r"rev_\w+", shown)[0]
    assert "1 to hide" in operator.does("review-apply", review)
    assert operator.tenant.api.get(f"/v1/messages/{message}").status_code == 404
    assert "applied" in operator.does("reviews")
    assert "1 shown again" in operator.does("review-undo", review)
    assert operator.tenant.api.get(f"/v1/messages/{message}").status_code == 200
    assert "undone" in operator.does("review", "--show", review)
    assert "--domain" in operator.tries("review").output


def test_data_is_exported_and_erased(operator: Operator, tmp_path: Path) -> None:
    operator.tenant.contact("bob@client.example")
    target = tmp_path / "bob.zip"
    operator.does("export", "contact", "bob@client.example", "--to", str(target))
    assert "contact.json" in zipfile.ZipFile(target).namelist()
    assert "Receipt" in operator.does("erase", "contact", "bob@client.example", "--yes")
    assert operator.tenant.api.get("/v1/contacts").json()["items"] == []


def test_errors_say_what_to_do(operator: Operator) -> None:
    missing = operator.tries("status", "nobody@gmail.com")
    assert missing.exit_code == 1
    assert "python -m starter accounts" in missing.output
    away = call("--api", "http://127.0.0.1:9", "--key", "k", "users")
    assert away.exit_code == 1
    assert "make up" in away.output
    keyless = call("--api", operator.running.url, "users", CRM_API_KEY="")
    assert keyless.exit_code == 1
    assert "--key" in keyless.output


def test_without_an_api_the_commands_use_the_database_itself(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "DATABASE_URL": database,
        "STATE_DIR": str(tmp_path),
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "TEMPORAL_ADDRESS": "127.0.0.1:9",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    nothing = call("users")
    assert nothing.exit_code == 1
    assert "location-create" in nothing.output
    assert "API key" in call("location-create", "Acme").output
    assert call("user-create", "ann@team.example").exit_code == 0
    assert "ann@team.example" in call("users").output
    ready = call("ready")
    assert ready.exit_code == 1
    assert "Temporal does not answer" in ready.output


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        ("invalid_grant", "fine", "Google knows the client"),
        ("invalid_client", "wrong", "Google refuses the client"),
    ],
)
def test_the_doctor_tells_a_wrong_client_from_a_right_one(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, state: str, words: str
) -> None:
    with scripted_google() as google:
        google.on("/token", says({"error": error}, 400))
        values = {
            "DATABASE_URL": database,
            "STATE_DIR": str(tmp_path),
            "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "TEMPORAL_ADDRESS": "127.0.0.1:9",
            "GOOGLE_CLIENT_ID": "a-client",
            "GOOGLE_CLIENT_SECRET": "its-secret",
            "GOOGLE_TOKEN_URI": f"{google.url}/token",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        shown = call("doctor").output
    line = next(line for line in shown.splitlines() if "Google client" in line)
    assert state in line
    assert words in line
