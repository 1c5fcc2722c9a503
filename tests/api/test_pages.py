"""The pages over HTTP: signing in, forged forms, and what a page may load."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlmodel import select

from models import GmailMessage, UserSession
from models.columns import now
from models.states import AccountState
from tests.api.builders import also_in, connected_account, inbound_mail, unread_in
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers

HTML = {"Accept": "text/html"}


class Visit:
    """A user's browser, signed in."""

    def __init__(self, running: RunningApi, tenant: Tenant, user_id: str) -> None:
        self.link = tenant.api.post(f"/v1/users/{user_id}/session").json()["url"]
        self.http = httpx.Client(base_url=running.url, headers=HTML, follow_redirects=True, timeout=30)
        running.clients.append(self.http)
        assert self.http.get(self.link).status_code == 200

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.http.get("/settings/email").text)
        assert found
        return found[1]

    def post(self, path: str, **form: str) -> httpx.Response:
        return self.http.post(path, data={"csrf": self.csrf(), **form}, follow_redirects=False)


@pytest.fixture
def user_id(tenant: Tenant) -> str:
    return str(tenant.user()["id"])


@pytest.fixture
def visit(running: RunningApi, tenant: Tenant, user_id: str) -> Visit:
    return Visit(running, tenant, user_id)


def test_a_link_signs_in_once(running: RunningApi, visit: Visit) -> None:
    again = running.client().get(visit.link, headers=HTML)
    assert again.status_code == 410
    assert "used already" in again.text


def test_a_link_is_good_for_ten_minutes(running: RunningApi, tenant: Tenant, user_id: str) -> None:
    link = tenant.api.post(f"/v1/users/{user_id}/session").json()["url"]
    with running.database.session() as session:
        for row in session.exec(select(UserSession).where(UserSession.user_id == user_id)):
            row.expires_at = now()
    assert running.client().get(link).status_code == 410


def test_a_page_without_signing_in_says_what_to_do(running: RunningApi) -> None:
    answer = running.client().get("/conversations", headers=HTML)
    assert answer.status_code == 401
    assert "Open this page from your CRM" in answer.text


def test_the_cookie_is_out_of_reach_of_scripts(running: RunningApi, tenant: Tenant, user_id: str) -> None:
    link = tenant.api.post(f"/v1/users/{user_id}/session").json()["url"]
    cookie = running.client().get(link).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_signing_out_forgets_the_cookie(running: RunningApi, visit: Visit) -> None:
    cookie = visit.http.cookies["session"]
    assert visit.post("/sign-out").status_code == 303
    answer = httpx.get(f"{running.url}/conversations", cookies={"session": cookie})
    assert answer.status_code == 401


@pytest.mark.parametrize("csrf", ["", "0" * 64])
def test_a_forged_form_does_nothing(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit, csrf: str
) -> None:
    account = connected_account(running, tenant, user_id=user_id)
    for path in (
        f"/settings/email/accounts/{account}/disconnect",
        "/settings/email/auto-bcc/rotate",
        "/sign-out",
    ):
        assert visit.http.post(path, data={"csrf": csrf}).status_code == 403
    assert running.commands.given == []


def test_pages_load_only_our_own_files(visit: Visit) -> None:
    answer = visit.http.get("/settings/email")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.findall(r'(?:src|href)="https?://', answer.text)
    assert " on" not in re.sub(r">[^<]*<", "><", answer.text).replace(" only", "")  # no inline handlers
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert visit.http.get(address).status_code == 200


def test_a_mail_in_its_frame_runs_nothing(running: RunningApi, tenant: Tenant, visit: Visit) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    message = inbound_mail(running, tenant, bob, html="<p>Hi</p><img src='https://spy.example/x.png'>")
    closed = visit.http.get(f"/messages/{message}/html")
    assert "script-src" not in closed.headers["content-security-policy"]
    assert "default-src 'none'" in closed.headers["content-security-policy"]
    assert "https:" not in closed.headers["content-security-policy"]
    opened = visit.http.get(f"/messages/{message}/html", params={"images": True})
    assert 'src="https://spy.example/x.png"' in opened.text
    assert "img-src 'self' data: https: http:" in opened.headers["content-security-policy"]


def test_a_colleagues_mailbox_is_not_mine_to_change(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    theirs = connected_account(running, tenant)
    for action in ("disconnect", "sync", "reauthorize"):
        assert visit.post(f"/settings/email/accounts/{theirs}/{action}").status_code == 404
    assert visit.http.get(f"/accounts/{theirs}/decisions").status_code == 404
    assert running.commands.given == []


def test_s24_an_opened_conversation_is_read_in_the_visitors_own_mailbox_alone(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit
) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    mine, theirs = connected_account(running, tenant, user_id=user_id), connected_account(running, tenant)
    ours = inbound_mail(running, tenant, bob, account_id=mine)
    also_in(running, ours, theirs)
    only_theirs = inbound_mail(running, tenant, bob, account_id=theirs)
    assert open_conversation(tenant, visit), "something is new to the visitor"
    assert unread_in(running, ours) == {mine: False, theirs: True}
    assert unread_in(running, only_theirs) == {theirs: True}
    assert running.commands.named("mark_read") == [(ours,)]
    assert tenant.api.get("/v1/conversations").json()["items"][0]["unread"] == 1, (
        "no mailbox has read the other"
    )
    assert not open_conversation(tenant, visit)


def test_s24_what_a_colleague_has_read_is_still_new_to_the_visitor(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit
) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    mine, theirs = connected_account(running, tenant, user_id=user_id), connected_account(running, tenant)
    message = inbound_mail(running, tenant, bob, account_id=mine)
    also_in(running, message, theirs)
    tenant.api.patch(f"/v1/messages/{message}", json={"read": True})
    with running.database.session() as session:
        for copy in session.exec(select(GmailMessage).where(GmailMessage.account_id == mine)):
            copy.unread = True
    assert open_conversation(tenant, visit)
    assert unread_in(running, message) == {mine: False, theirs: False}


@pytest.mark.parametrize("where", ["nowhere", "disconnected"])
def test_s24_what_no_connected_mailbox_has_is_read_by_whoever_opens_it(
    running: RunningApi, tenant: Tenant, visit: Visit, where: str
) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    account = connected_account(running, tenant, state=AccountState.DISCONNECTED, active=False)
    inbound_mail(running, tenant, bob, account_id=account if where == "disconnected" else None)
    assert tenant.api.get("/v1/conversations").json()["items"][0]["unread"] == 1
    assert open_conversation(tenant, visit)
    assert tenant.api.get("/v1/conversations").json()["items"][0]["unread"] == 0


def open_conversation(tenant: Tenant, visit: Visit) -> bool:
    """As a browser does; whether the page said that something is to be marked as read."""
    (conversation,) = tenant.api.get("/v1/conversations").json()["items"]
    path = f"/conversations/{conversation['id']}"
    says_read = re.search(rf'hx-post="{path}/read"', visit.http.get(path).text) is not None
    if says_read:
        assert visit.post(f"{path}/read").status_code == 204
    return says_read


def test_another_location_is_not_mine_to_see(running: RunningApi, visit: Visit) -> None:
    other = running.tenant()
    bob = other.contact("bob@client.example")["id"]
    message = inbound_mail(running, other, bob)
    conversation = other.api.get(f"/v1/messages/{message}").json()["conversation_id"]
    for path in (
        f"/conversations/{conversation}",
        f"/messages/{message}",
        f"/messages/{message}/card",
        f"/messages/{message}/html",
    ):
        assert visit.http.get(path).status_code == 404
    assert visit.post(f"/conversations/{conversation}/reply", to="x@y.example", text="x").status_code == 404


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("missing_scopes", "left unticked"),
        ("wrong_account", "use Switch"),
        ("access_denied", "nothing was connected"),
        ("exchange_failed", "try again"),
    ],
)
def test_the_settings_page_tells_why_a_consent_failed(visit: Visit, error: str, words: str) -> None:
    assert words in visit.http.get("/settings/email", params={"error": error}).text


def test_s30_the_settings_page_tells_the_state_and_what_is_next(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit
) -> None:
    from models import Account

    account = connected_account(running, tenant, user_id=user_id, email="ann.page@gmail.com")
    with running.database.session() as session:
        row = session.get_one(Account, account)
        row.state, row.reason = "reauthorization_required", "The password was changed"
    page = visit.http.get("/settings/email").text
    for words in (
        "ann.page@gmail.com",
        "Needs your consent again",
        "The password was changed",
        "Renew the consent",
    ):
        assert words in page


def test_s28_the_page_of_decisions_tells_the_rule_in_words(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit
) -> None:
    account = connected_account(running, tenant, user_id=user_id)
    inbound_mail(running, tenant, tenant.contact("bob@client.example")["id"], account_id=account)
    page = visit.http.get(f"/accounts/{account}/decisions").text
    assert "A contact wrote" in page
    assert "S7" in page
    assert "S7" not in visit.http.get(f"/accounts/{account}/decisions", params={"outcome": "skipped"}).text


def test_what_people_write_is_shown_as_text(running: RunningApi, tenant: Tenant, visit: Visit) -> None:
    bob = tenant.contact("bob@client.example", name="<script>alert(1)</script>")["id"]
    message = inbound_mail(running, tenant, bob, subject="<b>bold</b>", text="<img src=x onerror=alert(1)>")
    conversation = tenant.api.get(f"/v1/messages/{message}").json()["conversation_id"]
    page = visit.http.get(f"/conversations/{conversation}").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;b&gt;bold" in page


def test_the_reference_lists_every_call(running: RunningApi) -> None:
    page = running.client().get("/docs")
    assert page.status_code == 200
    for path in running.client().get("/openapi.json").json()["paths"]:
        assert path in page.text
