"""Pushes of Gmail that Pub/Sub delivers: is it Google who calls, and what does it hint at.

Protocol: "Authentication for push subscriptions" of Pub/Sub, "Configure push notifications in Gmail API". The
body is not signed and a token may be an hour old, so a push is a hint and nothing more: what changed is read
from Gmail.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, ClassVar

from gmail.config import GoogleConfig
from gmail.errors import GoogleError
from gmail.keys import BadToken, GoogleKeys

LONGEST_ADDRESS = 320
LARGEST_HISTORY_ID = 2**64 - 1


class PushRefused(GoogleError):
    """A request that is no push of our subscription. `answer`: the HTTP status for it."""

    answer: ClassVar[int] = 401
    next_step = "It is refused."


class MissingToken(PushRefused):
    """No bearer token."""


class ForgedToken(PushRefused):
    """A token that Google did not sign, or not for now."""


class WrongAudience(PushRefused):
    """Google's token, but for another receiver than us."""

    answer = 403


class WrongSender(PushRefused):
    """Google's token, but of another service account than our subscription's."""

    answer = 403


@dataclass(frozen=True, slots=True)
class PushHint:
    """Something changed in a mailbox. `email` lower case; `history_id` is never our cursor."""

    email: str
    history_id: int


class PushVerifier:
    """Thread-safe. With keys in the cache a verification takes some 0.1 ms and no I/O."""

    def __init__(self, config: GoogleConfig, keys: GoogleKeys) -> None:
        self._audience = config.push_audience
        self._sender = config.push_service_account.lower()
        self._keys = keys

    def verify(self, token: str | None) -> None:
        """Returns where the token is that of our subscription's push.

        Args:
            token: what stands after "Bearer " (`bearer`), None without one.

        Raises:
            MissingToken, ForgedToken: answer 401.
            WrongAudience, WrongSender: answer 403; also where audience or sender are not set here.
            CertsUnavailable: answer 503, Pub/Sub comes again.
        """
        if not token:
            raise MissingToken("A push came without a token.")
        try:
            claims = self._keys.claims(token)
        except BadToken as error:
            raise ForgedToken(f"A push came with a bad token: {error}.") from None
        if not self._audience or claims.get("aud") != self._audience:
            raise WrongAudience("A push came with a token for another audience.")
        sender = str(claims.get("email") or "").lower()
        if not self._sender or sender != self._sender or claims.get("email_verified") is not True:
            raise WrongSender("A push came from another service account.")


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header, None where it has none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def parse_push(body: bytes) -> PushHint | None:
    """The hint in a push's body (Pub/Sub's envelope), None where it makes no sense."""
    envelope = _object(body)
    message = envelope.get("message")
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, str):
        return None
    try:
        return parse_notification(
            base64.b64decode(data.translate(_URL_SAFE).rstrip("=") + "=" * (-len(data.rstrip("=")) % 4))
        )
    except (binascii.Error, ValueError):
        return None


def parse_notification(data: bytes) -> PushHint | None:
    """The hint in Gmail's own JSON, `{"emailAddress", "historyId"}`; the id is a text or a number."""
    value = _object(data)
    email, history_id = value.get("emailAddress"), _history_id(value.get("historyId"))
    if not isinstance(email, str) or history_id is None:
        return None
    email = email.strip().lower()
    if "@" not in email or len(email) > LONGEST_ADDRESS or not email.isprintable():
        return None
    return PushHint(email, history_id)


_URL_SAFE = str.maketrans("-_", "+/")


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _history_id(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_HISTORY_ID:
        return value
    return None
