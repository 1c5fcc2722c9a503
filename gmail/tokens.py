"""Access tokens: refreshed when needed, one refresh at a time per grant, shared by all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gmail import oauth
from gmail.config import GoogleConfig
from gmail.errors import GoogleError, GrantCause, GrantRefused, MalformedAnswer
from gmail.transport import HttpLike

REFRESH_BEFORE_EXPIRY_S = 225.0
"""As google-auth does: 3 min 45 s, so that a token outlives the request it is sent with."""


class TokenSource(Protocol):
    """Where a mailbox's calls get their access token."""

    def access_token(self, refused: str | None = None) -> str:
        """A token that is good for some minutes; never the `refused` one.

        Raises:
            GrantRefused, ConfigurationRefused, Unavailable, Throttled
        """


@dataclass(slots=True)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    good_until: float = 0.0


class AccessTokens:
    """All access tokens of this process, by a key of the caller's (an account id).

    Args:
        read_refresh_token: gives the refresh token of a key, None where the credentials are forgotten.
        keep_refresh_token: called with key and token when Google replaced the refresh token.
    """

    def __init__(
        self,
        config: GoogleConfig,
        http: HttpLike,
        read_refresh_token: Callable[[str], str | None],
        keep_refresh_token: Callable[[str, str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._http = http
        self._read_refresh_token = read_refresh_token
        self._keep_refresh_token = keep_refresh_token
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def of(self, key: str, mailbox: str = "") -> TokenSource:
        """The tokens of one grant; `mailbox` is named in errors."""
        return _OneGrant(self, key, mailbox)

    def access_token(self, key: str, *, mailbox: str = "", refused: str | None = None) -> str:
        """See `TokenSource.access_token`."""
        held = self._held.get(key) or self._held.setdefault(key, _Held())
        if held.token and held.token != refused and self._clock() < held.good_until:
            return held.token
        with held.lock:
            if held.token and held.token != refused and self._clock() < held.good_until:
                return held.token  # another thread refreshed while this one waited
            self._refresh(key, mailbox, held)
            return held.token

    def put(self, key: str, token: str, expires_at: float) -> None:
        """Keeps a token got by other means (a code exchange); `expires_at` in Unix seconds."""
        held = self._held.setdefault(key, _Held())
        with held.lock:
            held.token, held.good_until = token, expires_at - REFRESH_BEFORE_EXPIRY_S

    def forget(self, key: str) -> None:
        """After a disconnect, or when a new consent replaced the grant."""
        self._held.pop(key, None)

    def _refresh(self, key: str, mailbox: str, held: _Held) -> None:
        refresh_token = self._read_refresh_token(key)
        if not refresh_token:
            raise GrantRefused(
                "There is no refresh token for this mailbox.", mailbox=mailbox, cause=GrantCause.NO_TOKEN
            )
        held.token = ""
        answer = oauth.refresh(self._http, self._config, refresh_token, mailbox)
        token, lifetime = answer.get("access_token"), answer.get("expires_in", 3600)
        if not isinstance(token, str) or not token or not isinstance(lifetime, int | float):
            raise MalformedAnswer("The answer to oauth.refresh has no access token.", mailbox=mailbox)
        rotated = answer.get("refresh_token")
        if isinstance(rotated, str) and rotated and rotated != refresh_token and self._keep_refresh_token:
            self._keep_refresh_token(key, rotated)
        held.token, held.good_until = token, self._clock() + lifetime - REFRESH_BEFORE_EXPIRY_S


@dataclass(frozen=True, slots=True)
class _OneGrant:
    tokens: AccessTokens
    key: str
    mailbox: str

    def access_token(self, refused: str | None = None) -> str:
        try:
            return self.tokens.access_token(self.key, mailbox=self.mailbox, refused=refused)
        except GoogleError as error:
            raise error.about(self.mailbox) from None


@dataclass(frozen=True, slots=True)
class FixedToken:
    """One access token, as a code exchange gave it: for the first calls before anything is kept."""

    token: str = field(repr=False)

    def access_token(self, refused: str | None = None) -> str:
        if refused == self.token:
            raise GrantRefused("The access token of this consent is refused.")
        return self.token
