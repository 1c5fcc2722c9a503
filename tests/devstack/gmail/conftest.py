"""A real emulator process for each module, and clients for its mailboxes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from devstack.gmail.control import GmailControl

ROOT = Path(__file__).resolve().parents[3]
FULL = "https://mail.google.com/"
web = httpx.Client(timeout=60, verify=False)  # plain http: saves loading the certificates


def start(*options: str, folder: Path) -> tuple[subprocess.Popen[bytes], GmailControl]:
    """Start an emulator on a free port and wait until it answers."""
    port_file = folder / f"port-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "devstack.gmail", "--port", "0", "--port-file", str(port_file), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("the emulator did not start")
        time.sleep(0.01)
    return process, GmailControl(f"http://127.0.0.1:{port_file.read_text()}")


def stop(process: subprocess.Popen[bytes], control: GmailControl) -> None:
    """Stop the emulator as a supervisor would."""
    control.close()
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GmailControl]:
    process, control = start(folder=tmp_path_factory.mktemp("emulator"))
    yield control
    stop(process, control)


@pytest.fixture
def gmail(emulator: GmailControl) -> GmailControl:
    """The module's emulator, emptied and quiet."""
    emulator.clear()
    emulator.reset_behaviour()
    emulator.set_clock_offset(0)
    emulator.configure(push_endpoint="", push_audience="")
    return emulator


class Rest:
    """Plain calls as one mailbox's client."""

    def __init__(self, control: GmailControl, email: str, scopes: list[str] | None = None) -> None:
        token = control.token(email, scopes or [FULL])
        self.http = httpx.Client(
            base_url=f"{control.base_url}/gmail/v1/users/me/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def call(self, verb: str, path: str, *, body: Any = None, expect: int = 200, **query: Any) -> Any:
        """The decoded answer, its status checked."""
        answer = self.http.request(verb, path, params=query, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def get(self, path: str, *, expect: int = 200, **query: Any) -> Any:
        return self.call("GET", path, expect=expect, **query)

    def post(self, path: str, body: Any = None, *, expect: int = 200, **query: Any) -> Any:
        return self.call("POST", path, body=body if body is not None else {}, expect=expect, **query)


def google_client(control: GmailControl, email: str, scopes: list[str] | None = None) -> Any:
    """The unmodified client library, pointed at the emulator."""
    credentials = Credentials(token=control.token(email, scopes or [FULL]))  # type: ignore[no-untyped-call]
    options = {"api_endpoint": control.base_url}
    return build("gmail", "v1", credentials=credentials, client_options=options, cache_discovery=False)
