"""Notifications by pulling, against a Pub/Sub that speaks gRPC."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.pubsub_v1 import types

from gmail.config import GoogleConfig
from gmail.pull import pull_hints
from gmail.push import PushHint

pytestmark = pytest.mark.servers

SUBSCRIPTION = "projects/crm/subscriptions/mail"
UNUSED: dict[str, Any] = dict.fromkeys(
    ("gmail_endpoint", "people_endpoint", "auth_uri", "token_uri", "revoke_uri", "certs_uri"), ""
)


@dataclass
class PubSub:
    """Gives out what is not acknowledged yet, each message at every pull."""

    address: str = ""
    waiting: dict[str, bytes] = field(default_factory=dict)
    pulls: int = 0
    unavailable: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def publish(self, *datas: bytes) -> None:
        for data in datas:
            self.waiting[f"ack-{len(self.waiting)}"] = data

    def pull(self, request: types.PullRequest, context: Any) -> types.PullResponse:
        assert request.subscription == SUBSCRIPTION
        self.pulls += 1
        if self.unavailable:
            self.unavailable -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        if not self.waiting:
            self.stop.set()
        received = [
            types.ReceivedMessage(ack_id=ack_id, message=types.PubsubMessage(data=data, message_id=ack_id))
            for ack_id, data in self.waiting.items()
        ]
        return types.PullResponse(received_messages=received)

    def acknowledge(self, request: types.AcknowledgeRequest, context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        for ack_id in request.ack_ids:
            del self.waiting[ack_id]
        return Empty()


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSub]:
    fake = PubSub()
    handlers = {
        "Pull": grpc.unary_unary_rpc_method_handler(
            fake.pull, types.PullRequest.deserialize, types.PullResponse.serialize
        ),
        "Acknowledge": grpc.unary_unary_rpc_method_handler(
            fake.acknowledge, types.AcknowledgeRequest.deserialize, lambda answer: answer.SerializeToString()
        ),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", handlers),)
    )
    fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", fake.address)
    yield fake
    server.stop(None).wait(10)


@pytest.fixture
def config(pubsub: PubSub) -> GoogleConfig:
    return GoogleConfig(
        **UNUSED,
        client_id="",
        client_secret="",
        redirect_uri="",
        subscription=SUBSCRIPTION,
        pubsub_emulator_host=pubsub.address,
    )


def notification(email: str, history_id: int) -> bytes:
    return json.dumps({"emailAddress": email, "historyId": history_id}).encode()


def test_each_mailboxs_newest_hint_is_handed_over_and_all_is_acknowledged(
    pubsub: PubSub, config: GoogleConfig
) -> None:
    pubsub.publish(
        notification("Ann@example.com", 7),
        notification("bob@example.com", 5),
        notification("ann@example.com", 9),
        notification("ann@example.com", 8),
        b"no sense",
    )
    hints: list[PushHint] = []

    pull_hints(config, hints.append, pubsub.stop)

    assert hints == [PushHint("ann@example.com", 9), PushHint("bob@example.com", 5)]
    assert pubsub.waiting == {}


def test_a_hint_that_is_not_safe_comes_again(pubsub: PubSub, config: GoogleConfig) -> None:
    pubsub.publish(notification("ann@example.com", 7))
    hints: list[PushHint] = []

    def fails_once(hint: PushHint) -> None:
        hints.append(hint)
        if len(hints) == 1:
            raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        pull_hints(config, fails_once, pubsub.stop)
    assert len(pubsub.waiting) == 1

    pull_hints(config, fails_once, pubsub.stop)
    assert hints == [PushHint("ann@example.com", 7)] * 2
    assert pubsub.waiting == {}


def test_an_unavailable_pubsub_is_asked_again(
    pubsub: PubSub, config: GoogleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gmail.pull.PAUSE_AFTER_TROUBLE_S", 0.01)
    pubsub.unavailable = 2
    pubsub.publish(notification("ann@example.com", 7))
    hints: list[PushHint] = []

    pull_hints(config, hints.append, pubsub.stop)

    assert hints == [PushHint("ann@example.com", 7)]
    assert pubsub.pulls == 4
