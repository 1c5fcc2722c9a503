"""Odd characters, moments and addresses in any field: refused by name, never an error of ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers

ODD = {"NUL": "a\0b", "half a character": "a\ud800b", "NUL in an address": "a\0@b.example"}


def _bodies(tenant: Tenant) -> dict[tuple[str, str], Any]:
    """A good body for each call that takes one."""
    user, contact = tenant.user()["id"], tenant.contact("bob@client.example")["id"]
    file = {"filename": "a.txt", "content_type": "text/plain", "content_base64": "YQ=="}
    mail = {
        "user_id": user,
        "to": ["bob@client.example"],
        "cc": [{"email": "cc@client.example", "name": "Cc"}],
        "subject": "S",
        "text": "T",
        "html": "<p>T</p>",
        "from": "ann@team.example",
        "attachments": [file],
    }
    campaign = {"user_id": user, "subject": "S", "text": "T", "html": "<p>T</p>", "contact_ids": [contact]}
    settings = {
        "name": "N",
        "internal_domains": ["team.example"],
        "internal_addresses": ["ann@team.example"],
        "smtp_provider_url": "smtp://user:password@mail.example:587",
    }
    return {
        ("POST", "/v1/users"): {"email": "new@team.example", "name": "New"},
        ("POST", "/v1/contacts"): {"name": "C", "emails": ["c@client.example"], "assigned_user_id": user},
        ("PATCH", f"/v1/contacts/{contact}"): {"name": "B", "emails": ["bob@client.example"]},
        ("PATCH", f"/v1/locations/{tenant.id}"): settings,
        ("POST", "/v1/accounts/connect"): {"user_id": user, "return_url": "https://crm.example/back"},
        ("POST", f"/v1/users/{user}/switch"): {"account_id": "acc_none"},
        ("POST", "/v1/messages"): mail,
        ("POST", "/v1/campaigns"): campaign,
        ("POST", "/v1/suppressions"): {"email": "gone@client.example"},
        ("POST", "/v1/reviews"): {
            "domains": ["team.example"],
            "emails": ["x@y.example"],
            "contact_id": contact,
        },
        ("POST", "/v1/webhook_endpoints"): {"url": "https://x.example/hook", "events": ["message.created"]},
    }


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    elif isinstance(value, str):
        yield path


def _with(body: Any, path: tuple[str | int, ...], value: str) -> Any:
    changed = copy.deepcopy(body)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def _send(tenant: Tenant, method: str, path: str, body: Any) -> httpx.Response:
    content = json.dumps(body).encode()  # as \uXXXX, so that halves of characters arrive
    return tenant.api.request(method, path, content=content, headers={"content-type": "application/json"})


@pytest.mark.parametrize("odd", ODD)
def test_no_text_field_breaks_on(tenant: Tenant, odd: str) -> None:
    for (method, path), body in _bodies(tenant).items():
        for leaf in _leaves(body):
            answer = _send(tenant, method, path, _with(body, leaf, ODD[odd]))
            assert answer.status_code in (404, 422), f"{method} {path} {leaf}: {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"


def test_the_good_bodies_are_taken(tenant: Tenant) -> None:
    answers = {key: _send(tenant, *key, body) for key, body in _bodies(tenant).items()}
    refused = {key: answer.text for key, answer in answers.items() if not answer.is_success}
    assert [path.rpartition("/")[2] for _, path in refused] == ["switch"]


@pytest.mark.parametrize("send_at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_moment_outside_the_calendar_is_refused(tenant: Tenant, send_at: str) -> None:
    user = tenant.user()["id"]
    tenant.contact("bob@client.example")
    body = {"user_id": user, "to": ["bob@client.example"], "text": "T", "send_at": send_at}
    answer = tenant.api.post("/v1/messages", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/send_at"


@pytest.mark.parametrize(
    "url",
    [
        "http://x:999999",
        "http://a b/",
        "http://[::1",
        "http://x\\y/",
        "https://x/\u2028y",
        "ftp://x",
        "http://\u2100",
    ],
)
def test_a_webhook_goes_to_an_address(tenant: Tenant, url: str) -> None:
    answer = tenant.api.post("/v1/webhook_endpoints", json={"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/url"


def test_a_bomb_of_brackets_is_refused(running: RunningApi, tenant: Tenant) -> None:
    for bomb in (b"[" * 2_000_000, b'{"a":' * 100_000, b'{"name":' + b"[" * 900 + b"]" * 900 + b"}"):
        answer = tenant.api.post("/v1/contacts", content=bomb, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422)
        assert len(answer.content) < 2000, "the answer does not give the bomb back"
    assert running.client().get("/healthz").status_code == 200
