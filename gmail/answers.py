"""Which error an answer of Google's is: one table, read from top to bottom, the first row that fits wins.

Decides on (status, reason, message), never on the status alone: a 403 is a throttle, a missing scope, an
administrator's policy or our own misconfiguration. Sources: "Resolve errors" and "Usage limits" of the Gmail
API, RFC 6749 for the token endpoint, texts from the issue trackers of Google's client libraries.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gmail import errors
from gmail.errors import GoogleError, GrantCause, ThrottleScope

PROJECT_DAY_RETRY_S = 3600.0
"""A project's daily limit ends at midnight Pacific time; asking once an hour needs no time zone."""

_ISO_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer, read. `reasons`: every reason word in it, lower case without underscores."""

    status: int
    message: str
    reason: str
    reasons: frozenset[str]
    retry_delay: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; an empty field fits everything."""

    error: type[GoogleError]
    status: tuple[int, ...] = ()
    reason: tuple[str, ...] = ()
    text: str = ""
    call: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, refusal: Refusal, call: str) -> bool:
        return (
            (not self.status or refusal.status in self.status)
            and (not self.call or call in self.call)
            and (not self.reason or not refusal.reasons.isdisjoint(self.reason))
            and (not self.text or re.search(self.text, refusal.message, re.IGNORECASE) is not None)
        )


_RATE = ("ratelimitexceeded", "userratelimitexceeded", "quotaexceeded", "resourceexhausted")
_GRANT = ("invalidgrant",)

TABLE: tuple[Row, ...] = (
    # The token endpoint. Our client first: it must never look like a user's dead grant.
    Row(
        errors.ConfigurationRefused,
        reason=(
            "invalidclient",
            "unauthorizedclient",
            "deletedclient",
            "disabledclient",
            "redirecturimismatch",
            "unsupportedgranttype",
            "invalidscope",
            "orginternal",
        ),
    ),
    Row(errors.GrantRefused, reason=("adminpolicyenforced",), more={"cause": GrantCause.ADMIN_POLICY}),
    Row(
        errors.GrantRefused, reason=("invalidrapt", "raptrequired"), more={"cause": GrantCause.SIGN_IN_AGAIN}
    ),
    Row(errors.GrantRefused, reason=_GRANT, text=r"deleted", more={"cause": GrantCause.ACCOUNT_DELETED}),
    Row(errors.GrantRefused, reason=_GRANT, text=r"disabled", more={"cause": GrantCause.ACCOUNT_DISABLED}),
    Row(errors.GrantRefused, reason=_GRANT, text=r"admin", more={"cause": GrantCause.ADMIN_POLICY}),
    Row(errors.GrantRefused, reason=_GRANT, text=r"reauth|rapt", more={"cause": GrantCause.SIGN_IN_AGAIN}),
    Row(
        errors.GrantRefused,
        reason=_GRANT,
        text=r"expired|revoked",
        more={"cause": GrantCause.EXPIRED_OR_REVOKED},
    ),
    Row(errors.GrantRefused, reason=_GRANT),
    Row(errors.InvalidRequest, status=(400,), reason=("invalidtoken",), call=("oauth.revoke",)),
    # Limits. "User-rate limit exceeded. Retry after <time>" is what a mailbox gets that sent too much.
    Row(errors.ConfigurationRefused, status=(403,), reason=("accessnotconfigured", "servicedisabled")),
    Row(
        errors.Throttled,
        status=(403, 429),
        reason=("dailylimitexceeded",),
        more={"scope": ThrottleScope.PROJECT_DAY, "retry_after": PROJECT_DAY_RETRY_S},
    ),
    Row(
        errors.Throttled,
        status=(403, 429),
        text=r"too many concurrent requests",
        more={"scope": ThrottleScope.CONCURRENCY},
    ),
    Row(
        errors.Throttled,
        status=(403, 429),
        text=r"\(mail sending\)|daily user sending",
        more={"scope": ThrottleScope.SENDING},
    ),
    Row(
        errors.Throttled,
        status=(403, 429),
        text=r"user-rate limit exceeded",
        call=("messages.send", "drafts.send"),
        more={"scope": ThrottleScope.SENDING},
    ),
    Row(
        errors.Throttled,
        status=(403, 429),
        reason=_RATE,
        text=r"per minute(?! per user)|per day",
        more={"scope": ThrottleScope.PROJECT},
    ),
    Row(errors.Throttled, status=(403, 429), reason=_RATE),
    Row(errors.Throttled, status=(429,)),
    # Access
    Row(errors.AccessTokenRefused, status=(401,)),
    Row(
        errors.ConsentMissing,
        status=(403,),
        reason=("insufficientpermissions", "accesstokenscopeinsufficient", "insufficientscopes"),
    ),
    Row(errors.ConsentMissing, status=(403,), text=r"insufficient.*scope|metadata scope"),
    Row(
        errors.GrantRefused, status=(403,), reason=("domainpolicy",), more={"cause": GrantCause.ADMIN_POLICY}
    ),
    Row(errors.MailServiceDisabled, status=(400, 403), text=r"mail service not enabled"),
    # watch
    Row(errors.WatchConflict, status=(400,), text=r"only one user push notification client"),
    Row(
        errors.ConfigurationRefused,
        status=(400, 403, 404),
        text=r"topic|pub ?/?sub",
        call=("watch",),
    ),
    # People says 400 where one expects 410
    Row(errors.ExpiredSyncToken, reason=("expiredsynctoken",)),
    Row(errors.ExpiredSyncToken, status=(400, 410), text=r"sync token.*(expired|invalid)"),
    # Things that are not there
    Row(errors.HistoryExpired, status=(404,), call=("history.list",)),
    Row(
        errors.NotFound,
        status=(400,),
        text=r"not a draft|already sent|draft not found",
        call=("drafts.send", "drafts.get", "drafts.delete"),
    ),
    Row(errors.NotFound, status=(404, 410)),
    # Passing trouble
    Row(errors.Unavailable, status=(400,), text=r"precondition check failed"),
    Row(errors.Unavailable, status=(409, 412), reason=("aborted", "conflict")),
    Row(errors.TooLarge, status=(413,)),
    Row(errors.TooLarge, status=(400,), text=r"too large|exceeds.*(size|limit)|maximum size"),
    Row(errors.Unavailable, status=(408, *range(500, 600))),
    Row(errors.InvalidRequest),
)


def classify(
    status: int,
    body: bytes | str,
    headers: Mapping[str, str] | None = None,
    *,
    call: str = "",
    mailbox: str = "",
    writes: bool = False,
    now: float | None = None,
) -> GoogleError:
    """The error that an answer other than 2xx stands for.

    Args:
        call: the method asked, such as `history.list`; a 404 means something else there.
        writes: the request changes something, so that after a 5xx its effect is unknown.
        now: Unix time in seconds that absolute retry times are compared with; the clock's where None.
    """
    refusal = read(status, body)
    row = next(row for row in TABLE if row.fits(refusal, call))
    words = refusal.message or "no reason given"
    what = (
        f"Google answered {status} {refusal.reason or ''}".rstrip() + f" to {call or 'a request'}: {words}."
    )
    details: dict[str, Any] = dict(row.more)
    asked = _retry_after(refusal, headers or {}, time.time() if now is None else now)
    if asked is not None:
        details["retry_after"] = asked
    if issubclass(row.error, errors.Unavailable):
        details["effect_unknown"] = writes and (status >= 500 or status == 408)
    return row.error(what, mailbox=mailbox, status=status, reason=refusal.reason, **details)


def read(status: int, body: bytes | str) -> Refusal:
    """Reads an error body: Google's JSON error, OAuth's, or neither (an HTML page: its text is not kept)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(status, "the answer is not JSON", "", frozenset())
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str):
        return _read_oauth(status, error, value)
    if not isinstance(error, dict):
        return Refusal(status, "the answer names no error", "", frozenset())
    return _read_api(status, error)


def _read_oauth(status: int, error: str, value: dict[str, Any]) -> Refusal:
    subtype = value.get("error_subtype")
    words = (error, subtype) if isinstance(subtype, str) else (error,)
    return Refusal(status, _text(value.get("error_description")), error[:100], _normal(words))


def _read_api(status: int, error: dict[str, Any]) -> Refusal:
    first = _dicts(error.get("errors"))
    details = _dicts(error.get("details"))
    words = [item.get("reason") for item in (*first, *details)] + [error.get("status")]
    named = [word for word in words if isinstance(word, str) and word]
    delays = (_seconds(item.get("retryDelay")) for item in details)
    return Refusal(
        status,
        _text(error.get("message")),
        named[0][:100] if named else "",
        _normal(named),
        next((delay for delay in delays if delay is not None), None),
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return " ".join(value.split())[: errors.WORDS].rstrip(".") if isinstance(value, str) else ""


def _normal(words: tuple[str, ...] | list[str]) -> frozenset[str]:
    return frozenset(word.replace("_", "").lower() for word in words)


def _seconds(value: Any) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _retry_after(refusal: Refusal, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait: from the header, the RetryInfo detail, or the time inside the message text."""
    header = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if header.isdigit():
        return float(header)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - now)
        except ValueError:
            pass  # a header that is no date says nothing
    if refusal.retry_delay is not None:
        return refusal.retry_delay
    if match := _ISO_TIME.search(refusal.message):
        moment = datetime.fromisoformat(match[0])
        return max(0.0, moment.astimezone(UTC).timestamp() - now)
    return None
