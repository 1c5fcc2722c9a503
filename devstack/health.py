"""Whether a part really works: it answers in its own protocol, not merely that its process is there."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from devstack import temporal
from devstack.process import NotReady, Process


def http(url: str) -> None:
    """A GET must answer 200."""
    # http.client, since what is asked ten times a second must cost nothing, and no proxy of the environment
    # is between.
    where = urlsplit(url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=5)
    try:
        connection.request("GET", where.path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise NotReady(f"GET {url}: {type(error).__name__} {error}") from error
    finally:
        connection.close()
    if status != 200:
        raise NotReady(f"GET {url} answers {status}")


def smtp(host: str, port: int) -> None:
    """The server must greet with 220."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            greeting = connection.recv(512)
            connection.sendall(b"QUIT\r\n")
    except OSError as error:
        raise NotReady(f"SMTP on {host}:{port}: {error}") from error
    if not greeting.startswith(b"220"):
        raise NotReady(f"SMTP on {host}:{port} greets with {greeting[:60]!r}")


def temporal_server(env: Mapping[str, str]) -> None:
    """The server must be serving, and know the namespace and our search attributes."""
    try:
        asyncio.run(asyncio.wait_for(temporal.check(env), 5))
    except TimeoutError as error:
        raise NotReady("Temporal: no answer within 5 s") from error


def worker(env: Mapping[str, str], task_queue: str, process: Process) -> None:
    """The server must have seen this process ask for work."""
    try:
        seen = asyncio.run(asyncio.wait_for(temporal.pollers(env, task_queue), 5))
    except TimeoutError as error:
        raise NotReady("Temporal: no answer within 5 s") from error
    if not any(re.search(rf"(^|\D){process.pid}@", identity) for identity in seen):
        raise NotReady(f"no worker with pid {process.pid} polls task queue {task_queue!r}")
