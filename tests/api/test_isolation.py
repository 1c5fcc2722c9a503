"""No location sees another's data: every call with an id in its path, taken from the OpenAPI document."""

from __future__ import annotations

import pytest

from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers

BODIES: dict[tuple[str, str], object] = {
    ("post", "/v1/messages/{message_id}/resolve"): {"action": "discard"},
    ("patch", "/v1/messages/{message_id}"): {"read": True},
}


SUPPRESSED = "gone@client.example"


def _theirs(running: RunningApi) -> tuple[Tenant, dict[str, str]]:
    """A location with one of everything, and the ids."""
    other = running.tenant("Another location")
    user = other.user()["id"]
    account = connected_account(running, other, user_id=user)
    contact = other.contact("bob@client.example")["id"]
    message = inbound_mail(running, other, contact, account_id=account, attachment=b"theirs")
    shown = other.api.get(f"/v1/messages/{message}").json()
    campaign = other.api.post(
        "/v1/campaigns", json={"user_id": user, "subject": "S", "text": "T", "contact_ids": [contact]}
    )
    review = other.api.post("/v1/reviews", json={"emails": ["bob@client.example"]}).json()["id"]
    endpoint = other.api.post("/v1/webhook_endpoints", json={"url": "https://x.example"}).json()["id"]
    other.api.post("/v1/suppressions", json={"email": SUPPRESSED})
    return other, {
        "location_id": other.id,
        "user_id": user,
        "account_id": account,
        "contact_id": contact,
        "message_id": message,
        "attachment_id": shown["attachments"][0]["id"],
        "conversation_id": shown["conversation_id"],
        "campaign_id": campaign.json()["id"] if campaign.is_success else "cmp_none",
        "endpoint_id": endpoint,
        "review_id": review,
        "email": SUPPRESSED,
    }


def test_everything_of_another_location_answers_404(running: RunningApi, tenant: Tenant) -> None:
    _, ids = _theirs(running)
    document = running.client().get("/openapi.json").json()
    tried = 0
    for path, calls in document["paths"].items():
        if not path.startswith("/v1/") or "{" not in path:
            continue
        for method in calls:
            if method == "parameters":
                continue
            body = BODIES.get((method, path), {})
            json = body if method in ("post", "patch", "put") else None
            answer = tenant.api.request(method, path.format(**ids), json=json)
            assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
            assert answer.headers["content-type"] == "application/problem+json"
            tried += 1
    assert tried >= 25


def test_every_call_needs_a_key(running: RunningApi) -> None:
    client = running.client()
    document = client.get("/openapi.json").json()
    for path, calls in document["paths"].items():
        if path.startswith("/v1/"):
            for method in calls:
                answer = client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, f"{method} {path}"


def test_lists_and_filters_hold_nothing_of_another_location(running: RunningApi, tenant: Tenant) -> None:
    _, ids = _theirs(running)
    for path in (
        "/v1/users",
        "/v1/contacts?email=bob@client.example",
        "/v1/accounts",
        f"/v1/accounts?user_id={ids['user_id']}",
        "/v1/conversations",
        f"/v1/conversations?contact_id={ids['contact_id']}",
        "/v1/webhook_endpoints",
        "/v1/reviews",
        "/v1/search?q=Hello",
        "/v1/search?q=bob",
    ):
        assert tenant.api.get(path).json()["items"] == [], path


def test_ids_of_another_location_in_a_body_are_refused(running: RunningApi, tenant: Tenant) -> None:
    _, ids = _theirs(running)
    mine = tenant.user()["id"]
    tenant.contact("bob@client.example")
    send = {"to": ["bob@client.example"], "text": "x"}
    assert tenant.api.post("/v1/accounts/connect", json={"user_id": ids["user_id"]}).status_code == 404
    assert tenant.api.post("/v1/messages", json={"user_id": ids["user_id"], **send}).status_code == 404
    answer = tenant.api.post(
        "/v1/messages", json={"user_id": mine, "reply_to_message_id": ids["message_id"], **send}
    )
    assert answer.status_code == 422
    contact = tenant.api.post("/v1/contacts", json={"name": "X", "assigned_user_id": ids["user_id"]})
    assert contact.status_code == 422
    review = tenant.api.post("/v1/reviews", json={"contact_id": ids["contact_id"]})
    assert review.status_code == 422
    switch = tenant.api.post(f"/v1/users/{mine}/switch", json={"account_id": ids["account_id"]})
    assert switch.status_code == 404
