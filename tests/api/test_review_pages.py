"""Earlier mail in the browser: seen, done, taken back."""

from __future__ import annotations

import pytest

from crm import reviews
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant
from tests.api.test_pages import Visit

pytestmark = pytest.mark.servers

PAGE = "/settings/earlier-mail"


@pytest.fixture
def visit(running: RunningApi, tenant: Tenant) -> Visit:
    return Visit(running, tenant, str(tenant.user()["id"]))


def test_s12_earlier_mail_is_looked_at_done_and_taken_back(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    account = connected_account(running, tenant, email="ann@gmail.com")
    bob = tenant.contact("bob@client.example")["id"]
    message = inbound_mail(running, tenant, bob, account_id=account)
    tenant.api.patch(f"/v1/locations/{tenant.id}", json={"internal_domains": ["client.example"]})
    assert PAGE in visit.http.get("/settings/email").text
    assert visit.post(PAGE, changed="client.example, @nobody.example\nwho@else.example").status_code == 303
    ((review_id,),) = running.commands.named("run_review")
    shown = visit.http.get(PAGE).text
    assert "client.example, nobody.example, who@else.example" in shown
    assert "Gmail is being asked" in shown
    assert "every 2s" in shown, "the page looks again by itself"

    assert visit.post(f"{PAGE}/{review_id}/apply").headers["location"] == f"{PAGE}?refused=yes"
    assert "Nothing was changed" in visit.http.get(f"{PAGE}?refused=yes").text
    with running.database.session() as session:
        reviews.ready(session, review_id, {account: "Google did not answer"})
    shown = visit.http.get(f"{PAGE}/list").text
    assert "Would add 0, hide 1." in shown
    assert "Google did not answer" in shown
    assert "every 2s" not in shown

    assert visit.post(f"{PAGE}/{review_id}/apply").headers["location"] == PAGE
    assert "Added 0, hid 1" in visit.http.get(PAGE).text
    assert tenant.api.get(f"/v1/messages/{message}").status_code == 404
    assert visit.post(f"{PAGE}/{review_id}/undo").headers["location"] == PAGE
    assert "Taken back" in visit.http.get(PAGE).text
    assert tenant.api.get(f"/v1/messages/{message}").status_code == 200


@pytest.mark.parametrize("changed", ["", "-no-domain-", "a@b@c"])
def test_what_is_neither_address_nor_domain_is_said(running: RunningApi, visit: Visit, changed: str) -> None:
    answer = visit.post(PAGE, changed=changed)
    assert "ann@example.com or domains such as" in answer.text
    assert changed in answer.text, "what was written is not lost"
    assert running.commands.named("run_review") == []


def test_another_locations_reviews_are_neither_seen_nor_done(running: RunningApi, visit: Visit) -> None:
    other = running.tenant()
    review = other.api.post("/v1/reviews", json={"domains": ["theirs.example"]}).json()
    with running.database.session() as session:
        reviews.ready(session, review["id"], {})
    assert "theirs.example" not in visit.http.get(PAGE).text
    assert visit.post(f"{PAGE}/{review['id']}/apply").status_code == 404
    assert visit.http.post(f"{PAGE}/{review['id']}/apply", data={"csrf": "0" * 64}).status_code == 403
    assert other.api.get(f"/v1/reviews/{review['id']}").json()["state"] == "preview"
