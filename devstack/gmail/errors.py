"""Google's error bodies, with the texts and reasons that its servers send."""

from __future__ import annotations

from typing import Any

from devstack.gmail.wire import Response, as_json

INVALID_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ApiError(Exception):
    """An error answer of the Gmail or People API: HTTP status, `reason`, `message`, `domain`, gRPC status name."""

    def __init__(
        self,
        status: int,
        message: str,
        reason: str,
        *,
        domain: str = "global",
        rpc: str | None = None,
        inner_message: str | None = None,
        extra: dict[str, str] | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.domain = domain
        self.rpc = rpc or STATUS_NAMES.get(status, "UNKNOWN")
        self.inner_message = inner_message or message
        self.extra = extra or {}
        self.details = details
        self.headers = headers or []

    def response(self) -> Response:
        """The HTTP answer as Google writes it."""
        item: dict[str, Any] = {"message": self.inner_message, "domain": self.domain, "reason": self.reason}
        item.update(self.extra)
        error: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "errors": [item],
            "status": self.rpc,
        }
        if self.details:
            error["details"] = self.details
        answer = as_json({"error": error}, self.status)
        answer.headers += self.headers
        return answer


def not_found() -> ApiError:
    """404 for a message, thread, draft, or an expired history id."""
    return ApiError(404, "Requested entity was not found.", "notFound")


def invalid(message: str) -> ApiError:
    """400 INVALID_ARGUMENT with Gmail's text."""
    return ApiError(400, message, "invalidArgument")


def unauthenticated() -> ApiError:
    """401 for an expired, revoked or unknown access token."""
    return ApiError(
        401,
        INVALID_CREDENTIALS,
        "authError",
        inner_message="Invalid Credentials",
        extra={"locationType": "header", "location": "Authorization"},
    )


def login_required() -> ApiError:
    """401 for a call without credentials."""
    return ApiError(
        401,
        INVALID_CREDENTIALS.replace("had invalid", "is missing required").replace(
            "credentials. E", "credential. E"
        ),
        "required",
        inner_message="Login Required.",
        extra={"locationType": "header", "location": "Authorization"},
    )


def insufficient_scopes(method_id: str, service: str = "gmail.googleapis.com") -> ApiError:
    """403 for a call that none of the token's scopes allows."""
    return ApiError(
        403,
        "Request had insufficient authentication scopes.",
        "insufficientPermissions",
        inner_message="Insufficient Permission",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
                "metadata": {"service": service, "method": method_id},
            }
        ],
    )


def forbidden(message: str) -> ApiError:
    """403 that backing off does not cure."""
    return ApiError(403, message, "forbidden")


def precondition(message: str = "Precondition check failed.") -> ApiError:
    """400 FAILED_PRECONDITION."""
    return ApiError(400, message, "failedPrecondition", rpc="FAILED_PRECONDITION")
