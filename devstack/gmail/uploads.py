"""Media upload: simple, multipart and resumable. Google API: "Upload media"."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import compat32
from urllib.parse import urlencode

from devstack.gmail.errors import ApiError, invalid
from devstack.gmail.methods import Method
from devstack.gmail.wire import Json, Request, Response

RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(slots=True)
class Session:
    """A resumable upload that goes on."""

    body: Json
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Uploads:
    """Resumable sessions by upload id."""

    sessions: dict[str, Session] = field(default_factory=dict)

    def take(self, request: Request, method: Method) -> tuple[Json, bytes] | Response:
        """The JSON part and the media of a finished upload, or the answer to a step of a resumable one."""
        kind = request.one("uploadType") or request.headers.get("x-goog-upload-protocol", "")
        if kind == "multipart":
            body, media = read_multipart(request)
        elif kind == "resumable":
            taken = self._resumable(request, method)
            if isinstance(taken, Response):
                return taken
            body, media = taken
        else:
            body, media = {}, request.body
        check_size(len(media), method)
        return body, media

    def _resumable(self, request: Request, method: Method) -> tuple[Json, bytes] | Response:
        upload_id = request.one("upload_id")
        if not upload_id:
            announced = request.headers.get("x-upload-content-length", "0")
            check_size(int(announced) if announced.isdigit() else 0, method)
            upload_id = secrets.token_urlsafe(40)
            self.sessions[upload_id] = Session(read_json(request.body))
            query = urlencode(
                [(k, v) for k, vs in request.query.items() for v in vs] + [("upload_id", upload_id)]
            )
            location = f"http://{request.headers.get('host', 'localhost')}{request.path}?{query}"
            return Response(200, b"", headers=[("Location", location), ("X-GUploader-UploadID", upload_id)])
        session = self.sessions.get(upload_id)
        if session is None:
            return Response(404, b"Not Found", "text/plain")
        span = RANGE.fullmatch(request.headers.get("content-range", ""))
        if span is None:
            session.data = bytearray(request.body)
        elif span[1] is not None:
            if int(span[1]) != len(session.data):
                return self._incomplete(session)
            session.data += request.body
        total = None if span is None or span[3] == "*" else int(span[3])
        if span is not None and (total is None or len(session.data) < total):
            return self._incomplete(session)
        del self.sessions[upload_id]
        return session.body, bytes(session.data)

    @staticmethod
    def _incomplete(session: Session) -> Response:
        headers = [("Range", f"bytes=0-{len(session.data) - 1}")] if session.data else []
        return Response(308, b"", headers=headers)


def check_size(size: int, method: Method) -> None:
    """413 above the method's largest media."""
    if size > method.upload:
        raise ApiError(
            413, f"Request body too large. Max allowed size is {method.upload} bytes.", "uploadTooLarge"
        )


def read_json(body: bytes) -> Json:
    """A JSON object from a body; an empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        raise invalid("Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(value, dict):
        raise invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    return value


def read_multipart(request: Request) -> tuple[Json, bytes]:
    """The JSON part and the media part of multipart/related, the media byte for byte."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    boundary = BytesParser(policy=compat32).parsebytes(head, headersonly=True).get_boundary()
    if not boundary:
        raise invalid("Multipart body has no boundary.")
    mark = b"--" + boundary.encode()
    pieces = (b"\r\n" + request.body).replace(b"\n" + mark, b"\r\n" + mark).split(b"\r\n" + mark)
    parts: list[bytes] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            break
        parts.append(piece.removeprefix(b"\r\n").removeprefix(b"\n").removesuffix(b"\r"))
    if len(parts) != 2:
        raise invalid("Multipart upload needs two parts.")
    return read_json(part_body(parts[0])), part_body(parts[1])


def part_body(part: bytes) -> bytes:
    """What follows a part's header block."""
    found = re.search(rb"\r?\n\r?\n", part)
    if part[:1] in (b"\r", b"\n") or found is None:
        return part.lstrip(b"\r\n")
    return part[found.end() :]
