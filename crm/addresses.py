"""How addresses compare: with contacts exactly, with our own mailboxes as Gmail delivers them."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_REMEMBERED = 8192
"""The rules compare the few addresses of a page with each other many times."""


class InternalFacts(Protocol):
    """What of a location is needed to know its own people (S12)."""

    @property
    def internal_keys(self) -> frozenset[str]: ...

    @property
    def internal_domains(self) -> frozenset[str]: ...


def email_key(email: str) -> str:
    """The form in which two addresses compare: trimmed, lower case."""
    return email.strip().lower()


@lru_cache(_REMEMBERED)
def domain_of(email: str) -> str:
    """What follows the last @, in lower case; empty where there is none."""
    return email_key(email).rpartition("@")[2] if "@" in email else ""


@lru_cache(_REMEMBERED)
def mailbox_key(email: str) -> str:
    """The mailbox behind an address: at gmail.com dots and +tags lead to the same one.

    Only for comparing with mailboxes of ours: of two contacts `jo.doe@gmail.com` and `jodoe@gmail.com` both exist.
    """
    key = email_key(email)
    local, _, domain = key.rpartition("@")
    if domain in _GMAIL_DOMAINS and local:
        return f"{local.partition('+')[0].replace('.', '')}@gmail.com"
    return key


def is_internal(key: str, facts: InternalFacts) -> bool:
    """Is it an address of the location's own people: a user's, an alias, a staff address or domain (S12)?"""
    if mailbox_key(key) in facts.internal_keys:
        return True
    if not facts.internal_domains:
        return False
    domain = domain_of(key)
    return any(domain == own or domain.endswith(f".{own}") for own in facts.internal_domains)
