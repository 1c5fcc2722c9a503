"""Google's signing keys, made at start: id tokens and push tokens, and the certificates that verify them."""

from __future__ import annotations

import datetime
import json
import secrets
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from devstack.gmail.ids import b64url


class SigningKey:
    """An RSA key with its key id and a self-signed certificate."""

    def __init__(self) -> None:
        self.kid = secrets.token_hex(20)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")]
        )
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=400))
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact RS256 JWT."""
        head = {"alg": "RS256", "kid": self.kid, "typ": "JWT"}
        signed = f"{b64url(json.dumps(head).encode())}.{b64url(json.dumps(claims).encode())}"
        return f"{signed}.{b64url(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def jwk(self) -> dict[str, str]:
        """The public key as a JWK."""
        numbers = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": b64url(numbers.e.to_bytes(3, "big")),
        }


class KeyRing:
    """The published keys, newest first; the newest signs."""

    def __init__(self) -> None:
        self.keys = [SigningKey()]

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign with the newest key."""
        return self.keys[0].sign(claims)

    def rotate(self, *, keep_old: bool = True) -> None:
        """Start signing with a new key; the old one stays published unless told otherwise."""
        self.keys = [SigningKey(), *(self.keys[:1] if keep_old else [])]

    def pem_by_kid(self) -> dict[str, str]:
        """What /oauth2/v1/certs answers."""
        return {key.kid: key.pem for key in self.keys}

    def jwks(self) -> dict[str, Any]:
        """What /oauth2/v3/certs answers."""
        return {"keys": [key.jwk() for key in self.keys]}
