"""Errors as problem documents (RFC 9457): each says what happened and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from crm.paging import BadCursor
from logs import place_of
from storage.blobs import BlobStoreAway
from workflows.commands import WorkflowsUnavailable

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
TOO_LARGE = "too-large"


class ProblemDocument(BaseModel):
    """RFC 9457, with `errors` naming the places of a request that are wrong (RFC 6901 pointers)."""

    type: str = Field(examples=["/problems/already-connected"])
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class Problem(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self, status: int, slug: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        """Say what happened.

        Args:
            slug: the end of `type`, the same for every problem of the kind.
            detail: what happened here and what to do, in plain words.
            members: more members of the document.
        """
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = headers
        self.members = members

    def response(self) -> JSONResponse:
        """The answer."""
        document = {
            "type": f"/problems/{self.slug}",
            "title": self.slug.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(document, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """404: unknown, or of another location, which looks the same."""
    return Problem(404, "not-found", f"There is no such {what} in this location.")


def unavailable(detail: str) -> Problem:
    """503: nothing was changed, come again."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": "5"})


def invalid(pointer: str, detail: str) -> Problem:
    """422 about one place of the request."""
    return Problem(
        422, "invalid-request", f"{pointer}: {detail}", errors=[{"pointer": pointer, "detail": detail}]
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = location
    steps = "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"#/{steps}" if where == "body" else f"{where}:{steps}"


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [
        {"pointer": _pointer(tuple(e["loc"])), "detail": str(e["msg"]).removeprefix("Value error, ")}
        for e in error.errors()
    ]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem(422, "invalid-request", f"{first['pointer']}: {first['detail']}{more}", errors=errors)


def _of_status(status: int, detail: str) -> Problem:
    phrase = HTTPStatus(status).phrase
    slug = TOO_LARGE if status == 413 else phrase.lower().replace(" ", "-").replace("'", "")
    texts = {
        404: "There is nothing at this address; /docs lists what there is.",
        405: "This address does not take this method; /docs lists what there is.",
    }
    return Problem(status, slug, texts.get(status) or (detail if detail != phrase else phrase))


def install(app: FastAPI, page: Callable[[Request, Problem], Response | None]) -> None:
    """Make every error of an application a problem document.

    Args:
        page: shows a problem to a person with a browser; None where a program asks.
    """

    @app.exception_handler(Problem)
    async def _(request: Request, error: Problem) -> Response:
        return page(request, error) or error.response()

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error).response()

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        problem = _of_status(error.status_code, str(error.detail))
        problem.headers = dict(error.headers) if error.headers else None
        return page(request, problem) or problem.response()

    @app.exception_handler(BadCursor)
    async def _(_request: Request, error: BadCursor) -> JSONResponse:
        return invalid("query:cursor", f"{error}; start again without a cursor").response()

    @app.exception_handler(WorkflowsUnavailable)
    async def _(request: Request, error: WorkflowsUnavailable) -> Response:
        log.warning("temporal_unavailable", error=str(error))
        problem = unavailable("The workflow service is away; nothing was started. Try again.")
        return page(request, problem) or problem.response()

    async def database_away(request: Request, error: Exception) -> Response:
        log.warning("database_unavailable", error=type(error).__name__)
        problem = unavailable("The database is away; nothing was changed. Try again.")
        return page(request, problem) or problem.response()

    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, database_away)

    @app.exception_handler(BlobStoreAway)
    async def _(request: Request, error: BlobStoreAway) -> Response:
        log.error("blob_store_fails", error=type(error.__cause__).__name__)
        problem = unavailable("Files cannot be stored or read just now; nothing was changed. Try again.")
        return page(request, problem) or problem.response()

    async def unstorable(request: Request, error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not isinstance(error, DataError):
            return await unexpected(request, error)
        return Problem(
            422,
            "invalid-request",
            "The request holds characters that cannot be stored (such as NUL, or half a character).",
        ).response()

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error(
            "request_failed",
            method=request.method,
            route=_route(request),
            error=type(error).__name__,
            where=place_of(error),
        )
        problem = Problem(500, "internal-error", "Something went wrong on our side; it has been logged.")
        return page(request, problem) or problem.response()

    app.add_exception_handler(StatementError, unstorable)
    app.add_exception_handler(UnicodeEncodeError, unstorable)
    app.add_exception_handler(Exception, unexpected)


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "unknown"))
