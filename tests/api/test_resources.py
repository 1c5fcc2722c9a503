"""Locations, users and contacts as the contract has them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import col, select

from models import Account, ContactsSync
from models.states import AccountState
from tests.api.builders import connected_account
from tests.api.running import ADMIN_KEY, RunningApi, Tenant, created

pytestmark = pytest.mark.servers


def test_only_the_admin_makes_locations(running: RunningApi, tenant: Tenant) -> None:
    assert running.client().post("/v1/locations", json={"name": "A"}).status_code == 401
    assert running.client("wrong").post("/v1/locations", json={"name": "A"}).status_code == 401
    assert tenant.api.post("/v1/locations", json={"name": "A"}).status_code == 403
    made = running.client(ADMIN_KEY).post("/v1/locations", json={"name": "A"})
    assert made.status_code == 201
    assert set(made.json()) >= {"id", "name", "api_key"}


def test_a_location_is_read_and_changed_with_its_own_key_or_the_admins(
    running: RunningApi, tenant: Tenant
) -> None:
    change = {
        "inbound_scope": "assigned_to_me",
        "gmail_contacts": "off",
        "internal_domains": ["Team.Example"],
        "internal_addresses": ["boss@other.example", {"email": "cto@other.example"}],
        "tracking": {"opens": True},
        "smtp_provider_url": "smtps://me:secret@smtp.example:465",
        "daily_recipient_limit": 100,
    }
    assert tenant.api.patch(f"/v1/locations/{tenant.id}", json=change).status_code == 200
    shown = running.client(ADMIN_KEY).get(f"/v1/locations/{tenant.id}").json()
    assert shown["inbound_scope"] == "assigned_to_me"
    assert shown["gmail_contacts"] == "off"
    assert shown["internal_domains"] == ["team.example"]
    assert shown["internal_addresses"] == ["boss@other.example", "cto@other.example"]
    assert shown["tracking"] == {"opens": True, "clicks": False}
    assert shown["smtp_provider_url"] == "smtps://me:***@smtp.example:465"
    assert shown["daily_recipient_limit"] == 100


def test_a_provider_url_as_shown_keeps_its_password(running: RunningApi, tenant: Tenant) -> None:
    url = f"/v1/locations/{tenant.id}"
    tenant.api.patch(url, json={"smtp_provider_url": "smtp://me:secret@smtp.example:587"})
    shown = tenant.api.get(url).json()["smtp_provider_url"]
    tenant.api.patch(url, json={"smtp_provider_url": shown})
    from models import Location

    with running.database.session() as session:
        sealed = session.get_one(Location, tenant.id).smtp_provider_url_encrypted
    assert sealed is not None
    assert running.context.vault.decrypt(sealed) == "smtp://me:secret@smtp.example:587"


@pytest.mark.parametrize(
    "change",
    [
        {"inbound_scope": "everyone"},
        {"tracking": {"opens": "perhaps"}},
        {"smtp_provider_url": "http://x"},
        {"daily_recipient_limit": 0},
        {"internal_domains": ["not a domain"]},
        {"no_such_setting": 1},
        {"name": None},
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(tenant: Tenant, change: dict[str, object]) -> None:
    answer = tenant.api.patch(f"/v1/locations/{tenant.id}", json=change)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


def test_a_user_has_a_private_auto_bcc_address_that_can_be_changed(tenant: Tenant) -> None:
    user = tenant.user()
    assert set(user) >= {"id", "email", "name", "auto_bcc_address"}
    assert user["auto_bcc_address"].endswith("@bcc.localhost")
    rotated = tenant.api.post(f"/v1/users/{user['id']}/auto_bcc/rotate").json()
    assert rotated["auto_bcc_address"] != user["auto_bcc_address"]


def test_s23_a_changed_contacts_setting_takes_effect_at_once(running: RunningApi, tenant: Tenant) -> None:
    accounts = {state: connected_account(running, tenant, state=state) for state in AccountState}
    for account_id in accounts.values():
        with running.database.session() as session:
            session.add(ContactsSync(account_id=account_id, source="connections", sync_token="old"))
    url = f"/v1/locations/{tenant.id}"
    told = []
    for setting in ("import", "match", "match", "off", "import"):
        running.commands.given.clear()
        assert tenant.api.patch(url, json={"gmail_contacts": setting}).status_code == 200
        told.append(len(running.commands.named("sync_contacts")))
        if setting == "import" and len(told) == 1:
            assert sync_tokens(running, tenant) == {"old"}, "nothing was changed"
    assert told == [0, 2, 0, 0, 2]
    asked = {account_id for (account_id,) in running.commands.named("sync_contacts")}
    assert asked == {accounts[AccountState.ACTIVE], accounts[AccountState.RECOVERING]}
    assert sync_tokens(running, tenant) == {None}, "people who did not change are read again"


def sync_tokens(running: RunningApi, tenant: Tenant) -> set[str | None]:
    with running.database.session() as session:
        here = select(Account.id).where(Account.location_id == tenant.id)
        found = session.exec(select(ContactsSync).where(col(ContactsSync.account_id).in_(here)))
        return {sync.sync_token for sync in found}


def test_an_address_is_one_user_of_a_location_but_may_be_in_another(
    running: RunningApi, tenant: Tenant
) -> None:
    tenant.user("ann@team.example")
    again = tenant.api.post("/v1/users", json={"email": "Ann@Team.example", "name": "A"})
    assert again.status_code == 409
    assert again.json()["type"].endswith("user-exists")
    running.tenant().user("ann@team.example")


def test_s15_an_address_may_belong_to_several_contacts(tenant: Tenant) -> None:
    first = tenant.contact("shared@client.example", name="First")
    second = tenant.contact("Shared@client.example", "own@client.example", name="Second")
    found = tenant.api.get("/v1/contacts", params={"email": "SHARED@client.example"}).json()["items"]
    assert [contact["id"] for contact in found] == [first["id"], second["id"]]
    assert set(found[0]) >= {"id", "name", "emails", "source", "created_at"}
    assert found[0]["source"] == "crm"


def test_a_contact_is_changed(tenant: Tenant) -> None:
    user = tenant.user()
    contact = tenant.contact("bob@client.example")
    url = f"/v1/contacts/{contact['id']}"
    changed = tenant.api.patch(
        url, json={"name": "Robert", "emails": ["rob@client.example"], "assigned_user_id": user["id"]}
    ).json()
    assert (changed["name"], changed["emails"]) == ("Robert", ["rob@client.example"])
    assert tenant.api.get(url).json()["assigned_user_id"] == user["id"]
    assert tenant.api.get("/v1/contacts", params={"email": "bob@client.example"}).json()["items"] == []
    assert tenant.api.patch(url, json={"assigned_user_id": "usr_x"}).status_code == 422


def test_lists_go_on_where_they_stopped(tenant: Tenant) -> None:
    made = [tenant.contact(f"c{n}@client.example")["id"] for n in range(5)]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = tenant.api.get("/v1/contacts", params=params).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(made)
    assert cursor is None


@pytest.mark.parametrize("cursor", ["x", "WyJvdGhlciIsMV0", "é", "[]", "A" * 900])
def test_a_cursor_that_is_none_of_ours_is_refused(tenant: Tenant, cursor: str) -> None:
    answer = tenant.api.get("/v1/contacts", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query:cursor"


def test_the_same_key_and_body_get_the_first_answer_again(running: RunningApi) -> None:
    admin = running.client(ADMIN_KEY)
    headers = {"Idempotency-Key": "location-1"}
    first = admin.post("/v1/locations", json={"name": "Once"}, headers=headers)
    again = admin.post("/v1/locations", json={"name": "Once"}, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = admin.post("/v1/locations", json={"name": "Another"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")


def test_of_many_at_once_with_one_key_one_creates(tenant: Tenant) -> None:
    def create(_: int) -> str:
        answer = tenant.api.post(
            "/v1/contacts",
            json={"name": "Once", "emails": ["once@client.example"]},
            headers={"Idempotency-Key": "contact-1"},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(create, range(16)))
    assert len(ids) == 1
    assert len(tenant.api.get("/v1/contacts").json()["items"]) == 1


def test_a_refused_request_does_not_use_its_key_up(tenant: Tenant) -> None:
    headers = {"Idempotency-Key": "user-1"}
    tenant.user("ann@team.example")
    body = {"email": "ann@team.example", "name": "A"}
    assert tenant.api.post("/v1/users", json=body, headers=headers).status_code == 409
    assert (
        tenant.api.post("/v1/users", json=body | {"email": "b@team.example"}, headers=headers).status_code
        == 201
    )


def test_keys_of_two_locations_do_not_meet(running: RunningApi) -> None:
    headers = {"Idempotency-Key": "same"}
    ids = {
        created(running.tenant().api.post("/v1/contacts", json={"name": "X"}, headers=headers))["id"]
        for _ in range(2)
    }
    assert len(ids) == 2


def test_answers_that_are_kept_are_encrypted(running: RunningApi) -> None:
    from sqlmodel import select

    from models import IdempotencyKey

    headers = {"Idempotency-Key": "sealed"}
    made = running.client(ADMIN_KEY).post("/v1/locations", json={"name": "S"}, headers=headers).json()
    with running.database.session() as session:
        row = session.exec(select(IdempotencyKey).where(IdempotencyKey.key == "sealed")).one()
    assert row.answer_encrypted is not None
    assert made["api_key"].encode() not in bytes(row.answer_encrypted)
