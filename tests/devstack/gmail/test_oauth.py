"""Consent, codes, refresh, revoke, and how grants die."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import web

pytestmark = pytest.mark.servers

CLIENT = "407408718192-emulator.apps.googleusercontent.com"
SECRET = "GOCSPX-emulator"
MODIFY = "https://www.googleapis.com/auth/gmail.modify"
CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"
VERIFIER = "v" * 64
CALLBACK = "http://127.0.0.1:9/oauth/google/callback"


def authorization_url(control: GmailControl, **changes: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": f"openid email {MODIFY} {CONTACTS}",
        "state": "st4te",
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{control.base_url}/o/oauth2/v2/auth?{urlencode(query | changes)}"


def params(redirect: str) -> dict[str, str]:
    assert redirect.startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}


def token(control: GmailControl, **form: str) -> httpx.Response:
    return web.post(f"{control.base_url}/token", data={"client_id": CLIENT, "client_secret": SECRET, **form})


def exchange(control: GmailControl, code: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return token(control, **(form | changes))


def connect(control: GmailControl, email: str, **changes: str) -> dict[str, Any]:
    code = params(control.consent(authorization_url(control, **changes), email))["code"]
    answer: dict[str, Any] = exchange(control, code).json()
    return answer


def refresh(control: GmailControl, refresh_token: str) -> httpx.Response:
    return token(control, grant_type="refresh_token", refresh_token=refresh_token)


def test_a_code_becomes_tokens_and_a_verifiable_id_token(gmail: GmailControl) -> None:
    made = gmail.create_mailbox("bob@gmail.com", name="Bob")
    redirect = params(gmail.consent(authorization_url(gmail), "bob@gmail.com"))
    assert redirect["state"] == "st4te"
    tokens = exchange(gmail, redirect["code"]).json()
    assert set(tokens["scope"].split()) >= {"openid", MODIFY, CONTACTS}
    claims = id_token.verify_token(
        tokens["id_token"], Request(), audience=CLIENT, certs_url=f"{gmail.base_url}/oauth2/v1/certs"
    )
    assert (claims["email"], claims["sub"]) == ("bob@gmail.com", made["sub"])
    profile = web.get(
        f"{gmail.base_url}/gmail/v1/users/me/profile",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    assert profile.json()["emailAddress"] == "bob@gmail.com"


def test_a_code_serves_once_and_needs_its_verifier(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    code = params(gmail.consent(authorization_url(gmail), "bob@gmail.com"))["code"]
    wrong = exchange(gmail, code, code_verifier="w" * 64)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    code = params(gmail.consent(authorization_url(gmail), "bob@gmail.com"))["code"]
    assert exchange(gmail, code).status_code == 200
    again = exchange(gmail, code)
    assert again.json() == {"error": "invalid_grant", "error_description": "Bad Request"}


def test_the_consent_page_can_be_used_by_a_browser(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    url = authorization_url(gmail)
    page = web.get(url)
    assert "bob@gmail.com" in page.text
    assert MODIFY in page.text
    answer = web.post(url, data={"email": "bob@gmail.com", "scopes": [MODIFY], "action": "allow"})
    assert answer.status_code == 302
    tokens = exchange(gmail, params(answer.headers["location"])["code"]).json()
    assert CONTACTS not in tokens["scope"].split()
    assert MODIFY in tokens["scope"].split()


def test_cancel_comes_back_as_access_denied(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    redirect = params(gmail.consent(authorization_url(gmail), "bob@gmail.com", deny=True))
    assert redirect == {"state": "st4te", "error": "access_denied"}


def test_a_refresh_token_comes_only_offline_and_on_new_consent(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    assert "refresh_token" not in connect(gmail, "bob@gmail.com", access_type="online")
    assert "refresh_token" in connect(gmail, "bob@gmail.com")
    assert "refresh_token" not in connect(gmail, "bob@gmail.com", prompt="")


@pytest.mark.parametrize("cause", ["password", "revoked_by_user", "revoked_by_app"])
def test_a_dead_grant_answers_invalid_grant(gmail: GmailControl, cause: str) -> None:
    gmail.create_mailbox("bob@gmail.com")
    tokens = connect(gmail, "bob@gmail.com")
    assert refresh(gmail, tokens["refresh_token"]).status_code == 200
    if cause == "password":
        gmail.change_password("bob@gmail.com")
    elif cause == "revoked_by_user":
        gmail.revoke_grant("bob@gmail.com")
    else:
        revoke = {"token": tokens["access_token"]}
        assert web.post(f"{gmail.base_url}/revoke", data=revoke).status_code == 200
        assert web.post(f"{gmail.base_url}/revoke", data=revoke).status_code == 400
    answer = refresh(gmail, tokens["refresh_token"])
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }
    call = web.get(
        f"{gmail.base_url}/gmail/v1/users/me/profile",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    assert call.status_code == 401
    assert call.json()["error"]["errors"][0]["reason"] == "authError"


def test_a_revoke_ends_the_users_whole_grant_of_the_project(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    first, second = connect(gmail, "bob@gmail.com"), connect(gmail, "bob@gmail.com")
    web.post(f"{gmail.base_url}/revoke", data={"token": first["refresh_token"]})
    assert refresh(gmail, second["refresh_token"]).status_code == 400


def test_the_oldest_of_too_many_tokens_dies_silently(gmail: GmailControl) -> None:
    gmail.behaviour(tokens_per_account=2)
    gmail.create_mailbox("bob@gmail.com")
    tokens = [connect(gmail, "bob@gmail.com")["refresh_token"] for _ in range(3)]
    assert [refresh(gmail, t).status_code for t in tokens] == [400, 200, 200]


def test_a_wrong_client_secret_is_our_fault_not_the_users(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    tokens = connect(gmail, "bob@gmail.com")
    answer = token(
        gmail, grant_type="refresh_token", refresh_token=tokens["refresh_token"], client_secret="wrong"
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_scopes_are_enforced_per_call(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    access = gmail.token("bob@gmail.com", ["https://www.googleapis.com/auth/gmail.send"])
    answer = web.get(
        f"{gmail.base_url}/gmail/v1/users/me/profile", headers={"Authorization": f"Bearer {access}"}
    )
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["status"] == "PERMISSION_DENIED"
    assert error["errors"][0]["reason"] == "insufficientPermissions"


def test_metadata_scope_poisons_wider_ones(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    ids = gmail.deliver({"from": "x@out.example", "to": "bob@gmail.com", "subject": "s"})
    access = gmail.token("bob@gmail.com", [MODIFY, "https://www.googleapis.com/auth/gmail.metadata"])
    headers = {"Authorization": f"Bearer {access}"}
    base = f"{gmail.base_url}/gmail/v1/users/me/messages"
    full = web.get(f"{base}/{ids['bob@gmail.com']}", headers=headers)
    assert full.status_code == 403
    assert full.json()["error"]["message"] == "Metadata scope doesn't allow format FULL"
    assert web.get(base, params={"q": "s"}, headers=headers).status_code == 403
    assert web.get(f"{base}/{ids['bob@gmail.com']}?format=metadata", headers=headers).status_code == 200


def test_another_mailbox_cannot_be_opened_with_ones_own_token(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    gmail.create_mailbox("ann@gmail.com")
    access = gmail.token("bob@gmail.com")
    answer = web.get(
        f"{gmail.base_url}/gmail/v1/users/ann@gmail.com/profile",
        headers={"Authorization": f"Bearer {access}"},
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "Delegation denied for bob@gmail.com",
    )


def test_access_for_a_limited_time_says_so_and_ends(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    redirect = gmail.consent(authorization_url(gmail), "bob@gmail.com", lasts_s=604_799)
    tokens = exchange(gmail, params(redirect)["code"]).json()
    assert tokens["refresh_token_expires_in"] == 604_799
    assert refresh(gmail, tokens["refresh_token"]).status_code == 200
    gmail.advance_clock(604_800)
    assert refresh(gmail, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_token_that_nobody_uses_for_six_months_dies(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    used, idle = (connect(gmail, "bob@gmail.com")["refresh_token"] for _ in range(2))
    gmail.advance_clock(100 * 86_400)
    assert refresh(gmail, used).status_code == 200
    gmail.advance_clock(100 * 86_400)
    assert refresh(gmail, used).status_code == 200
    assert refresh(gmail, idle).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("why", "status", "error"),
    [
        ({"why": "Account has been deleted"}, 400, "invalid_grant"),
        ({"why": "admin_policy_enforced"}, 400, "admin_policy_enforced"),
        ({"why": "deleted_client"}, 401, "deleted_client"),
        ({"subtype": "invalid_rapt"}, 400, "invalid_grant"),
    ],
)
def test_other_ways_for_a_grant_to_end(
    gmail: GmailControl, why: dict[str, str], status: int, error: str
) -> None:
    gmail.create_mailbox("bob@gmail.com")
    tokens = connect(gmail, "bob@gmail.com")
    gmail.revoke_grant("bob@gmail.com", **why)
    answer = refresh(gmail, tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().get("error_subtype") == why.get("subtype")


def test_a_revoked_access_token_may_work_for_a_while(gmail: GmailControl) -> None:
    gmail.behaviour(revoked_access_token_works_s=60)
    gmail.create_mailbox("bob@gmail.com")
    tokens = connect(gmail, "bob@gmail.com")
    gmail.revoke_grant("bob@gmail.com")
    url = f"{gmail.base_url}/gmail/v1/users/me/profile"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert refresh(gmail, tokens["refresh_token"]).status_code == 400
    assert web.get(url, headers=headers).status_code == 200
    gmail.advance_clock(61)
    assert web.get(url, headers=headers).status_code == 401


def test_earlier_scopes_come_along_when_asked_for(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    connect(gmail, "bob@gmail.com", scope=f"openid {CONTACTS}")
    alone = connect(gmail, "bob@gmail.com", scope=f"openid {MODIFY}")
    union = connect(gmail, "bob@gmail.com", scope=f"openid {MODIFY}", include_granted_scopes="true")
    assert set(alone["scope"].split()) == {"openid", MODIFY}
    assert set(union["scope"].split()) == {"openid", MODIFY, CONTACTS}


def test_an_account_without_gmail(gmail: GmailControl) -> None:
    gmail.create_mailbox("bob@gmail.com")
    gmail.mail_service("bob@gmail.com", enabled=False)
    headers = {"Authorization": f"Bearer {gmail.token('bob@gmail.com')}"}
    error = web.get(f"{gmail.base_url}/gmail/v1/users/me/profile", headers=headers).json()["error"]
    assert (error["code"], error["status"], error["message"]) == (
        400,
        "FAILED_PRECONDITION",
        "Mail service not enabled",
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_id": "nobody"}, 401),
        ({"redirect_uri": ""}, 400),
        ({"response_type": "token"}, 400),
        ({"scope": ""}, 400),
    ],
)
def test_a_senseless_authorization_request_redirects_nowhere(
    gmail: GmailControl, changes: dict[str, str], status: int
) -> None:
    page = web.get(authorization_url(gmail, **changes))
    assert page.status_code == status
    assert "location" not in page.headers
