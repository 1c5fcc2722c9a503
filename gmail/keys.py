"""Google's public keys, and JSON Web Tokens that they signed (RFC 7515, RFC 7517; RS256 only).

Serves id tokens of a consent and the tokens of Pub/Sub pushes. Keys are read in both forms that Google
publishes: `/oauth2/v1/certs` (certificates by key id) and `/oauth2/v3/certs` (a JWK set).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httplib2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gmail.errors import Unavailable
from gmail.transport import Http, HttpLike

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
DEFAULT_TTL_S = 3600.0
LONGEST_TTL_S = 24 * 3600.0
UNKNOWN_KEY_PAUSE_S = 10.0
"""An unknown key id fetches the keys anew at most this often, whoever sends us invented ids."""
FAILED_FETCH_PAUSE_S = 1.0
FETCH_TIMEOUT_S = 8.0
"""Below Pub/Sub's 10 s for an answer: whoever waits for keys can still say 503."""
SKEW_S = 10.0
"""How far Google's clock and ours may differ."""
LONGEST_TOKEN = 8192


class BadToken(Exception):
    """A token that Google did not sign, or not for now."""


class CertsUnavailable(Unavailable):
    """Google's keys cannot be fetched, so nothing can be verified."""

    next_step = "The sender should come again."


class GoogleKeys:
    """Keys by id, cached for as long as the answer's Cache-Control allows. Thread-safe."""

    def __init__(
        self,
        certs_uri: str,
        http: HttpLike | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._uri = certs_uri
        self._http = http or Http(read_timeout_s=FETCH_TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fresh_until = 0.0
        self._tried_at = float("-inf")

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, issuer and times hold (audience and rest are the caller's).

        Raises:
            BadToken: forged, expired, not yet valid, of another issuer, or no token at all.
            CertsUnavailable: the keys cannot be had.
        """
        header, claims, signed, signature = _split(token)
        kid = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(kid, str):
            raise BadToken("not signed with RS256 by a named key")
        try:
            self._key(kid).verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise BadToken("the signature is not Google's") from None
        self._check(claims)
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        if claims.get("iss") not in ISSUERS:
            raise BadToken("the issuer is not Google")
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise BadToken("it says nothing of its time")
        if issued > now + SKEW_S:
            raise BadToken("it is not valid yet")
        if expires < now - SKEW_S:
            raise BadToken("it has expired")

    def _key(self, kid: str) -> RSAPublicKey:
        key = self._keys.get(kid)
        if key is not None and self._clock() < self._fresh_until:
            return key
        with self._lock:
            now = self._clock()
            pause = UNKNOWN_KEY_PAUSE_S if self._keys else FAILED_FETCH_PAUSE_S
            stale = now >= self._fresh_until
            if (stale or kid not in self._keys) and now - self._tried_at >= pause:
                self._tried_at = now
                self._fetch(now)
            elif stale:
                raise CertsUnavailable("Google's keys could not be fetched a moment ago.")
            if kid not in self._keys:
                raise BadToken("the key is not one of Google's")
            return self._keys[kid]

    def _fetch(self, now: float) -> None:
        try:
            response, content = self._http.request(
                self._uri, headers={"accept": "application/json", "accept-encoding": "gzip"}
            )
        except Unavailable as error:
            raise CertsUnavailable(f"Google's keys cannot be fetched. {error.what}") from error
        if response.status != 200:
            raise CertsUnavailable(
                f"Google answered {response.status} when asked for its keys.", status=response.status
            )
        try:
            keys = parse_keys(content)
        except ValueError as error:
            raise CertsUnavailable("Google's keys cannot be read.") from error
        self._keys = keys
        self._fresh_until = now + _lifetime(response)


def parse_keys(content: bytes) -> dict[str, RSAPublicKey]:
    """Public keys by key id from either published form; keys that are not RSA are left out.

    Raises:
        ValueError: where it is neither form, or holds no RSA key.
    """
    value = json.loads(content)
    published = value if isinstance(value, dict) else {}
    keys: dict[str, RSAPublicKey] = {}
    if isinstance(published.get("keys"), list):
        for jwk in published["keys"]:
            if isinstance(jwk, dict) and jwk.get("kty") == "RSA":
                exponent, modulus = _number(jwk.get("e")), _number(jwk.get("n"))
                keys[str(jwk.get("kid"))] = RSAPublicNumbers(exponent, modulus).public_key()
    else:
        for kid, pem in published.items():
            key = _from_pem(str(pem).encode())
            if isinstance(key, RSAPublicKey):
                keys[kid] = key
    if not keys:
        raise ValueError("no RSA key")
    return keys


def _from_pem(pem: bytes) -> Any:
    if b"BEGIN CERTIFICATE" in pem:
        return x509.load_pem_x509_certificate(pem).public_key()
    return load_pem_public_key(pem)


def _number(text: Any) -> int:
    return int.from_bytes(_decode(str(text)), "big")


def _lifetime(response: httplib2.Response) -> float:
    match = re.search(r"max-age=(\d+)", response.get("cache-control", ""))
    return min(float(match[1]), LONGEST_TTL_S) if match else DEFAULT_TTL_S


def _split(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise BadToken("it is no JSON Web Token")
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        signed = f"{head}.{body}".encode("ascii")
        mark = _decode(signature)
    except (ValueError, RecursionError):
        raise BadToken("it is no JSON Web Token") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("it is no JSON Web Token")
    return header, claims, signed, mark


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
