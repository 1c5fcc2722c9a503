"""Wrong settings: each is named with what to set instead, nothing secret is quoted, and the exit code is 2."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import api.__main__ as api_process
import inbound.__main__ as inbound_process
import settings
import worker

WRONG = {
    "database_url": ("mysql://crm:hunter2@db/crm", "postgresql://user:password@host:5432/database"),
    "public_url": ("crm.example.com", "https://crm.example.com"),
    "gmail_api_endpoint": ("gmail.googleapis.com", "https://"),
    "smtp_provider_url": ("crm:hunter2@mail.example:587", "smtp://user:password@host:587"),
    "api_port": (99_999, "65535"),
    "app_env": ("prod", "'production'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named_with_what_to_set(name: str) -> None:
    value, advice = WRONG[name]
    with pytest.raises(settings.SettingsError) as wrong:
        settings.load(**{name: value})
    assert f"{name.upper()}: " in str(wrong.value)
    assert advice in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_addresses_as_people_write_them_are_fine() -> None:
    loaded = settings.load(
        database_url="postgres://crm@/crm?host=/var/run/postgresql",
        public_url="http://localhost:8000/",
        smtp_provider_url="",
    )
    assert loaded.public_url == "http://localhost:8000"


KEYS = [{"token_encryption_keys": ""}, {"token_encryption_keys": "hunter2"}]
STORES = [{"blob_store_url": url} for url in ("ftp://files.example", "file:///proc/no/such/folder", "blobs")]


@pytest.mark.parametrize(
    ("process", "wrong"),
    [
        *((process, wrong) for process in (api_process, worker) for wrong in (*KEYS, *STORES)),
        *((inbound_process, wrong) for wrong in STORES),  # the listener encrypts nothing
    ],
)
def test_each_process_ends_with_2_and_says_what_to_do(
    process: object,
    wrong: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fine = {"state_dir": str(tmp_path), "token_encryption_keys": Fernet.generate_key().decode()}
    monkeypatch.setattr(settings, "current", lambda: settings.load(**{**fine, **wrong}))
    monkeypatch.setattr("logs.configure", lambda _: None)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("the server was started"))
    assert process.main() == 2  # type: ignore[attr-defined]
    told = capsys.readouterr().err
    assert told.startswith(next(iter(wrong)).upper())
    assert "set " in told
    assert "Traceback" not in told
    assert "hunter2" not in told


def test_the_api_builds_what_it_works_with_before_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []
    fine = {"state_dir": str(tmp_path), "token_encryption_keys": Fernet.generate_key().decode()}
    monkeypatch.setattr(settings, "current", lambda: settings.load(**fine))
    monkeypatch.setattr("logs.configure", lambda _: None)
    monkeypatch.setattr("uvicorn.run", lambda *_, **options: served.append(options))
    assert api_process.main() == 0
    assert served[0]["log_config"] is None, "the server's own logging prints texts of errors"
    asyncio.set_event_loop(None)
