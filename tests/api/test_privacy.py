"""S29: a contact's or a mailbox's data is exported, and erased with a receipt."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import zipfile

import pytest
from sqlmodel import select

from crm import erasure
from models import Account, IdempotencyKey
from models.states import AccountState
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers


def _archive(tenant: Tenant, path: str) -> zipfile.ZipFile:
    answer = tenant.api.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_s29_a_contact_is_exported_as_json_mails_and_attachments(running: RunningApi, tenant: Tenant) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    message_id = inbound_mail(running, tenant, bob, subject="Offer", attachment=b"%PDF")
    archive = _archive(tenant, f"/v1/contacts/{bob}/export")
    assert json.loads(archive.read("contact.json"))["id"] == bob
    assert [m["id"] for m in json.loads(archive.read("messages.json"))] == [message_id]
    files = [name for name in archive.namelist() if name.startswith("attachments/")]
    assert [archive.read(name) for name in files] == [b"%PDF"]


def test_s29_a_contact_is_erased_with_a_receipt(running: RunningApi, tenant: Tenant) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    message_id = inbound_mail(running, tenant, bob, attachment=b"secret")
    answer = tenant.api.delete(f"/v1/contacts/{bob}", params={"erase": True})
    assert answer.status_code == 200
    receipt = answer.json()
    assert set(receipt) >= {"receipt_id", "erased_at", "counts"}
    assert receipt["counts"]["messages"] == 1
    for path in (f"/v1/contacts/{bob}", f"/v1/messages/{message_id}"):
        assert tenant.api.get(path).status_code == 404
    assert b"secret" not in b"".join(
        path.read_bytes() for path in running.settings.state_dir.rglob("*") if path.is_file()
    )


def test_s29_a_mailbox_is_exported_and_erased(running: RunningApi, tenant: Tenant) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    account = connected_account(running, tenant, state=AccountState.DISCONNECTED, active=False)
    message_id = inbound_mail(running, tenant, bob, account_id=account)
    url = f"/v1/accounts/{account}"
    archive = _archive(tenant, f"{url}/export")
    assert json.loads(archive.read("account.json"))["id"] == account
    assert len(json.loads(archive.read("decisions.json"))) == 1
    assert tenant.api.delete(url).status_code == 422
    receipt = tenant.api.delete(url, params={"erase": True}).json()
    assert receipt["counts"]["messages"] == 1
    assert tenant.api.get(url).status_code == 404
    assert tenant.api.get(f"/v1/messages/{message_id}").status_code == 404


def test_s29_a_connected_mailbox_is_disconnected_before_it_is_erased(
    running: RunningApi, tenant: Tenant
) -> None:
    account = connected_account(running, tenant)

    def workflow() -> None:
        """What AccountWorkflow does on `disconnect`."""
        deadline = time.monotonic() + 30
        while (account,) not in running.commands.named("disconnect"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with running.database.session() as session:
            session.get_one(Account, account).state = AccountState.DISCONNECTED

    thread = threading.Thread(target=workflow)
    thread.start()
    answer = tenant.api.delete(f"/v1/accounts/{account}", params={"erase": True})
    thread.join()
    assert answer.status_code == 200
    assert tenant.api.get(f"/v1/accounts/{account}").status_code == 404


def test_s29_the_first_answers_of_requests_go_too(running: RunningApi, tenant: Tenant) -> None:
    """`Idempotency-Key` keeps answers, and those name the person."""
    body = {"name": "Bob Brown", "emails": ["bob@client.example"]}
    made = tenant.api.post("/v1/contacts", json=body, headers={"Idempotency-Key": "bob"})
    looked = tenant.api.post(
        "/v1/reviews", json={"contact_id": made.json()["id"]}, headers={"Idempotency-Key": "look"}
    )
    assert (made.status_code, looked.status_code) == (201, 202)
    other = tenant.api.post("/v1/contacts", json={"name": "Eve"}, headers={"Idempotency-Key": "eve"})
    tenant.api.delete(f"/v1/contacts/{made.json()['id']}", params={"erase": True})
    with running.database.session() as session:
        rows = session.exec(select(IdempotencyKey).where(IdempotencyKey.scope == tenant.id)).all()
        kept = {
            row.key: running.context.vault.decrypt(row.answer_encrypted or b"")
            for row in rows
            if row.answer_encrypted
        }
        hashes = {row.key: row.request_hash for row in rows}
    assert set(kept) == {"eve"}
    assert hashes["bob"] == hashes["look"] == "erased"
    again = tenant.api.post("/v1/contacts", json=body, headers={"Idempotency-Key": "bob"})
    assert again.status_code == 410
    assert again.json()["type"] == "/problems/erased"
    assert tenant.api.get("/v1/contacts", params={"email": "bob@client.example"}).json()["items"] == []
    repeated = tenant.api.post("/v1/contacts", json={"name": "Eve"}, headers={"Idempotency-Key": "eve"})
    assert repeated.json() == other.json()


def test_s29_the_files_of_a_mail_that_is_refused_are_not_kept(running: RunningApi, tenant: Tenant) -> None:
    user = tenant.user()["id"]
    content = b"the files of a refused mail"
    file = {"filename": "a.txt", "content_base64": base64.b64encode(content).decode()}
    mail = {"user_id": user, "to": ["nobody@client.example"], "text": "T", "attachments": [file]}
    assert tenant.api.post("/v1/messages", json=mail).status_code == 422
    key = running.context.blobs.key_of(tenant.id, content)
    with running.database.session() as session:
        assert key in erasure.doomed(session, 10_000)
    tenant.contact("nobody@client.example")
    assert tenant.api.post("/v1/messages", json=mail).status_code == 202
    with running.database.session() as session:
        assert key not in erasure.doomed(session, 10_000)
    assert running.context.blobs.get(key) == content
