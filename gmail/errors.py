"""What can go wrong between us and Google: one hierarchy.

Each error says what happened, to which mailbox, and what happens next. `retryable` is True where the same
call may succeed later without anybody doing anything. Texts hold Google's own words (bounded), never tokens,
mail or URLs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

WORDS = 300


class GoogleError(Exception):
    """Google, or the way to it, did not do what we asked.

    Attributes:
        mailbox: the Gmail address that was asked about; empty where none is concerned.
        status: HTTP status, None where there was no answer.
        reason: Google's reason word, such as `rateLimitExceeded` or `invalid_grant`.
        retry_after: seconds that Google asks us to wait, None where it says nothing.
    """

    retryable: ClassVar[bool] = False
    next_step: ClassVar[str] = "Nothing is tried again by itself."

    def __init__(
        self,
        what: str,
        *,
        mailbox: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what[:WORDS]
        self.mailbox = mailbox
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    def about(self, mailbox: str) -> Self:
        """The same error, naming the mailbox."""
        self.mailbox = mailbox
        return self

    def __str__(self) -> str:
        whom = f"{self.mailbox}: " if self.mailbox else ""
        when = f" In {self.retry_after:.0f} s at the earliest." if self.retry_after else ""
        return f"{whom}{self.what} {self.next_step}{when}"


class ThrottleScope(StrEnum):
    """Which limit a throttle is about."""

    MAILBOX = "mailbox"
    CONCURRENCY = "concurrency"
    SENDING = "sending"
    PROJECT = "project"
    PROJECT_DAY = "project_day"
    OWN_BUDGET = "own_budget"


class Throttled(GoogleError):
    """A limit is reached: Google's, or our own budget before it (OWN_BUDGET). Nothing was executed."""

    retryable = True
    next_step = "It waits and is asked again."

    def __init__(
        self,
        what: str,
        *,
        mailbox: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        scope: ThrottleScope = ThrottleScope.MAILBOX,
    ) -> None:
        super().__init__(what, mailbox=mailbox, status=status, reason=reason, retry_after=retry_after)
        self.scope = scope


class GrantCause(StrEnum):
    """Why a grant is refused, as far as Google tells: password change, revocation, expiry look alike."""

    EXPIRED_OR_REVOKED = "expired_or_revoked"
    ACCOUNT_DELETED = "account_deleted"
    ACCOUNT_DISABLED = "account_disabled"
    ADMIN_POLICY = "admin_policy"
    SIGN_IN_AGAIN = "sign_in_again"
    NO_TOKEN = "no_token"
    UNKNOWN = "unknown"


class GrantRefused(GoogleError):
    """The user's grant is dead (OAuth 2.0: `invalid_grant`, or an administrator's policy)."""

    next_step = "Sync stops until the user gives consent again."

    def __init__(
        self,
        what: str,
        *,
        mailbox: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        cause: GrantCause = GrantCause.UNKNOWN,
    ) -> None:
        super().__init__(what, mailbox=mailbox, status=status, reason=reason, retry_after=retry_after)
        self.cause = cause


class AccessTokenRefused(GoogleError):
    """401, also for a freshly refreshed access token; only a refresh proves that a grant is dead."""

    retryable = True
    next_step = "It is asked again with a new access token."


class ConsentMissing(GoogleError):
    """The grant lives but lacks the scope of this call."""

    next_step = "The user has to give consent again, with every box ticked."


class ConfigurationRefused(GoogleError):
    """Our client, project or topic is set up wrongly. No user's fault, no grant is touched."""

    retryable = True
    next_step = "An operator has to correct the Google project's settings; `starter doctor` checks them."


class MailboxGone(GoogleError):
    """There is no mailbox behind the account."""

    next_step = "Sync stops; the account's owner has to look at it in Google."


class MailServiceDisabled(MailboxGone):
    """The Google account has no Gmail (400 failedPrecondition "Mail service not enabled")."""


class HistoryExpired(GoogleError):
    """history.list no longer knows our cursor (404)."""

    next_step = "The gap is filled from the list of messages instead."


class NotFound(GoogleError):
    """The message, draft, thread or attachment is not there (any more, or for some seconds: yet)."""

    next_step = "It counts as gone once a second look agrees."


class InvalidRequest(GoogleError):
    """Google will never accept this request (400 and its relatives); nothing was executed."""

    next_step = "This request is given up."


class TooLarge(InvalidRequest):
    """The request is larger than Google takes."""


class WatchConflict(GoogleError):
    """A watch on another topic of the project is live ("Only one user push notification client")."""

    retryable = True
    next_step = "The other watch is stopped, then ours is set."


class ExpiredSyncToken(GoogleError):
    """A People sync token is older than its 7 days (HTTP 400 on the wire)."""

    next_step = "The contacts are read in full."


class Unavailable(GoogleError):
    """No answer, or a 5xx.

    `effect_unknown`: True where the request may have been executed and changes something.
    """

    retryable = True
    next_step = "It is tried again."

    def __init__(
        self,
        what: str,
        *,
        mailbox: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        effect_unknown: bool = False,
    ) -> None:
        super().__init__(what, mailbox=mailbox, status=status, reason=reason, retry_after=retry_after)
        self.effect_unknown = effect_unknown

    def __str__(self) -> str:
        unknown = " Whether it was executed is unknown." if self.effect_unknown else ""
        return super().__str__() + unknown


class MalformedAnswer(Unavailable):
    """An answer that cannot be read: cut off, not JSON, or without what it must have."""
