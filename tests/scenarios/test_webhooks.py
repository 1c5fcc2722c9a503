"""Webhooks on the whole running system: signed, in order, and a broken consumer delays nobody else (I4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from devstack.stack import Stack
from devstack.story import Json, LocationInStory, Story, eventually, unique

pytestmark = pytest.mark.servers


@dataclass
class Consumer:
    """A program of a customer: keeps what it gets and answers as it is told to."""

    url: str = ""
    answer: int = 200
    hangs: threading.Event | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def documents(self, kind: str = "") -> list[Json]:
        documents = [json.loads(body) for _, body in list(self.got)]
        return [one for one in documents if not kind or one["type"] == kind]


@contextmanager
def consumer() -> Iterator[Consumer]:
    it = Consumer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if it.hangs is not None:
                it.hangs.wait(60)
                return
            if it.answer == 200:
                it.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(it.answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    it.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield it
    finally:
        if it.hangs is not None:
            it.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def acme(stack: Stack) -> LocationInStory:
    return Story(stack).location("Acme")


def endpoint(acme: LocationInStory, it: Consumer, *events: str) -> Json:
    made: Json = acme.api.post("/v1/webhook_endpoints", {"url": it.url, "events": list(events)})
    return made


def add_contact(acme: LocationInStory) -> str:
    return acme.contact("Lea", f"{unique('lea')}@lead.example").id


def test_an_event_is_delivered_signed_with_the_resource_as_the_api_shows_it(acme: LocationInStory) -> None:
    with consumer() as it:
        made = endpoint(acme, it)
        contact = add_contact(acme)
        eventually(lambda: it.documents("contact.created"), "a delivery")
        headers, body = it.got[0]
        verified = Webhook(made["secret"]).verify(body.decode(), headers)
        assert verified["id"] == headers["webhook-id"]
        assert verified["type"] == "contact.created"
        assert verified["data"] == acme.api.get(f"/v1/contacts/{contact}")
        assert set(verified) == {"id", "type", "at", "data"}


def test_events_come_in_order_and_once_and_only_those_asked_for(acme: LocationInStory) -> None:
    with consumer() as it:
        endpoint(acme, it, "contact.created")
        contacts = [add_contact(acme) for _ in range(20)]
        acme.api.patch(f"/v1/contacts/{contacts[0]}", {"name": "Lea Lead"})
        eventually(lambda: len(it.got) >= 20, "20 deliveries")
        assert [one["data"]["id"] for one in it.documents()] == contacts


def test_i4_a_consumer_that_hangs_or_fails_delays_no_other(acme: LocationInStory) -> None:
    with consumer() as well, consumer() as broken, consumer() as hanging:
        broken.answer = 500
        hanging.hangs = threading.Event()
        for it in (broken, hanging, well):
            endpoint(acme, it, "contact.created")
        contacts = [add_contact(acme) for _ in range(5)]
        eventually(lambda: len(well.got) >= 5, "5 deliveries to the one that works", patience_s=10)
        assert [one["data"]["id"] for one in well.documents()] == contacts
        assert broken.got == []
        broken.answer = 200
        eventually(lambda: len(broken.got) >= 5, "5 deliveries after the trouble")
        assert [one["data"]["id"] for one in broken.documents()] == contacts


def test_a_consumer_that_is_gone_is_disabled_and_goes_on_where_it_stopped(acme: LocationInStory) -> None:
    with consumer() as it:
        it.answer = 410
        made = endpoint(acme, it, "contact.created")
        first = add_contact(acme)

        def look() -> Any:
            found = acme.api.get(f"/v1/webhook_endpoints/{made['id']}")
            return found["disabled_at"] and found

        assert "410" in eventually(look, "the endpoint is disabled")["reason"]
        second = add_contact(acme)
        it.answer = 200
        assert acme.api.post(f"/v1/webhook_endpoints/{made['id']}/enable")["disabled_at"] is None
        eventually(lambda: len(it.got) >= 2, "both deliveries")
        assert [one["data"]["id"] for one in it.documents()] == [first, second]
