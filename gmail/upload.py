"""A mail as media upload (Gmail API: "Upload attachments", multipart form).

Built here because google-api-python-client cannot: it runs the mail through email.generator, which fails on any byte
above 127 inside message/rfc822, and it keeps `https` whatever the endpoint's scheme is.
"""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from googleapiclient.http import HttpRequest


def as_upload(request: HttpRequest, described: dict[str, Any], raw: bytes, endpoint: str) -> HttpRequest:
    """The same call with `raw` beside its JSON instead of inside it.

    Args:
        request: the call as built for JSON.
        described: its body without the mail.
        endpoint: Gmail's root; uploads go to `/upload` and the call's own path there.
    """
    parts = urlsplit(request.uri)
    boundary = f"mail-{secrets.token_hex(16)}"
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            json.dumps(described).encode(),
            f"\r\n--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n".encode(),
            raw,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    return HttpRequest(
        request.http,
        request.postproc,
        f"{endpoint}/upload{parts.path}?uploadType=multipart&{parts.query}",
        method=request.method,
        body=body,
        headers={**request.headers, "content-type": f'multipart/related; boundary="{boundary}"'},
        methodId=request.methodId,
    )
