"""Consent: the way to Google's page, and from the code that it gives to a grant.

Protocol: "Using OAuth 2.0 for Web Server Applications", PKCE (RFC 7636), OpenID Connect id tokens.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from gmail import oauth
from gmail.config import GoogleConfig
from gmail.errors import GoogleError, GrantRefused, InvalidRequest, MalformedAnswer
from gmail.keys import BadToken, GoogleKeys
from gmail.oauth import post_form
from gmail.transport import HttpLike

OPENID = "openid"
EMAIL = "email"
MODIFY = "https://www.googleapis.com/auth/gmail.modify"
CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"
OTHER_CONTACTS = "https://www.googleapis.com/auth/contacts.other.readonly"

REQUIRED = (OPENID, EMAIL, MODIFY)
OPTIONAL = (CONTACTS, OTHER_CONTACTS)
REQUESTED = REQUIRED + OPTIONAL

_ALIASES = {
    "https://www.googleapis.com/auth/userinfo.email": EMAIL,
    "https://www.googleapis.com/auth/userinfo.profile": "profile",
}
"""Google grants sign-in scopes under another name than they are asked for."""

_IMPLIES = {"https://mail.google.com/": MODIFY}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a consent gave. `subject` is Google's stable id of the account; its address may change.

    `email` in lower case; `expires_at` of the access token in Unix seconds; `scopes` as granted, normalised.
    """

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: float
    scopes: frozenset[str]
    subject: str
    email: str

    @property
    def contacts(self) -> bool:
        """May we read the user's Google contacts?"""
        return CONTACTS in self.scopes

    @property
    def other_contacts(self) -> bool:
        """May we read the addresses that Google collected by itself?"""
        return OTHER_CONTACTS in self.scopes


class PartialConsent(GoogleError):
    """The user unticked a scope that we need.

    Attributes:
        missing: scopes that lack, in the order of `REQUIRED`.
        token: what to revoke, so that nothing half-connected is left behind.
    """

    next_step = "The consent is given back; the user may try again with every box ticked."

    def __init__(
        self, what: str, *, missing: tuple[str, ...] = (), token: str = "", email: str = "", subject: str = ""
    ) -> None:
        super().__init__(what, mailbox=email)
        self.missing = missing
        self.token = token
        self.email = email
        self.subject = subject


class ExchangeFailed(GoogleError):
    """The code could not be turned into a grant: used twice, expired, or of another client or verifier."""

    next_step = "The user has to start the consent again."


def new_verifier() -> str:
    """A PKCE code verifier: 64 unguessable characters, to be kept with the state."""
    return secrets.token_urlsafe(48)


def challenge(code_verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(code_verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorization_url(
    config: GoogleConfig, state: str, code_verifier: str, login_hint: str | None = None
) -> str:
    """Where to send the browser. Asks for a refresh token each time, and for no scopes of earlier consents.

    `include_granted_scopes` stays out: it would return the union with old grants and hide what was unticked
    now.
    """
    query = {
        "client_id": config.client_id,
        "redirect_uri": config.redirect_uri,
        "response_type": "code",
        "scope": " ".join(REQUESTED),
        "state": state,
        "code_challenge": challenge(code_verifier),
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
    }
    if login_hint:
        query["login_hint"] = login_hint
    return f"{config.auth_uri}{'&' if '?' in config.auth_uri else '?'}{urlencode(query)}"


def normalised(scopes: str | Iterable[str]) -> frozenset[str]:
    """Scopes under the names of this module, from a list or from Google's space-separated text."""
    words = scopes.split() if isinstance(scopes, str) else scopes
    names = {_ALIASES.get(word, word) for word in words}
    return frozenset(names | {_IMPLIES[name] for name in names if name in _IMPLIES})


def missing_scopes(granted: str | Iterable[str]) -> tuple[str, ...]:
    """Required scopes that a grant lacks, in the order of `REQUIRED`."""
    have = normalised(granted)
    return tuple(scope for scope in REQUIRED if scope not in have)


class Consent:
    """Exchanges codes and gives grants back. Thread-safe."""

    def __init__(
        self,
        config: GoogleConfig,
        http: HttpLike,
        keys: GoogleKeys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._http = http
        self._keys = keys
        self._clock = clock

    def authorization_url(self, state: str, code_verifier: str, login_hint: str | None = None) -> str:
        """See the function of the same name."""
        return authorization_url(self._config, state, code_verifier, login_hint)

    def exchange(self, code: str, code_verifier: str) -> Grant:
        """The grant of a code; serves once.

        Raises:
            PartialConsent: a required scope is missing; `error.token` should be revoked.
            ExchangeFailed: the code is not good, or the id token is not Google's or not ours.
            ConfigurationRefused, Unavailable, CertsUnavailable, Throttled: nothing is the user's fault.
        """
        try:
            answer = post_form(
                self._http,
                self._config.token_uri,
                {
                    "client_id": self._config.client_id,
                    "client_secret": self._config.client_secret,
                    "code": code,
                    "code_verifier": code_verifier,
                    "grant_type": "authorization_code",
                    "redirect_uri": self._config.redirect_uri,
                },
                call="oauth.exchange",
            )
        except GoogleError as error:
            if error.reason in ("invalid_grant", "invalid_request"):
                raise ExchangeFailed(error.what, status=error.status, reason=error.reason) from None
            raise
        return self._grant(answer)

    def _grant(self, answer: dict[str, object]) -> Grant:
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        lifetime, id_token = answer.get("expires_in", 3600), answer.get("id_token")
        if not isinstance(access_token, str) or not access_token or not isinstance(lifetime, int | float):
            raise MalformedAnswer("The answer to oauth.exchange has no access token.")
        scopes = normalised(str(answer.get("scope") or ""))
        subject, email = self._who(id_token) if isinstance(id_token, str) else ("", "")
        if missing := missing_scopes(scopes):
            raise PartialConsent(
                f"The consent lacks {', '.join(missing)}.",
                missing=missing,
                token=refresh_token if isinstance(refresh_token, str) and refresh_token else access_token,
                email=email,
                subject=subject,
            )
        if not subject or not email:
            raise ExchangeFailed("Google's answer does not say whose mailbox this is.")
        if not isinstance(refresh_token, str) or not refresh_token:
            raise ExchangeFailed("Google gave no refresh token.")
        return Grant(refresh_token, access_token, self._clock() + lifetime, scopes, subject, email)

    def _who(self, id_token: str) -> tuple[str, str]:
        try:
            claims = self._keys.claims(id_token)
        except BadToken as error:
            raise ExchangeFailed(f"The id token does not hold: {error}.") from None
        if claims.get("aud") != self._config.client_id:
            raise ExchangeFailed("The id token is for another client.")
        return str(claims.get("sub") or ""), str(claims.get("email") or "").strip().lower()

    def refreshed(self, grant: Grant) -> Grant:
        """The grant as Google honours it now, with the refresh token that it may give for the old one.

        Where Google does not answer at the moment, it is taken as it was.

        Raises:
            GrantRefused: it is dead.
        """
        try:
            answer = oauth.refresh(self._http, self._config, grant.refresh_token, grant.email)
        except GrantRefused:
            raise
        except GoogleError:
            return grant
        rotated = answer.get("refresh_token")
        return replace(grant, refresh_token=rotated) if isinstance(rotated, str) and rotated else grant

    def revoke(self, token: str) -> None:
        """Gives the whole grant back, of an access or a refresh token. Already dead is fine.

        A grant is per user and project: this ends every connection of the mailbox.

        Raises:
            Unavailable, Throttled, ConfigurationRefused
        """
        try:
            post_form(self._http, self._config.revoke_uri, {"token": token}, call="oauth.revoke")
        except GrantRefused:
            return
        except InvalidRequest as error:
            if error.reason != "invalid_token":
                raise
        except MalformedAnswer as error:
            if error.status != 200:  # after a 200 the answer's text does not matter
                raise
