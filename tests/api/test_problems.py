"""Every error is a problem document that says what to do."""

from __future__ import annotations

import httpx
import pytest

from tests.api.running import RunningApi, Tenant, serve

pytestmark = pytest.mark.servers


def _is_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) >= {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert isinstance(document, dict)
    return document


def test_errors_are_problem_documents(running: RunningApi, tenant: Tenant) -> None:
    _is_problem(running.client().get("/v1/contacts"), 401)
    _is_problem(running.client().get("/no/such/page"), 404)
    _is_problem(tenant.api.put("/v1/contacts"), 405)
    _is_problem(tenant.api.get("/v1/contacts/con_unknown"), 404)
    _is_problem(tenant.api.post("/v1/contacts", content=b"{"), 422)
    _is_problem(tenant.api.get("/v1/contacts", params={"limit": 0}), 422)
    _is_problem(tenant.api.get("/v1/contacts", params={"email": "a\0b"}), 422)
    _is_problem(tenant.api.post("/v1/contacts", json={"name": "a\0b"}), 422)


def test_a_wrong_field_is_named_by_its_place(tenant: Tenant) -> None:
    document = _is_problem(tenant.api.post("/v1/contacts", json={"emails": ["fine@x.example", "bad"]}), 422)
    assert document["errors"] == [
        {"pointer": "#/emails/1", "detail": "is not an e-mail address such as ann@example.com"}
    ]


def test_a_request_that_is_too_large_is_refused(tenant: Tenant) -> None:
    document = _is_problem(tenant.api.post("/v1/contacts", content=b" " * (9 * 2**20)), 413)
    assert "too large" in str(document["detail"])

    def pieces() -> object:
        for _ in range(9):
            yield b" " * 2**20

    _is_problem(tenant.api.post("/v1/contacts", content=pieces()), 413)  # type: ignore[arg-type]


def test_without_temporal_a_command_answers_503_and_says_so(running: RunningApi, tenant: Tenant) -> None:
    from tests.api.builders import connected_account

    account = connected_account(running, tenant)
    running.commands.away = True
    _is_problem(tenant.api.post(f"/v1/accounts/{account}/sync"), 503)
    _is_problem(tenant.api.post(f"/v1/accounts/{account}/disconnect"), 503)
    running.commands.away = False
    assert tenant.api.post(f"/v1/accounts/{account}/sync").status_code == 202


def test_the_api_starts_and_lives_while_database_and_temporal_are_away(tmp_path: object) -> None:
    with serve("postgresql://nobody@127.0.0.1:9/none", str(tmp_path), temporal_address="127.0.0.1:9") as api:
        api.commands.away = True
        assert api.client().get("/healthz").status_code == 200
        ready = api.client().get("/readyz")
        assert ready.status_code == 503
        states = {name: part["ok"] for name, part in ready.json()["dependencies"].items()}
        assert states == {"database": False, "temporal": False}
        _is_problem(api.client("some-key").get("/v1/contacts"), 503)
        assert "python_info" in api.client().get("/metrics").text


def test_a_full_disk_is_503_and_nothing_is_queued(running: RunningApi, tenant: Tenant) -> None:
    user = tenant.user()["id"]
    tenant.contact("bob@client.example")
    folder = running.settings.state_dir / "blobs" / tenant.id
    folder.write_bytes(b"")  # no folder can be made here, as on a disk that is full
    file = {"filename": "a.txt", "content_base64": "YQ=="}
    mail = {"user_id": user, "to": ["bob@client.example"], "text": "T", "attachments": [file]}
    _is_problem(tenant.api.post("/v1/messages", json=mail), 503)
    assert tenant.api.get("/v1/conversations").json()["items"] == []
    assert running.commands.named("send_message") == []
    folder.unlink()
    assert tenant.api.post("/v1/messages", json=mail).status_code == 202
