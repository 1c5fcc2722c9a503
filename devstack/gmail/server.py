"""A plain HTTP/1.1 server on asyncio: keep-alive, chunked bodies, and connections that can be broken on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs

from devstack.gmail import events
from devstack.gmail.wire import Answer, ConnectionDropped, Request, Response

MAX_HEAD = 65_536
REASONS = {status.value: status.phrase for status in HTTPStatus}

Handler = Callable[[Request], Answer]


@lru_cache(maxsize=1024)
def header_fields(block: bytes) -> Mapping[str, str]:
    """Header fields by lower-case name, for reading alone: a client's requests have the same ones."""
    fields: dict[str, str] = {}
    for line in block.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


@lru_cache(maxsize=1024)
def parameters(query: str) -> dict[str, list[str]]:
    """A query string's parameters, for reading alone: clients ask the same thing of many messages."""
    return parse_qs(query, keep_blank_values=True)


class Connection(asyncio.Protocol):
    """One client connection; requests are answered in order."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.buffer = bytearray()
        self.busy = False
        self.continued = False
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._advance()

    def _advance(self) -> None:
        while not self.busy and self.transport is not None:
            try:
                request = self._take()
            except ValueError:
                self._send(Response(400, b"Bad Request", "text/plain"), keep=False)
                return
            if request is None:
                return
            self._serve(request)

    def _take(self) -> Request | None:
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(self.buffer) > MAX_HEAD:
                raise ValueError("head too long")
            return None
        line, _, fields = bytes(self.buffer[:head_end]).partition(b"\r\n")
        method, target, _version = line.decode("latin-1").split(" ", 2)
        headers = header_fields(fields)
        start = head_end + 4
        if headers.get("expect", "").lower() == "100-continue" and not self.continued and self.transport:
            self.continued = True
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            whole = self.buffer.endswith(
                b"\r\n\r\n"
            )  # before that, looking would cost the square of the size
            taken = take_chunks(self.buffer, start) if whole else None
            if taken is None:
                return None
            body, end = taken
        else:
            end = start + int(headers.get("content-length") or 0)
            if len(self.buffer) < end:
                return None
            body = bytes(self.buffer[start:end])
        del self.buffer[:end]
        self.continued = False
        path, _, query = target.partition("?")
        return Request(method, path, parameters(query) if query else {}, headers, body)

    def _serve(self, request: Request) -> None:
        keep = request.headers.get("connection", "").lower() != "close"
        try:
            answer = self.handler(request)
        except ConnectionDropped:
            self._drop()
            return
        except Exception:  # noqa: BLE001 - a bug here must not end the other connections
            events.failed("request_failed", method=request.method, path=request.path)
            answer = Response(500, b"emulator error", "text/plain")
        if isinstance(answer, Response):
            self._send(answer, keep)
            return
        self.busy = True
        self.task = asyncio.ensure_future(self._finish(answer, keep))

    async def _finish(self, answer: Answer, keep: bool) -> None:
        assert not isinstance(answer, Response)
        try:
            self._send(await answer, keep)
        except ConnectionDropped:
            self._drop()
        except Exception:  # noqa: BLE001 - a bug here must not end the other connections
            events.failed("request_failed")
            self._send(Response(500, b"emulator error", "text/plain"), keep)
        self.busy = False
        self._advance()

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None

    def _send(self, response: Response, keep: bool) -> None:
        transport = self.transport
        if transport is None:
            return
        body = response.body
        head = f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}\r\n"
        if response.status != 204:
            head += f"Content-Type: {response.content_type}\r\nContent-Length: {len(body)}\r\n"
        for name, value in response.headers:
            head += f"{name}: {value}\r\n"
        start = (head + ("\r\n" if keep else "Connection: close\r\n\r\n")).encode()
        if response.cut is not None:
            transport.write(start + body[: response.cut])
            self._drop()
            return
        transport.write(start + body if response.status != 204 else start)
        if not keep:
            self._drop()


def take_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """The body of a chunked request and where it ends; None while it is incomplete."""
    body = bytearray()
    at = start
    while True:
        line_end = buffer.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(bytes(buffer[at:line_end]).split(b";")[0], 16)
        at = line_end + 2
        if size == 0:
            trailer_end = buffer.find(b"\r\n", at)
            while trailer_end > at:
                at = trailer_end + 2
                trailer_end = buffer.find(b"\r\n", at)
            return None if trailer_end < 0 else (bytes(body), trailer_end + 2)
        if len(buffer) < at + size + 2:
            return None
        body += buffer[at : at + size]
        at += size + 2
