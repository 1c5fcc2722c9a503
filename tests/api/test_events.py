"""The event stream: what was missed, then what happens; and webhook endpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.api.builders import inbound_mail
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers


class Stream:
    """An open event stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(self._lines).startswith(":")

    def next(self) -> dict[str, Any]:
        """The next event; its `id:` and `event:` lines must agree with it."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                break
            name, _, value = line.partition(": ")
            fields[name] = value
        event = json.loads(fields["data"])
        assert (event["id"], event["type"]) == (fields["id"], fields["event"])
        assert set(event) == {"id", "type", "at", "data"}
        assert isinstance(event, dict)
        return event


@contextmanager
def listening(tenant: Tenant, last: str | None = None) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    with tenant.api.stream("GET", "/v1/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        yield Stream(answer)


def test_an_event_comes_as_it_happens_with_the_resource(running: RunningApi, tenant: Tenant) -> None:
    with listening(tenant) as stream:
        contact = tenant.contact("bob@client.example")
        event = stream.next()
        assert event["type"] == "contact.created"
        assert event["data"] == contact
        tenant.api.patch(f"/v1/contacts/{contact['id']}", json={"name": "Robert"})
        event = stream.next()
        assert (event["type"], event["data"]["name"]) == ("contact.updated", "Robert")


def test_a_stream_goes_on_after_the_last_event_seen(tenant: Tenant) -> None:
    with listening(tenant) as stream:
        tenant.contact("first@client.example", name="First")
        last = stream.next()["id"]
    for name in ("Second", "Third"):
        tenant.contact(f"{name}@client.example", name=name)
    with listening(tenant, last) as stream:
        assert [stream.next()["data"]["name"] for _ in range(2)] == ["Second", "Third"]


def test_a_last_event_id_that_is_none_is_refused(tenant: Tenant) -> None:
    assert tenant.api.get("/v1/events", headers={"Last-Event-ID": "x"}).status_code == 422


def test_a_location_hears_only_of_itself(running: RunningApi, tenant: Tenant) -> None:
    other = running.tenant()
    with listening(tenant) as stream:
        other.contact("theirs@client.example", name="Theirs")
        tenant.contact("ours@client.example", name="Ours")
        assert stream.next()["data"]["name"] == "Ours"


def test_a_message_that_is_read_is_told(running: RunningApi, tenant: Tenant) -> None:
    bob = tenant.contact("bob@client.example")["id"]
    message_id = inbound_mail(running, tenant, bob)
    with listening(tenant) as stream:
        tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True})
        events = {event["type"]: event["data"] for event in (stream.next(), stream.next())}
    assert events["message.updated"]["read"] is True
    assert events["conversation.updated"]["unread"] == 0


def test_an_event_is_there_within_moments(running: RunningApi, tenant: Tenant) -> None:
    from crm import contacts

    delays = []
    with listening(tenant) as stream:
        for n in range(10):
            with running.database.session() as session:
                contacts.create(session, tenant.id, f"C{n}", [])
            committed = time.monotonic()
            stream.next()
            delays.append(time.monotonic() - committed)
    assert sorted(delays)[5] < 0.5  # told by NOTIFY: a poll would take longer


def test_a_webhook_endpoint_shows_its_secret_once(tenant: Tenant) -> None:
    body = {"url": "https://crm.example/hook", "events": ["message.created"]}
    made = tenant.api.post("/v1/webhook_endpoints", json=body)
    assert made.status_code == 201
    assert set(made.json()) >= {"id", "secret"}
    assert made.json()["secret"].startswith("whsec_")
    url = f"/v1/webhook_endpoints/{made.json()['id']}"
    assert "secret" not in tenant.api.get(url).json()
    assert tenant.api.delete(url).status_code == 204
    assert tenant.api.get(url).status_code == 404


@pytest.mark.parametrize(
    "body", [{"url": "ftp://x"}, {"url": "nonsense"}, {"url": "https://x.example", "events": ["no.such"]}]
)
def test_a_wrong_webhook_endpoint_is_refused(tenant: Tenant, body: dict[str, object]) -> None:
    assert tenant.api.post("/v1/webhook_endpoints", json=body).status_code == 422
