"""The application served over HTTP from a thread, with a double that records what the workflows are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from cryptography.fernet import Fernet
from fastapi import FastAPI

import settings
from api.app import create_app
from api.context import Context
from devstack import ports
from storage.database import Database
from workflows.commands import WorkflowsUnavailable

ADMIN_KEY = "the-admins-key"


class RecordedCommands:
    """Takes every command that `Commands` has; `away` makes it refuse as when Temporal is away."""

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []
        self.away = False

    def __getattr__(self, name: str) -> Any:
        async def take(*arguments: Any) -> None:
            if self.away:
                raise WorkflowsUnavailable(name)
            self.given.append((name, *arguments))

        return take

    async def healthy(self) -> bool:
        return not self.away

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each command of a name, in order."""
        return [command[1:] for command in self.given if command[0] == name]


@dataclass
class Tenant:
    """A location and a client that holds its key."""

    id: str
    api: httpx.Client

    def user(self, email: str = "ann@team.example", name: str = "Ann") -> dict[str, Any]:
        return created(self.api.post("/v1/users", json={"email": email, "name": name}))

    def contact(self, *emails: str, name: str = "Bob", **more: Any) -> dict[str, Any]:
        return created(self.api.post("/v1/contacts", json={"name": name, "emails": list(emails), **more}))


def created(answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer that must be a success."""
    assert answer.is_success, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    return body


@dataclass
class RunningApi:
    """The API under test."""

    url: str
    settings: settings.Settings
    app: FastAPI
    commands: RecordedCommands
    database: Database
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def context(self) -> Context:
        context = self.app.state.context
        assert isinstance(context, Context)
        return context

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with a key, or with none."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        self.clients.append(client)
        return client

    def tenant(self, name: str = "A location") -> Tenant:
        """A new location."""
        made = created(self.client(ADMIN_KEY).post("/v1/locations", json={"name": name}))
        return Tenant(made["id"], self.client(made["api_key"]))


@contextmanager
def serve(database_url: str, state_dir: str, **overrides: Any) -> Iterator[RunningApi]:
    """Serve the application until the block ends."""
    port = ports.take_free()
    url = f"http://127.0.0.1:{port}"
    config = settings.load(
        **{
            "database_url": database_url,
            "state_dir": state_dir,
            "admin_api_key": ADMIN_KEY,
            "token_encryption_keys": Fernet.generate_key().decode(),
            "public_url": url,
            "google_client_id": "a-client",
            "google_client_secret": "its-secret",
            "google_token_uri": "http://127.0.0.1:9/token",
            "allowed_return_origins": "https://crm.example",
            **overrides,
        }
    )
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        assert time.monotonic() < deadline, "the API did not start in time"
        time.sleep(0.01)
    commands = RecordedCommands()
    app.state.context.commands = commands
    database = Database(database_url, pool_size=4)
    running = RunningApi(url, config, app, commands, database)
    try:
        yield running
    finally:
        for client in running.clients:
            client.close()
        server.should_exit = server.force_exit = True
        thread.join(15)
        database.close()
        ports.give_back(port)
