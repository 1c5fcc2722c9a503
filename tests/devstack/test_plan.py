"""Each embedded part steps aside as soon as its setting points elsewhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack import env_files
from devstack import plan as planning
from devstack.plan import Plan
from devstack.process import PartError


def make(state_dir: Path, **given: str) -> Plan:
    return planning.make(state_dir, given, None, "settings")


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("DATABASE_URL", "postgresql://crm@db.example/crm", "postgres"),
        ("TEMPORAL_ADDRESS", "temporal.example:7233", "temporal"),
        ("TEMPORAL_PROFILE", "cloud", "temporal"),
        ("GMAIL_API_ENDPOINT", "https://gmail.googleapis.com", "gmail"),
        ("SMTP_PROVIDER_URL", "smtps://u:p@smtp.example:465", "catcher"),
    ],
)
def test_a_part_steps_aside_and_the_others_stay(tmp_path: Path, setting: str, value: str, part: str) -> None:
    plan = make(tmp_path, **{setting: value})
    assert plan.embedded == set(planning.EMBEDDED) - {part}
    assert plan.environment[setting] == value


def test_naming_the_embedded_address_does_not_push_the_part_aside(tmp_path: Path) -> None:
    plan = make(
        tmp_path,
        TEMPORAL_PORT="17233",
        TEMPORAL_ADDRESS="localhost:17233",
        GMAIL_EMULATOR_PORT="18100",
        GMAIL_API_ENDPOINT="http://127.0.0.1:18100",
    )
    assert plan.embedded == set(planning.EMBEDDED)


def test_real_google_needs_its_endpoint_alone(tmp_path: Path) -> None:
    plan = make(tmp_path, GMAIL_API_ENDPOINT="https://gmail.googleapis.com", GOOGLE_CLIENT_ID="real")
    assert plan.settings.google_token_uri == "https://oauth2.googleapis.com/token"
    assert plan.settings.google_client_secret.get_secret_value() == ""
    assert plan.settings.pubsub_topic == ""


def test_the_emulator_stands_for_every_address_of_google(tmp_path: Path) -> None:
    settings = make(tmp_path, GMAIL_EMULATOR_PORT="18100", API_PORT="18000").settings
    root = "http://127.0.0.1:18100"
    assert settings.gmail_api_endpoint == settings.people_api_endpoint == root
    for uri in (
        settings.google_auth_uri,
        settings.google_token_uri,
        settings.google_revoke_uri,
        settings.google_certs_uri,
    ):
        assert uri.startswith(root + "/")
    assert settings.public_url == "http://127.0.0.1:18000"
    assert settings.pubsub_push_audience == "http://127.0.0.1:18000/webhooks/gmail"


def test_a_topic_that_is_set_empty_means_no_push(tmp_path: Path) -> None:
    assert make(tmp_path, PUBSUB_TOPIC="").settings.pubsub_topic == ""


def test_an_api_key_of_temporal_reaches_the_parts_and_a_profile_keeps_its_address(tmp_path: Path) -> None:
    plan = make(tmp_path, TEMPORAL_PROFILE="cloud", TEMPORAL_API_KEY="k")
    assert plan.environment["TEMPORAL_API_KEY"] == "k"
    assert "TEMPORAL_ADDRESS" not in plan.environment


def test_what_the_caller_exported_does_not_reach_a_throw_away_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GMAIL_API_ENDPOINT", "https://gmail.googleapis.com")
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
    monkeypatch.setenv("UNDO_WINDOW_S", "30")
    environment = make(tmp_path).environment
    assert environment["GMAIL_API_ENDPOINT"] == "http://127.0.0.1:8100"
    assert "TEMPORAL_API_KEY" not in environment
    assert environment["UNDO_WINDOW_S"] == "0.0"


def test_another_shell_finds_the_parts_in_stack_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import settings

    plan = make(tmp_path, API_PORT="18000")
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    there = settings.load()
    assert there.model_dump() == plan.settings.model_dump()


def test_secrets_are_generated_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = env_files.keep_secrets(tmp_path)
    path = tmp_path / env_files.SECRETS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert env_files.keep_secrets(tmp_path) == first
    path.chmod(0o644)
    env_files.keep_secrets(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["plain", "with space", "it's", 'a"b', "back\\slash", "a#b", "$HOME", ""])
def test_any_value_survives_the_file(tmp_path: Path, value: str) -> None:
    env_files.write(tmp_path / "x.env", {"NAME": value}, "title")
    assert env_files.read(tmp_path / "x.env") == {"NAME": value}


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartError, match="redis"):
        planning.make(tmp_path, {}, {"redis"}, "free")
