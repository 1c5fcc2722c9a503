"""How large a request may be: refused with 413 while it comes in, before any of it is worked on."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import TOO_LARGE, Problem

LARGEST_JSON = 8 * 2**20
LARGEST_MAIL = 25 * 2**20 * 4 // 3 + 8 * 2**20
"""25 * 2^20 bytes of attachments as base64, and room for the text."""
MOST_SKIPPED = 256 * 2**20
"""A refused body is read to its end up to here, since many clients listen only once they have sent all."""
_MAIL_PATHS = ("/v1/messages", "/conversations/")


def _limit(path: str) -> int:
    return LARGEST_MAIL if path.startswith(_MAIL_PATHS) else LARGEST_JSON


class BodyLimit:
    """ASGI middleware that bounds the body of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            await _skip(receive)
            await Problem(413, TOO_LARGE, _text(limit), limit=limit).response()(scope, receive, send)
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                if message.get("more_body", False):
                    await _skip(receive)
                raise HTTPException(413, _text(limit))
            return message

        await self.app(scope, counting, send)


async def _skip(receive: Receive) -> None:
    skipped = 0
    while skipped < MOST_SKIPPED:
        message = await receive()
        skipped += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _text(limit: int) -> str:
    what = "attachments of 25 MB (26,214,400 bytes) together" if limit == LARGEST_MAIL else f"{limit:,} bytes"
    return f"The request is too large: at most {what} are taken. Nothing was done."
