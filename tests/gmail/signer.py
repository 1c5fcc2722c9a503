"""Signs tokens as Google does, with keys that are made when the tests start."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Signer:
    """One key of Google's with its id."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self._key = generate_private_key(65537, 2048)

    def jwt(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token good for an hour; a claim of None is left out."""
        now = int(time.time())
        body = {"iss": "https://accounts.google.com", "iat": now, "exp": now + 3600, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        head = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **(header or {})}
        signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(body).encode())}"
        return f"{signed}.{_text(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def pem_by_id(self) -> dict[str, str]:
        """As /oauth2/v1/certs publishes it."""
        return {self.kid: self.certificate().decode()}

    def certificate(self) -> bytes:
        """The key's own certificate for 127.0.0.1, as PEM."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=7))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
            )
            .sign(self._key, SHA256())
        )
        return certificate.public_bytes(Encoding.PEM)

    def private_key(self) -> bytes:
        """For a server of the tests, as PEM."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def jwks(self) -> dict[str, Any]:
        """As /oauth2/v3/certs publishes it."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kid": self.kid,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }
        return {"keys": [key]}
