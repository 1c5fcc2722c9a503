"""Links that nobody but us can make: an HMAC over all that the link says, with keys of its own."""

from __future__ import annotations

import base64
import hmac
import json

_PURPOSE = b"signed links of mail, version 1"
_BYTES = 18


class Signer:
    """Signs with the first of TOKEN_ENCRYPTION_KEYS, accepts all, so that links outlive a rotation."""

    def __init__(self, keys: str) -> None:
        self._keys = [
            hmac.digest(key.strip().encode(), _PURPOSE, "sha256") for key in keys.split(",") if key.strip()
        ]
        if not self._keys:
            raise ValueError("TOKEN_ENCRYPTION_KEYS is empty")

    def sign(self, *parts: str) -> str:
        """The signature of these parts in this order: 24 characters that fit into a URL."""
        return _signature(self._keys[0], parts)

    def is_valid(self, signature: str, *parts: str) -> bool:
        """Whether one of our keys made this signature for exactly these parts."""
        given = signature.encode()
        return any(hmac.compare_digest(_signature(key, parts).encode(), given) for key in self._keys)

    def __repr__(self) -> str:
        return "Signer(...)"


def _signature(key: bytes, parts: tuple[str, ...]) -> str:
    # As JSON no two lists of parts are the same text.
    digest = hmac.digest(key, json.dumps(parts).encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:_BYTES]).decode()
