"""Reviews over HTTP: previewed, applied, undone; each in its order."""

from __future__ import annotations

import pytest
from sqlmodel import select

from crm import reviews
from models import Location, Message
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant, created

pytestmark = pytest.mark.servers


def asked(running: RunningApi, review_id: str, **not_read: str) -> None:
    """As the workflow does once every mailbox was asked."""
    with running.database.session() as session:
        reviews.ready(session, review_id, not_read)


def test_s12_a_review_is_previewed_applied_and_undone(running: RunningApi, tenant: Tenant) -> None:
    account = connected_account(running, tenant, email="ann@gmail.com")
    bob = tenant.contact("bob@client.example")["id"]
    message = inbound_mail(running, tenant, bob, account_id=account)
    tenant.api.patch(f"/v1/locations/{tenant.id}", json={"internal_domains": ["client.example"]})
    made = tenant.api.post("/v1/reviews", json={"domains": ["@Client.Example"]})
    assert made.status_code == 202
    review = made.json()
    assert (review["state"], review["domains"]) == ("looking", ["client.example"])
    assert (review["would_add"], review["would_hide"], review["would_show"]) == (0, 1, 0)
    assert (review["id"],) in running.commands.named("run_review")

    path = f"/v1/reviews/{review['id']}"
    early = tenant.api.post(f"{path}/apply")
    assert (early.status_code, early.json()["type"].rpartition("/")[2]) == (409, "not-possible")
    asked(running, review["id"], **{account: "Google did not answer"})
    shown = tenant.api.get(path).json()
    assert shown["state"] == "preview"
    assert shown["not_read"] == [{"account_id": account, "reason": "Google did not answer"}]
    assert tenant.api.post(f"{path}/undo").status_code == 409

    applied = tenant.api.post(f"{path}/apply")
    assert applied.status_code == 202
    assert applied.json()["state"] == "applied"
    assert applied.json()["applied_at"]
    assert tenant.api.get(f"/v1/messages/{message}").status_code == 404
    undone = tenant.api.post(f"{path}/undo")
    assert (undone.status_code, undone.json()["state"]) == (200, "undone")
    assert tenant.api.get(f"/v1/messages/{message}").status_code == 200
    assert tenant.api.post(f"{path}/apply").status_code == 409
    assert [one["id"] for one in tenant.api.get("/v1/reviews").json()["items"]] == [review["id"]]


def test_a_contact_stands_for_all_its_addresses(running: RunningApi, tenant: Tenant) -> None:
    contact = tenant.contact("Bob@client.example", "bob@home.example")["id"]
    review = created(tenant.api.post("/v1/reviews", json={"contact_id": contact}))
    assert review["emails"] == ["bob@client.example", "bob@home.example"]
    assert review["state"] == "preview", "no mailbox has to be asked"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"domains": []},
        {"domains": ["no domain"]},
        {"emails": ["nobody"]},
        {"contact_id": "con_none"},
        {"x": 1},
    ],
)
def test_a_review_of_nothing_is_refused(tenant: Tenant, body: dict[str, object]) -> None:
    answer = tenant.api.post("/v1/reviews", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_repeated_request_gets_the_same_review_and_starts_it_where_temporal_was_away(
    running: RunningApi, tenant: Tenant
) -> None:
    connected_account(running, tenant)
    body, key = {"emails": ["bob@client.example"]}, {"Idempotency-Key": "once"}
    running.commands.away = True
    first = created(tenant.api.post("/v1/reviews", json=body, headers=key))
    running.commands.away = False
    assert created(tenant.api.post("/v1/reviews", json=body, headers=key)) == first
    assert running.commands.named("run_review").count((first["id"],)) == 1
    other = tenant.api.post("/v1/reviews", json={"emails": ["eve@client.example"]}, headers=key)
    assert other.status_code == 422


def test_applying_wakes_the_mailboxes_that_have_something_to_fetch(
    running: RunningApi, tenant: Tenant
) -> None:
    account = connected_account(running, tenant)
    review = created(tenant.api.post("/v1/reviews", json={"emails": ["bob@client.example"]}))["id"]
    with running.database.session() as session:
        row = reviews.locked(session, review)
        row.to_add = [{"account_id": account, "gmail_id": "g1"}]
        session.add(row)
    asked(running, review)
    assert created(tenant.api.post(f"/v1/reviews/{review}/apply"))["would_add"] == 1
    assert (account, None) in running.commands.named("gmail_changed")


def test_s29_an_erased_contact_is_named_by_no_review(running: RunningApi, tenant: Tenant) -> None:
    account = connected_account(running, tenant, email="ann@gmail.com")
    bob = tenant.contact("bob@client.example")["id"]
    inbound_mail(running, tenant, bob, account_id=account)
    with running.database.session() as session:
        location = session.get_one(Location, tenant.id)
        location.internal_addresses = ["bob@client.example"]
        session.add(location)
    review = created(tenant.api.post("/v1/reviews", json={"contact_id": bob, "emails": ["eve@x.example"]}))[
        "id"
    ]
    asked(running, review)
    created(tenant.api.post(f"/v1/reviews/{review}/apply"))
    assert tenant.api.delete(f"/v1/contacts/{bob}?erase=true").status_code == 200
    assert tenant.api.get(f"/v1/reviews/{review}").json()["emails"] == ["eve@x.example"]
    assert created(tenant.api.post(f"/v1/reviews/{review}/undo"))["state"] == "undone"
    items = tenant.api.get(f"/v1/accounts/{account}/decisions").json()["items"]
    assert [(one["outcome"], one["rule"]) for one in items] == [("skipped", "S29")]
    with running.database.session() as session:
        assert session.exec(select(Message).where(Message.location_id == tenant.id)).all() == []
