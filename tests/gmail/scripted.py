"""A server that answers exactly what a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from gmail.config import GoogleConfig

Fault = Literal["", "drop", "cut", "hang"]


@dataclass(frozen=True)
class Answer:
    """One answer. `fault`: close without an answer, cut the body off, or say nothing until the server ends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault = ""


def says(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


def refuses(status: int, reason: str, message: str, domain: str = "global", **headers: str) -> Answer:
    """An error as Google's APIs write it."""
    error = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    return says({"error": error}, status, **headers)


@dataclass(frozen=True)
class Asked:
    """One request that arrived whole."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedGoogle:
    """Answers the n-th request of a path with the n-th answer given for it, then with the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.connections = 0
        self.over = threading.Event()
        self.tls: ssl.SSLContext | None = None
        self._script: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._at_once = 0

    def secure(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from now on."""
        self.tls = context
        self.url = self.url.replace("http://", "https://")

    def on(self, path: str, *answers: Answer) -> None:
        """What to answer to this path from now on."""
        with self._lock:
            self._script[path] = list(answers)

    def asked_for(self, path: str) -> list[Asked]:
        """The requests for a path, in their order."""
        return [asked for asked in list(self.asked) if asked.path == path]

    def enter(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answers = self._script.get(asked.path)
            if not answers:
                return refuses(404, "notFound", "Requested entity was not found.")
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1

    def config(self, **changes: Any) -> GoogleConfig:
        """A configuration that leads every call here."""
        values: dict[str, Any] = {
            "gmail_endpoint": self.url,
            "people_endpoint": self.url,
            "auth_uri": f"{self.url}/auth",
            "token_uri": f"{self.url}/token",
            "revoke_uri": f"{self.url}/revoke",
            "certs_uri": f"{self.url}/certs",
            "client_id": "client.example",
            "client_secret": "very-secret",
            "redirect_uri": "https://crm.example/oauth/google/callback",
            "connect_timeout_s": 5.0,
            "read_timeout_s": 30.0,
        }
        return GoogleConfig(**{**values, **changes})


class Server(ThreadingHTTPServer):
    """Many clients may come at once."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses our certificate or goes away is what some tests want."""


@contextmanager
def scripted_google() -> Iterator[ScriptedGoogle]:
    """A running server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            google.connections += 1
            if google.tls:
                self.request = google.tls.wrap_socket(self.request, server_side=True)
            super().setup()

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = google.enter(Asked(self.command, parts.path, parse_qs(parts.query), headers, body))
            try:
                self.give(answer)
            finally:
                google.leave()

        def give(self, answer: Answer) -> None:
            if answer.fault == "hang":
                google.over.wait(60)
            if answer.fault in ("drop", "hang"):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            missing = 10 if answer.fault == "cut" else 0
            self.send_header("Content-Length", str(len(answer.body) + missing))
            self.end_headers()
            self.wfile.write(answer.body)
            if missing:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = do_PUT = handle_any  # noqa: N815

        def log_message(self, *args: Any) -> None:
            """Tests are quiet."""

    server = Server(("127.0.0.1", 0), Handler)
    google = ScriptedGoogle(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        google.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
