"""Grants and tokens: what a user allowed a project, and every token that lives on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from devstack.gmail import ids
from devstack.gmail.methods import FULL

REVOKED = "Token has been expired or revoked."
UNUSED_S = 183 * 86_400
SWEEP_FROM = 10_000  # access tokens
KEPT_S = 2 * 3600  # a token that expires so much earlier than a new one has expired


@dataclass(slots=True)
class AuthCode:
    """A code waiting for its exchange."""

    email: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    challenge_method: str
    offline: bool
    new_refresh: bool
    nonce: str
    expires_at: float
    lasts_s: float = 0.0


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; `dead` is the error description that its use answers."""

    token: str
    email: str
    client_id: str
    project: str
    scopes: tuple[str, ...]
    created_at: float
    dead: str = ""
    expires_at: float = 0.0
    subtype: str = ""
    used_at: float = 0.0

    def forgotten(self, now: float) -> bool:
        """Whether nobody used it for half a year, after which Google ends it ("Refresh token expiration")."""
        return now - max(self.created_at, self.used_at) > UNUSED_S


@dataclass(slots=True)
class AccessToken:
    """A bearer token of a mailbox."""

    email: str
    client_id: str
    project: str
    scopes: frozenset[str]
    expires_at: float
    dead_at: float = 0.0


@dataclass(slots=True)
class Grants:
    """All codes and tokens of the emulator; grants are per user and project."""

    codes: dict[str, AuthCode] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)
    access: dict[str, AccessToken] = field(default_factory=dict)
    consented: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    by_owner: dict[tuple[str, str], list[RefreshToken]] = field(default_factory=dict)
    sweep_at: int = SWEEP_FROM

    def new_refresh(self, code: AuthCode, project: str, now: float, most: int) -> RefreshToken:
        """Mint a refresh token; of more than `most` per account and client the oldest dies silently."""
        token = RefreshToken(ids.token("1//0"), code.email, code.client_id, project, code.scopes, now)
        token.expires_at = now + code.lasts_s if code.lasts_s else 0.0
        self.remember(token)
        alive = [t for t in self.by_owner[(code.email, code.client_id)] if not t.dead]
        for old in alive[: max(0, len(alive) - most)]:
            old.dead = REVOKED
        return token

    def give(self, email: str, client_id: str, project: str, now: float) -> str:
        """A refresh token for all of a mailbox, as if the user had consented long ago."""
        token = RefreshToken(ids.token("1//0"), email, client_id, project, (FULL,), now)
        self.remember(token)
        return token.token

    def remember(self, token: RefreshToken) -> None:
        """Keep a refresh token."""
        self.refresh[token.token] = token
        self.by_owner.setdefault((token.email, token.client_id), []).append(token)

    def new_access(
        self, email: str, client_id: str, project: str, scopes: tuple[str, ...], expires_at: float
    ) -> str:
        """Mint an access token; now and then forget those that ended long before."""
        if len(self.access) >= self.sweep_at:
            limit = expires_at - KEPT_S
            self.access = {key: known for key, known in self.access.items() if known.expires_at > limit}
            self.sweep_at = max(SWEEP_FROM, 2 * len(self.access))
        token = ids.token("ya29.a0", 96)
        self.access[token] = AccessToken(email, client_id, project, frozenset(scopes), expires_at)
        return token

    def kill(
        self, email: str, project: str | None, now: float, *, why: str = REVOKED, access_works_s: float = 0.0
    ) -> int:
        """End all tokens of a user (of one project, or of all); returns how many refresh tokens died."""
        died = 0
        for token in self.refresh.values():
            if token.email == email and project in (None, token.project) and not token.dead:
                token.dead = why
                died += 1
        for access in self.access.values():
            if access.email == email and project in (None, access.project) and not access.dead_at:
                access.dead_at = now + access_works_s
        for key in [key for key in self.consented if key[0] == email and project in (None, key[1])]:
            del self.consented[key]
        return died

    def check(self, token: str, now: float) -> AccessToken | None:
        """The access token when it is alive."""
        access = self.access.get(token)
        if access is None or access.expires_at <= now or (access.dead_at and access.dead_at <= now):
            return None
        return access
