"""Batches: many calls in one multipart/mixed request, each with its own answer. Gmail API: "Batching requests"."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import compat32
from urllib.parse import parse_qs, urlsplit

from devstack.gmail.errors import ApiError
from devstack.gmail.server import REASONS
from devstack.gmail.wire import Answer, ConnectionDropped, Request, Response

LIMIT = 100
BLANK = re.compile(rb"\r?\n\r?\n")


def inner_requests(request: Request) -> list[tuple[str, Request]]:
    """(Content-ID, request) of each part; the outer authorization serves parts without one."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    boundary = BytesParser(policy=compat32).parsebytes(head, headersonly=True).get_boundary()
    if not boundary:
        raise ApiError(400, "Failed to parse batch request, error: missing boundary.", "badRequest")
    found: list[tuple[str, Request]] = []
    for piece in (b"\n" + request.body).split(b"\n--" + boundary.encode())[1:]:
        if piece.startswith(b"--"):
            break
        part_head, _, rest = split_blank(piece.lstrip(b"\r\n"))
        part = BytesParser(policy=compat32).parsebytes(part_head + b"\r\n\r\n", headersonly=True)
        found.append((str(part.get("Content-ID") or ""), parse_inner(rest, request)))
    return found


def split_blank(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Split at the first empty line."""
    match = BLANK.search(data)
    if match is None:
        return data, b"", b""
    return data[: match.start()], match.group(), data[match.end() :]


def parse_inner(data: bytes, outer: Request) -> Request:
    """The HTTP request inside a part."""
    head, _, body = split_blank(data.lstrip(b"\r\n"))
    lines = head.decode("latin-1").splitlines() or [""]
    words = lines[0].split(" ")
    if len(words) < 2:
        raise ApiError(400, "Failed to parse batch request, error: bad request line.", "badRequest")
    headers = {"host": outer.headers.get("host", "")}
    if "authorization" in outer.headers:
        headers["authorization"] = outer.headers["authorization"]
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    target = urlsplit(words[1])
    length = headers.get("content-length", "")
    body = body[: int(length)] if length.isdigit() else body.removesuffix(b"\r")
    return Request(words[0], target.path, parse_qs(target.query, keep_blank_values=True), headers, body)


def run(request: Request, handle: Callable[[Request], Answer]) -> Answer:
    """Answer a batch; all parts run at the same time."""
    try:
        parts = inner_requests(request)
        if len(parts) > LIMIT:
            text = f"Inner request count exceeds the limit. Received: {len(parts)}, Limit: {LIMIT}"
            raise ApiError(400, text, "badRequest")
    except ApiError as error:
        return error.response()
    answers: list[Answer] = []
    for _, inner in parts:
        try:
            answers.append(handle(inner))
        except ConnectionDropped:
            answers.append(ApiError(503, "The service is currently unavailable.", "backendError").response())
    names = [name for name, _ in parts]
    if all(isinstance(answer, Response) for answer in answers):
        return assemble(names, [answer for answer in answers if isinstance(answer, Response)])
    return gather(names, answers)


async def gather(names: list[str], answers: list[Answer]) -> Response:
    """Wait for the parts that take time."""

    async def settled(answer: Answer) -> Response:
        if isinstance(answer, Response):
            return answer
        try:
            return await answer
        except ConnectionDropped:
            return ApiError(503, "The service is currently unavailable.", "backendError").response()

    return assemble(names, list(await asyncio.gather(*(settled(answer) for answer in answers))))


def assemble(names: list[str], answers: list[Response]) -> Response:
    """The multipart/mixed answer."""
    boundary = f"batch_{secrets.token_urlsafe(24)}"
    out = bytearray()
    for name, answer in zip(names, answers, strict=True):
        content_id = f"<response-{name.strip('<>')}>"
        out += f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {content_id}\r\n\r\n".encode()
        out += f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Status')}\r\n".encode()
        if answer.status != 204:
            out += f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n".encode()
        out += b"\r\n" + answer.body + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return Response(200, bytes(out), f"multipart/mixed; boundary={boundary}")
