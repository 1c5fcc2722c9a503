"""HTTP values: what a request and an answer are inside the emulator."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import PydanticSerializationError, to_json

Json = dict[str, Any]
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ConnectionDropped(Exception):
    """Close the connection without an answer, as a broken network would."""


@dataclass(slots=True)
class Request:
    """One HTTP request; header names are lower-case, `path` is percent-decoded by segment where needed."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        """All values of a repeatable query parameter."""
        return self.query.get(name, [])

    def form(self) -> dict[str, list[str]]:
        """The fields of an urlencoded body."""
        return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(slots=True)
class Response:
    """One HTTP answer; `cut` sends only so many bytes of the body and then closes the connection."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    cut: int | None = None


Answer = Response | Awaitable[Response]


def as_json(value: Any, status: int = 200) -> Response:
    """An answer with a JSON body; half of a surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
    try:
        return Response(status, to_json(value))  # a quarter of the cost of `json`, and most of a get is JSON
    except PydanticSerializationError:
        return Response(status, _ENCODER.encode(value).encode("utf-8", "replace"))


def as_html(text: str, status: int = 200) -> Response:
    """An answer with an HTML page."""
    return Response(status, text.encode(), "text/html; charset=utf-8")


def redirect(location: str) -> Response:
    """302 to `location`."""
    return Response(302, b"", "text/html; charset=utf-8", [("Location", location)])
