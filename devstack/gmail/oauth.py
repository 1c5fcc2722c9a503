"""Google's OAuth: consent page, code exchange with PKCE, refresh, revoke, certificates."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from devstack.gmail import ids
from devstack.gmail.behaviour import Client
from devstack.gmail.errors import unauthenticated
from devstack.gmail.grants import AuthCode
from devstack.gmail.mailbox import Mailbox
from devstack.gmail.pages import page
from devstack.gmail.wire import Request, Response, as_html, as_json, redirect
from devstack.gmail.world import World

SIGN_IN = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
    "openid": "openid",
}
SIGN_IN_SCOPES = frozenset(SIGN_IN.values())
CODE_LIFE_S = 600


def token_error(code: str, description: str, status: int = 400, subtype: str = "") -> Response:
    """An error of the token endpoint."""
    body = {"error": code, "error_description": description}
    if subtype:
        body["error_subtype"] = subtype
    return as_json(body, status)


def asked_scopes(text: str) -> list[str]:
    """The scopes of an authorization request, aliases resolved, in order."""
    return list(dict.fromkeys(SIGN_IN.get(scope, scope) for scope in text.split()))


def with_params(uri: str, params: dict[str, str]) -> str:
    """`uri` with query parameters added."""
    parts = urlsplit(uri)
    query = "&".join(filter(None, [parts.query, urlencode(params)]))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


class OAuth:
    """The authorization server."""

    def __init__(self, world: World) -> None:
        self.world = world

    # --- consent

    def authorize_page(self, request: Request) -> Response:
        """GET /o/oauth2/v2/auth: account choice and scopes to tick."""
        query = {name: values[-1] for name, values in request.query.items()}
        problem = self.check_request(query)
        if problem is not None:
            return problem
        scopes = [scope for scope in asked_scopes(query.get("scope", "")) if scope not in SIGN_IN_SCOPES]
        accounts = sorted(self.world.mailboxes.values(), key=lambda mailbox: mailbox.email)[:200]
        hint = query.get("login_hint", "").lower()
        chosen = next((m.email for m in accounts if m.email.lower() == hint or m.sub == hint), "")
        return as_html(
            page(
                "consent.html",
                query=query,
                scopes=scopes,
                accounts=accounts,
                chosen=chosen or (accounts[0].email if accounts else ""),
                checked=not self.world.behaviour.scopes_start_unchecked,
                sign_in=[scope for scope in asked_scopes(query.get("scope", "")) if scope in SIGN_IN_SCOPES],
            )
        )

    def authorize_submit(self, request: Request) -> Response:
        """POST of the consent form: redirects to the client with a code or an error."""
        form = request.form()
        query = {name: values[-1] for name, values in request.query.items()}
        problem = self.check_request(query)
        if problem is not None:
            return problem
        if form.get("action", ["allow"])[-1] != "allow":
            return redirect(self._back(query, {"error": "access_denied"}))
        mailbox = self.world.find(form.get("email", [""])[-1])
        if mailbox is None:
            return as_html(
                page("message.html", title="No such account", text="Choose one of the accounts."), 400
            )
        ticked = form.get("scopes", [])
        return redirect(self.grant(query, mailbox, ticked))

    def grant(
        self, query: dict[str, str], mailbox: Mailbox, ticked: list[str] | None, *, lasts_s: float = 0.0
    ) -> str:
        """The redirect after consent to the ticked scopes (None: all); sign-in scopes need no tick.

        `lasts_s` is the time that the user allows the access for (0: without end).
        """
        client = self.world.settings.clients[query["client_id"]]
        asked = asked_scopes(query.get("scope", ""))
        allowed = [s for s in asked if s in SIGN_IN_SCOPES or ticked is None or s in ticked]
        if not allowed:
            return self._back(query, {"error": "access_denied"})
        key = (mailbox.email, client.project)
        before = self.world.grants.consented.get(key)
        if query.get("include_granted_scopes") == "true" and before:
            allowed = list(dict.fromkeys(allowed + sorted(before)))
        self.world.grants.consented.setdefault(key, set()).update(allowed)
        code = ids.token("4/0A", 40)
        self.world.grants.codes[code] = AuthCode(
            mailbox.email,
            client.id,
            query["redirect_uri"],
            tuple(allowed),
            query.get("code_challenge", ""),
            query.get("code_challenge_method", "plain"),
            query.get("access_type") == "offline",
            before is None or "consent" in query.get("prompt", "").split(),
            query.get("nonce", ""),
            self.world.clock.now() + CODE_LIFE_S,
            lasts_s,
        )
        return self._back(
            query, {"code": code, "scope": " ".join(allowed), "authuser": "0", "prompt": "consent"}
        )

    def deny(self, query: dict[str, str]) -> str:
        """The redirect after "Cancel"."""
        return self._back(query, {"error": "access_denied"})

    def _back(self, query: dict[str, str], params: dict[str, str]) -> str:
        state = {"state": query["state"]} if "state" in query else {}
        return with_params(query["redirect_uri"], {**state, **params})

    def check_request(self, query: dict[str, str]) -> Response | None:
        """The error page of a request that Google does not even ask the user about, or None."""
        if query.get("client_id") not in self.world.settings.clients:
            return self._refused("invalid_client", "The OAuth client was not found.", 401)
        if not query.get("redirect_uri", "").startswith(("http://", "https://")):
            return self._refused("redirect_uri_mismatch", "The redirect URI is missing or not allowed.")
        if query.get("response_type") != "code":
            return self._refused("unsupported_response_type", "response_type must be code.")
        if not query.get("scope"):
            return self._refused("invalid_request", "Missing required parameter: scope")
        return None

    @staticmethod
    def _refused(code: str, text: str, status: int = 400) -> Response:
        return as_html(page("message.html", title=f"Error {status}: {code}", text=text), status)

    # --- tokens

    def token(self, request: Request) -> Response:
        """POST /token: authorization_code and refresh_token."""
        form = {name: values[-1] for name, values in request.form().items()}
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            user, _, secret = base64.b64decode(basic[6:]).decode("utf-8", "replace").partition(":")
            form.setdefault("client_id", user)
            form.setdefault("client_secret", secret)
        client = self.world.settings.clients.get(form.get("client_id", ""))
        if client is None:
            return token_error("invalid_client", "The OAuth client was not found.", 401)
        if client.secret and form.get("client_secret") != client.secret:
            return token_error("invalid_client", "Unauthorized", 401)
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            return self._exchange(client, form)
        if kind == "refresh_token":
            return self._refresh(client, form)
        return token_error("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _exchange(self, client: Client, form: dict[str, str]) -> Response:
        world = self.world
        now = world.clock.now()
        code = world.grants.codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != client.id:
            return token_error(
                "invalid_grant", "Malformed auth code." if not form.get("code") else "Bad Request"
            )
        if code.expires_at < now:
            return token_error("invalid_grant", "Bad Request")
        if form.get("redirect_uri") != code.redirect_uri:
            return token_error("redirect_uri_mismatch", "Bad Request")
        if code.challenge:
            verifier = form.get("code_verifier", "")
            if not verifier:
                return token_error("invalid_grant", "Missing code verifier.")
            digest = ids.b64url(hashlib.sha256(verifier.encode()).digest())
            if (digest if code.challenge_method == "S256" else verifier) != code.challenge:
                return token_error("invalid_grant", "Invalid code verifier.")
        answer = self._tokens(code.email, client, code.scopes, code.nonce)
        if code.offline and code.new_refresh:
            most = world.behaviour.tokens_per_account
            answer["refresh_token"] = world.grants.new_refresh(code, client.project, now, most).token
            if code.lasts_s:
                answer["refresh_token_expires_in"] = int(code.lasts_s)
        return as_json(answer)

    def _refresh(self, client: Client, form: dict[str, str]) -> Response:
        token = self.world.grants.refresh.get(form.get("refresh_token", ""))
        if token is None:
            return token_error("invalid_grant", "Bad Request")
        if token.client_id != client.id:
            return token_error("unauthorized_client", "Unauthorized", 401)
        if token.subtype:
            return token_error("invalid_grant", "reauth related error (invalid_rapt)", subtype=token.subtype)
        now = self.world.clock.now()
        if (token.expires_at and token.expires_at < now) or token.forgotten(now):
            return token_error("invalid_grant", "Token has been expired or revoked.")
        if token.dead:
            if token.dead in ("admin_policy_enforced", "deleted_client"):
                return token_error(
                    token.dead, "The application is restricted.", 400 if "admin" in token.dead else 401
                )
            return token_error("invalid_grant", token.dead)
        token.used_at = now
        answer = self._tokens(token.email, client, token.scopes, "")
        if self.world.behaviour.refresh_rotates:
            del self.world.grants.refresh[token.token]
            token.token = ids.token("1//0")
            self.world.grants.refresh[token.token] = token
            answer["refresh_token"] = token.token
        return as_json(answer)

    def _tokens(self, email: str, client: Client, scopes: tuple[str, ...], nonce: str) -> dict[str, Any]:
        world = self.world
        now = world.clock.now()
        life = world.behaviour.access_token_s
        access = world.grants.new_access(email, client.id, client.project, scopes, now + life)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": life,
            "scope": " ".join(scopes),
            "token_type": "Bearer",
        }
        mailbox = world.find(email)
        if "openid" in scopes and mailbox is not None:
            claims: dict[str, Any] = {
                "iss": "https://accounts.google.com",
                "azp": client.id,
                "aud": client.id,
                "sub": mailbox.sub,
                "at_hash": ids.b64url(hashlib.sha256(access.encode()).digest()[:16]),
                "iat": int(now),
                "exp": int(now) + 3600,
            }
            if SIGN_IN["email"] in scopes:
                claims |= {"email": mailbox.email, "email_verified": True}
            if SIGN_IN["profile"] in scopes:
                claims["name"] = mailbox.name
            domain = mailbox.email.rpartition("@")[2].lower()
            if domain not in ("gmail.com", "googlemail.com"):
                claims["hd"] = domain
            if nonce:
                claims["nonce"] = nonce
            answer["id_token"] = world.keys.sign(claims)
        return answer

    def revoke(self, request: Request) -> Response:
        """POST /revoke: ends the user's whole grant to the project."""
        token = (request.form().get("token") or request.query.get("token") or [""])[-1]
        grants = self.world.grants
        known = grants.refresh.get(token) or grants.access.get(token)
        now = self.world.clock.now()
        alive = known is not None and not getattr(known, "dead", "") and not getattr(known, "dead_at", 0.0)
        if known is None or not alive:
            return token_error("invalid_token", "Token expired or revoked")
        grants.kill(
            known.email, known.project, now, access_works_s=self.world.behaviour.revoked_access_token_works_s
        )
        return as_json({})

    def userinfo(self, request: Request) -> Response:
        """GET /oauth2/v3/userinfo and the v2 form of it."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        access = self.world.grants.check(bearer, self.world.clock.now())
        mailbox = self.world.find(access.email) if access else None
        if access is None or mailbox is None:
            return unauthenticated().response()
        shown: dict[str, Any] = {"sub": mailbox.sub, "id": mailbox.sub, "name": mailbox.name}
        if SIGN_IN["email"] in access.scopes:
            shown |= {"email": mailbox.email, "email_verified": True}
        return as_json(shown)


def consent_query(authorization_url: str) -> dict[str, str]:
    """The parameters of an authorization URL."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
