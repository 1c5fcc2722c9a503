"""Encryption of tokens and other secrets at rest (I3)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from settings import SettingsError


class DecryptionError(Exception):
    """A stored secret fits none of TOKEN_ENCRYPTION_KEYS: the key that encrypted it is missing there."""


class Vault:
    """The first key encrypts, all decrypt, so that keys can be rotated."""

    def __init__(self, keys: str) -> None:
        """Take `TOKEN_ENCRYPTION_KEYS`: Fernet keys, comma-separated.

        Raises:
            SettingsError: where no key is given or one is no Fernet key.
        """
        parts = [key.strip() for key in keys.split(",") if key.strip()]
        if not parts:
            raise SettingsError(
                "TOKEN_ENCRYPTION_KEYS is empty: set one Fernet key (32 bytes, URL-safe base64), "
                "or start the system with `make up`, which generates one"
            )
        try:
            self._fernet = MultiFernet([Fernet(key) for key in parts])
        except ValueError:
            raise SettingsError(
                "TOKEN_ENCRYPTION_KEYS holds something that is no Fernet key: set keys of 32 bytes in "
                "URL-safe base64, separated by commas"
            ) from None

    def encrypt(self, secret: str) -> bytes:
        """The secret, readable only with one of the keys."""
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, sealed: bytes) -> str:
        """The secret again.

        Raises:
            DecryptionError: where no key fits.
        """
        try:
            return self._fernet.decrypt(bytes(sealed)).decode()
        except InvalidToken:
            raise DecryptionError(
                "a stored secret fits none of TOKEN_ENCRYPTION_KEYS: put its key back into the list"
            ) from None

    def __repr__(self) -> str:
        return "Vault(...)"
