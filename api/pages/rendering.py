"""Templates, and the headers that every page has."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.context import Context
from api.pages import words
from api.pages.signing_in import Visitor
from api.problems import Problem

HERE = Path(__file__).parent
STATIC = HERE / "static"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def _version() -> str:
    """Changes with the files, so that browsers fetch them anew."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _machine(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    ago=words.ago, beginning=words.beginning, initials=words.initials, size=words.size, machine=_machine
)
_environment.globals.update(words=words, version=_version())


def page_policy(context: Context) -> str:
    """Content-Security-Policy of the pages: nothing but our own files; forms lead to us or to Google's consent."""
    google = urlsplit(context.settings.google_auth_uri)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "frame-src 'self'",
            f"form-action 'self' {google.scheme}://{google.netloc}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def render(
    context: Context, template: str, visitor: Visitor | None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page, or a part of one."""
    html = _environment.get_template(template).render(visitor=visitor, **values)
    headers = {**HEADERS, "Content-Security-Policy": page_policy(context)}
    return HTMLResponse(html, status, headers)


def problem_page(request: Request, problem: Problem) -> Response | None:
    """A problem for a person with a browser; None where a program asks."""
    if not _a_person_looks(request):
        return None
    context: Context = request.app.state.context
    return render(context, "problem.html", None, problem.status, problem=problem)


def _a_person_looks(request: Request) -> bool:
    path = request.url.path
    is_page = not path.startswith(("/v1/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/openapi"))
    return (
        is_page and "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
    )
