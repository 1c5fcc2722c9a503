"""Which error an answer of Google's is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gmail import errors
from gmail.answers import classify
from gmail.errors import GoogleError, GrantCause, ThrottleScope

NOW = datetime(2026, 8, 11, 11, 23, 38, tzinfo=UTC).timestamp()


def api(
    code: int, message: str, reason: str = "", domain: str = "global", status: str = "", **more: Any
) -> bytes:
    error: dict[str, Any] = {"code": code, "message": message, **more}
    if reason:
        error["errors"] = [{"message": message, "domain": domain, "reason": reason}]
    if status:
        error["status"] = status
    return json.dumps({"error": error}).encode()


def oauth(error: str, description: str | None = None, **more: str) -> bytes:
    described = {} if description is None else {"error_description": description}
    return json.dumps({"error": error, **described, **more}).encode()


PER_USER = (
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
    "'gmail.googleapis.com' for consumer 'project_number:123'."
)
PER_PROJECT = (
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service "
    "'gmail.googleapis.com' for consumer 'project_number:123'."
)
SCOPES = "Request had insufficient authentication scopes."
ONE_WATCH = "Only one user push notification client allowed per developer (call /stop then try again)"
SYNC_TOKEN = "Sync token is expired. Clear local cache and retry call without the sync token."
NO_TOPIC = "Invalid topicName does not match projects/crm-prod/topics/*"
NO_PUBLISH = (
    "Error sending test message to Cloud PubSub projects/crm/topics/mail : "
    "User not authorized to perform this action."
)

CASES: list[tuple[str, int, bytes, str, type[GoogleError], dict[str, Any]]] = [
    ("units of a mailbox, as 403", 403, api(403, PER_USER, "rateLimitExceeded", "usageLimits"), "messages.get",
     errors.Throttled, {"scope": ThrottleScope.MAILBOX}),
    ("units of a mailbox, as 429", 429, api(429, PER_USER, "rateLimitExceeded", "global", "RESOURCE_EXHAUSTED"),
     "messages.get", errors.Throttled, {"scope": ThrottleScope.MAILBOX}),
    ("units of the project", 403, api(403, PER_PROJECT, "rateLimitExceeded", "usageLimits"), "messages.get",
     errors.Throttled, {"scope": ThrottleScope.PROJECT}),
    ("the project's day", 403, api(403, "Daily Limit Exceeded", "dailyLimitExceeded", "usageLimits"), "messages.get",
     errors.Throttled, {"scope": ThrottleScope.PROJECT_DAY, "retry_after": 3600.0}),
    ("resource exhausted", 429, api(429, "Resource has been exhausted (e.g. check quota).", "rateLimitExceeded"),
     "messages.get", errors.Throttled, {"scope": ThrottleScope.MAILBOX}),
    ("too many at once", 429, api(429, "Too many concurrent requests for user", "rateLimitExceeded"), "messages.get",
     errors.Throttled, {"scope": ThrottleScope.CONCURRENCY}),
    ("user rate with a time, reading", 429,
     api(429, "User-rate limit exceeded.  Retry after 2026-08-11T11:38:38.000Z", "rateLimitExceeded"),
     "messages.get", errors.Throttled, {"scope": ThrottleScope.MAILBOX, "retry_after": 900.0}),
    ("user rate with a time, as 403, sending", 403,
     api(403, "User-rate limit exceeded.  Retry after 2026-08-11T11:38:38.000Z", "userRateLimitExceeded"),
     "drafts.send", errors.Throttled, {"scope": ThrottleScope.SENDING, "retry_after": 900.0}),
    ("a retry time that is over", 429,
     api(429, "User-rate limit exceeded.  Retry after 2026-08-11T11:00:00.000Z (Mail sending)", "rateLimitExceeded"),
     "drafts.send", errors.Throttled, {"scope": ThrottleScope.SENDING, "retry_after": 0.0}),
    ("an unknown usage reason", 403, api(403, "Some quota", "quotaExceeded", "usageLimits"), "messages.list",
     errors.Throttled, {}),
    ("429 in words nobody knows", 429, b"<html>slow down</html>", "messages.list", errors.Throttled, {}),
    ("a retry delay in the details", 429,
     api(429, "Slow", "", "", "RESOURCE_EXHAUSTED", details=[{"retryDelay": "34.5s"}]), "connections.list",
     errors.Throttled, {"retry_after": 34.5}),
    ("revoked", 400, oauth("invalid_grant", "Token has been expired or revoked."), "oauth.refresh",
     errors.GrantRefused, {"cause": GrantCause.EXPIRED_OR_REVOKED}),
    ("account deleted", 400, oauth("invalid_grant", "Account has been deleted"), "oauth.refresh",
     errors.GrantRefused, {"cause": GrantCause.ACCOUNT_DELETED}),
    ("reauthentication policy", 400, oauth("invalid_grant", "reauth related error", error_subtype="invalid_rapt"),
     "oauth.refresh", errors.GrantRefused, {"cause": GrantCause.SIGN_IN_AGAIN}),
    ("generic bad request", 400, oauth("invalid_grant", "Bad Request"), "oauth.refresh",
     errors.GrantRefused, {"cause": GrantCause.UNKNOWN}),
    ("administrator's policy", 400, oauth("admin_policy_enforced", "Access blocked"), "oauth.refresh",
     errors.GrantRefused, {"cause": GrantCause.ADMIN_POLICY}),
    ("administrator blocked the app", 403, api(403, "The domain administrators have disabled it.", "domainPolicy"),
     "messages.get", errors.GrantRefused, {"cause": GrantCause.ADMIN_POLICY}),
    ("our client is unknown", 401, oauth("invalid_client", "The OAuth client was not found."), "oauth.refresh",
     errors.ConfigurationRefused, {}),
    ("our client is deleted", 401, oauth("deleted_client", "The OAuth client was deleted."), "oauth.refresh",
     errors.ConfigurationRefused, {}),
    ("our client may not", 401, oauth("unauthorized_client", "Unauthorized"), "oauth.refresh",
     errors.ConfigurationRefused, {}),
    ("the API is off", 403, api(403, "Gmail API has not been used", "accessNotConfigured", "usageLimits"),
     "messages.get", errors.ConfigurationRefused, {}),
    ("access token", 401, api(401, "Invalid Credentials", "authError", "global", "UNAUTHENTICATED"), "messages.get",
     errors.AccessTokenRefused, {}),
    ("scope", 403, api(403, SCOPES, "insufficientPermissions", "global", "PERMISSION_DENIED"), "messages.get",
     errors.ConsentMissing, {}),
    ("scope, by its text alone", 403, api(403, SCOPES), "connections.list", errors.ConsentMissing, {}),
    ("the metadata scope", 403, api(403, "Metadata scope doesn't allow format FULL", "forbidden"), "messages.get",
     errors.ConsentMissing, {}),
    ("no Gmail", 400, api(400, "Mail service not enabled", "failedPrecondition", "global", "FAILED_PRECONDITION"),
     "getProfile", errors.MailServiceDisabled, {}),
    ("passing precondition", 400, api(400, "Precondition check failed.", "failedPrecondition"), "messages.get",
     errors.Unavailable, {"effect_unknown": False}),
    ("cursor too old", 404, api(404, "Requested entity was not found.", "notFound"), "history.list",
     errors.HistoryExpired, {}),
    ("message gone", 404, api(404, "Requested entity was not found.", "notFound"), "messages.get",
     errors.NotFound, {}),
    ("draft sent already", 400, api(400, "Message not a draft", "invalidArgument"), "drafts.send",
     errors.NotFound, {}),
    ("recipient", 400, api(400, "Invalid To header", "invalidArgument"), "drafts.create", errors.InvalidRequest, {}),
    ("thread id", 400, api(400, "Invalid thread_id value", "invalidArgument"), "drafts.create",
     errors.InvalidRequest, {}),
    ("another topic is watched", 400, api(400, ONE_WATCH, "failedPrecondition"), "watch", errors.WatchConflict, {}),
    ("topic of another project", 400, api(400, NO_TOPIC, "invalidArgument"), "watch",
     errors.ConfigurationRefused, {}),
    ("topic without right", 403, api(403, NO_PUBLISH, "forbidden"), "watch", errors.ConfigurationRefused, {}),
    ("People sync token", 400, api(400, SYNC_TOKEN, "failedPrecondition", "global", "FAILED_PRECONDITION"),
     "connections.list", errors.ExpiredSyncToken, {}),
    ("People sync token, as documented", 400,
     api(400, "x", "", "", "FAILED_PRECONDITION", details=[{"reason": "EXPIRED_SYNC_TOKEN"}]), "connections.list",
     errors.ExpiredSyncToken, {}),
    ("too large", 413, b"<html>too large</html>", "drafts.create", errors.TooLarge, {}),
    ("a bare page of HTML", 400, b"<html>Your client has issued a malformed request</html>", "drafts.create",
     errors.InvalidRequest, {}),
    ("backend error", 500, api(500, "Backend Error", "backendError"), "messages.get", errors.Unavailable, {}),
    ("bad gateway", 502, b"<html>Error 502 (Server Error)!!1</html>", "messages.get", errors.Unavailable, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "status", "body", "call", "error", "has"), CASES, ids=[case[0] for case in CASES]
)
def test_an_answer_becomes_the_error_that_it_means(
    name: str, status: int, body: bytes, call: str, error: type[GoogleError], has: dict[str, Any]
) -> None:
    result = classify(status, body, {}, call=call, mailbox="ann@example.com", now=NOW)

    assert type(result) is error
    assert {key: getattr(result, key) for key in has} == has
    assert result.mailbox == "ann@example.com"
    assert str(result).startswith("ann@example.com: ")
    assert result.next_step in str(result)


def test_the_header_says_when_to_retry_in_seconds_or_as_a_date() -> None:
    body = api(429, "Too many concurrent requests for user", "rateLimitExceeded")

    assert classify(429, body, {"Retry-After": "7"}, now=NOW).retry_after == 7.0
    date = {"retry-after": "Tue, 11 Aug 2026 11:25:38 GMT"}
    assert classify(429, body, date, now=NOW).retry_after == 120.0
    assert classify(429, body, {"retry-after": "soon"}, now=NOW).retry_after is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_after_a_server_error_the_effect_of_a_write_is_unknown(status: int) -> None:
    read, write = classify(status, b""), classify(status, b"", writes=True)

    assert isinstance(read, errors.Unavailable)
    assert isinstance(write, errors.Unavailable)
    assert (read.effect_unknown, write.effect_unknown) == (False, True)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"error":null}', b'{"error":{"errors":"x"}}', b"\xff", b"[" * 99999]
)
def test_no_body_is_too_strange_to_be_classified(body: bytes) -> None:
    assert type(classify(503, body)) is errors.Unavailable
    assert type(classify(404, body, call="history.list")) is errors.HistoryExpired


def test_texts_are_bounded_and_keep_no_page_of_html() -> None:
    long = classify(400, api(400, "word " * 1000, "invalidArgument"))
    page = classify(500, b"<html>secret page</html>")

    assert len(str(long)) < 500
    assert "secret" not in str(page)
