"""The way to Google: an httplib2-shaped `Http` over kept-alive connections that many threads share.

Stands in for httplib2, which sends a POST a second time when the server closes without an answer, and which
is not thread-safe. This one sends each request once: it never repeats, and follows no redirect. Why it is
built on http.client: docs/decisions/transport.md.
"""

from __future__ import annotations

import gzip
import http.client
import select
import socket
import ssl
import time
import zlib
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

import httplib2

from gmail.errors import MalformedAnswer, Unavailable

IDLE_S = 60.0
"""A connection that idled longer is not used again: it may be dead at a firewall without our knowing."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class HttpLike(Protocol):
    """What google-api-python-client asks of its `http`."""

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[httplib2.Response, bytes]:
        """One request; any status is an answer."""


class Http:
    """Thread-safe. Timeouts in seconds; the read timeout is per read, not for the whole answer."""

    def __init__(
        self, *, connect_timeout_s: float = 5.0, read_timeout_s: float = 60.0, kept_per_host: int = 64
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._kept_per_host = kept_per_host
        self._kept: dict[tuple[str, str], deque[tuple[float, http.client.HTTPConnection]]] = {}

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[httplib2.Response, bytes]:
        """One request, sent at most once; any status is an answer.

        Raises:
            Unavailable: no connection, or no answer; `effect_unknown` where a write may have been executed.
            MalformedAnswer: the answer was cut off or cannot be unpacked.
        """
        parts = urlsplit(uri)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        writes = method not in _READS
        if isinstance(body, str):
            body = body.encode()  # http.client would take Latin-1
        origin = (parts.scheme, parts.netloc)
        connection = self._take(origin) or self._connect(origin)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(
                f"{parts.netloc} gave no answer ({_cause(error)}).", effect_unknown=writes
            ) from error
        try:
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise MalformedAnswer(
                f"The answer of {parts.netloc} was cut off ({_cause(error)}).",
                status=answer.status,
                effect_unknown=writes,
            ) from error
        if answer.will_close:
            connection.close()
        else:
            self._keep(origin, connection)
        return self._response(answer, content, parts.netloc, writes)

    def close(self) -> None:
        """Closes what is kept; the next request opens anew."""
        kept, self._kept = self._kept, {}
        for connections in kept.values():
            for _, connection in connections:
                connection.close()

    def _take(self, origin: tuple[str, str]) -> http.client.HTTPConnection | None:
        """A kept connection that the other side has not closed; the one used last first."""
        kept = self._kept.get(origin)
        while kept:
            try:
                since, connection = kept.pop()
            except IndexError:  # another thread took the last one
                return None
            if time.monotonic() - since < IDLE_S and connection.sock and not _readable(connection.sock):
                return connection
            connection.close()
        return None

    def _keep(self, origin: tuple[str, str], connection: http.client.HTTPConnection) -> None:
        kept = self._kept.setdefault(origin, deque())
        if len(kept) < self._kept_per_host:
            kept.append((time.monotonic(), connection))
        else:
            connection.close()

    def _connect(self, origin: tuple[str, str]) -> http.client.HTTPConnection:
        scheme, netloc = origin
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(netloc, timeout=self._connect_timeout_s, context=_tls())
        else:
            connection = http.client.HTTPConnection(netloc, timeout=self._connect_timeout_s)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise Unavailable(f"{netloc} cannot be reached ({_cause(error)}).") from error
        connection.sock.settimeout(self._read_timeout_s)
        return connection

    @staticmethod
    def _response(
        answer: http.client.HTTPResponse, content: bytes, netloc: str, writes: bool
    ) -> tuple[httplib2.Response, bytes]:
        encoding = answer.getheader("content-encoding", "").lower()
        try:
            if encoding == "gzip":
                content = gzip.decompress(content)
            elif encoding == "deflate":
                content = zlib.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise MalformedAnswer(
                f"The answer of {netloc} cannot be unpacked.", status=answer.status, effect_unknown=writes
            ) from error
        response = httplib2.Response({name.lower(): value for name, value in answer.getheaders()})
        response.status = answer.status
        response.reason = answer.reason
        return response, content


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Reading the certificate authorities takes some 50 ms: once a process, and only where needed."""
    return ssl.create_default_context()


def _readable(sock: socket.socket) -> bool:
    """On an idle connection, something to read means that the other side closed it."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _cause(error: Exception) -> str:
    """The kind of failure, without what the answer said."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__
