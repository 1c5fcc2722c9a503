"""Secrets at rest (I3)."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from settings import SettingsError
from storage.encryption import DecryptionError, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_secret_is_unreadable_without_a_key() -> None:
    sealed = Vault(NEW).encrypt("1//refresh")
    assert b"refresh" not in sealed
    assert Vault(NEW).decrypt(sealed) == "1//refresh"
    with pytest.raises(DecryptionError, match="put its key back"):
        Vault(OLD).decrypt(sealed)


def test_keys_rotate_the_first_encrypts_and_all_decrypt() -> None:
    sealed_before = Vault(OLD).encrypt("token")
    both = Vault(f"{NEW}, {OLD}")
    assert both.decrypt(sealed_before) == "token"
    assert Vault(NEW).decrypt(both.encrypt("token")) == "token"


@pytest.mark.parametrize("keys", ["", " , ", "not-a-key"])
def test_a_wrong_key_says_what_to_do_and_shows_nothing(keys: str) -> None:
    with pytest.raises(SettingsError, match="TOKEN_ENCRYPTION_KEYS") as refused:
        Vault(keys)
    assert "not-a-key" not in str(refused.value)
    assert NEW not in repr(Vault(NEW))
