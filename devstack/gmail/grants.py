"""Grants and tokens: what a user allowed a project, and every token that lives on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from devstack.gmail import ids

REVOKED = "Token has been expired or revoked."


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

    def new_refresh(self, code: AuthCode, project: str, now: float, most: int) -> RefreshToken:
        """Mint a refresh token; of more than `most` per account and client the oldest dies silently."""
        token = RefreshToken(ids.token("1//0"), code.email, code.client_id, project, code.scopes, now)
        token.expires_at = now + code.lasts_s if code.lasts_s else 0.0
        self.refresh[token.token] = token
        alive = [
            t
            for t in self.refresh.values()
            if t.email == code.email and t.client_id == code.client_id and not t.dead
        ]
        for old in alive[: max(0, len(alive) - most)]:
            old.dead = REVOKED
        return token

    def new_access(
        self, email: str, client_id: str, project: str, scopes: tuple[str, ...], expires_at: float
    ) -> str:
        """Mint an access token."""
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
