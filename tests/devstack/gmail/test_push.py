"""watch, stop, and the pushes that follow."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest

pytestmark = pytest.mark.servers
BOB = "bob@gmail.com"
TOPIC = "projects/emulator/topics/gmail"
WEEK_S = 7 * 86_400


class Endpoint:
    """A push endpoint that remembers what it got and answers as told."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.tokens.append(str(self.headers["Authorization"]).removeprefix("Bearer "))
                status = outer.statuses.pop(0) if outer.statuses else 204
                outer.got.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/gmail"

    def data(self) -> list[dict[str, Any]]:
        return [json.loads(base64.urlsafe_b64decode(body["message"]["data"])) for body in self.got]

    def wait(self, test: Callable[[], bool], deadline_s: float = 30) -> None:
        end = time.monotonic() + deadline_s
        while not test():
            assert time.monotonic() < end, "no push in time"
            time.sleep(0.01)


@pytest.fixture
def endpoint(gmail: GmailControl) -> Iterator[Endpoint]:
    made = Endpoint()
    gmail.configure(push_endpoint=made.url)
    yield made
    gmail.configure(push_endpoint="")
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB)
    return Rest(gmail, BOB)


def arrive(gmail: GmailControl, subject: str = "s") -> None:
    gmail.deliver({"from": "x@out.example", "to": BOB, "subject": subject})


def test_a_watch_publishes_at_once_and_lasts_seven_days(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    before = time.time()
    answer = bob.post("watch", {"topicName": TOPIC})
    assert answer["historyId"] == bob.get("profile")["historyId"]
    assert before + WEEK_S - 1 <= int(answer["expiration"]) / 1000 <= time.time() + WEEK_S + 1
    endpoint.wait(lambda: len(endpoint.got) == 1)
    assert endpoint.data() == [{"emailAddress": BOB, "historyId": answer["historyId"]}]


def test_a_push_is_signed_as_pubsub_signs(gmail: GmailControl, bob: Rest, endpoint: Endpoint) -> None:
    gmail.configure(
        push_audience="https://crm.example/webhooks/gmail", push_service_account="p@x.iam.gserviceaccount.com"
    )
    bob.post("watch", {"topicName": TOPIC})
    endpoint.wait(lambda: len(endpoint.got) == 1)
    claims = id_token.verify_token(
        endpoint.tokens[0],
        Request(),
        audience="https://crm.example/webhooks/gmail",
        certs_url=f"{gmail.base_url}/oauth2/v1/certs",
    )
    assert (claims["iss"], claims["email"]) == ("https://accounts.google.com", "p@x.iam.gserviceaccount.com")
    assert claims["email_verified"] is True
    assert claims["exp"] - claims["iat"] == 3600
    assert set(endpoint.got[0]) == {"message", "subscription"}


def test_every_change_is_pushed_and_other_peoples_are_not(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    gmail.create_mailbox("ann@gmail.com")
    bob.post("watch", {"topicName": TOPIC})
    gmail.deliver({"from": "x@out.example", "to": "ann@gmail.com"})
    arrive(gmail)
    endpoint.wait(lambda: len(endpoint.got) >= 2)
    assert {data["emailAddress"] for data in endpoint.data()} == {BOB}
    current = bob.get("profile")["historyId"]
    assert endpoint.data()[-1]["historyId"] == current


def test_a_refused_push_comes_again_until_it_is_acknowledged(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 404]
    bob.post("watch", {"topicName": TOPIC})
    endpoint.wait(lambda: len(endpoint.got) == 3)
    assert len({body["message"]["messageId"] for body in endpoint.got}) == 1
    assert [push["status"] for push in gmail.pushes(BOB)][:2] == [500, 404]


def test_only_one_topic_per_project(bob: Rest) -> None:
    bob.post("watch", {"topicName": TOPIC})
    bob.post("watch", {"topicName": TOPIC})
    other = bob.post("watch", {"topicName": f"{TOPIC}-2"}, expect=400)
    assert other["error"]["status"] == "INVALID_ARGUMENT"
    assert other["error"]["message"] == (
        "Only one user push notification client allowed per developer (call /stop then try again)"
    )
    bob.post("stop", expect=204)
    bob.post("stop", expect=204)
    bob.post("watch", {"topicName": f"{TOPIC}-2"})
    foreign = bob.post("watch", {"topicName": "projects/other/topics/gmail"}, expect=400)
    assert foreign["error"]["message"] == "Invalid topicName does not match projects/emulator/topics/*"


def test_a_stop_or_a_week_ends_the_pushes(gmail: GmailControl, bob: Rest, endpoint: Endpoint) -> None:
    bob.post("watch", {"topicName": TOPIC})
    endpoint.wait(lambda: len(endpoint.got) == 1)
    bob.post("stop", expect=204)
    arrive(gmail, "after stop")
    bob.post("watch", {"topicName": TOPIC})
    endpoint.wait(lambda: len(endpoint.got) == 2)
    gmail.advance_clock(WEEK_S + 1)
    arrive(gmail, "after a week")
    gmail.set_clock_offset(0)
    gmail.publish(BOB, 7)
    endpoint.wait(lambda: endpoint.data()[-1]["historyId"] == "7")
    assert len(endpoint.got) == 3


def test_at_most_one_push_a_second_and_the_rest_is_dropped(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    gmail.behaviour(push_min_interval_s=3600)
    bob.post("watch", {"topicName": TOPIC})
    for i in range(5):
        arrive(gmail, str(i))
    gmail.publish("nobody@gmail.com", 9)
    endpoint.wait(lambda: any(data["emailAddress"] == "nobody@gmail.com" for data in endpoint.data()))
    assert [data["emailAddress"] for data in endpoint.data()].count(BOB) == 1


def test_pushes_can_be_doubled_lost_late_and_numeric(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    gmail.behaviour(push_duplicate_rate=1.0, push_number_history_id=True)
    gmail.publish(BOB, 11)
    endpoint.wait(lambda: len(endpoint.got) == 2)
    assert [data["historyId"] for data in endpoint.data()] == [11, 11]
    assert len({body["message"]["messageId"] for body in endpoint.got}) == 1
    gmail.behaviour(push_duplicate_rate=0.0, push_lose_rate=1.0)
    gmail.publish(BOB, 12)
    gmail.behaviour(push_lose_rate=0.0, push_delay_s=2.0)
    gmail.publish(BOB, 13)
    gmail.behaviour(push_delay_s=0.0)
    gmail.publish(BOB, 14)
    endpoint.wait(lambda: len(endpoint.got) == 4)
    assert [data["historyId"] for data in endpoint.data()][2:] == [14, 13]


def test_a_push_can_come_before_the_history_shows_the_change(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    gmail.behaviour(history_lag_s=60)
    bob.post("watch", {"topicName": TOPIC})
    start = bob.get("profile")["historyId"]
    arrive(gmail)
    endpoint.wait(lambda: len(endpoint.got) >= 2)
    assert int(endpoint.data()[-1]["historyId"]) > int(start)
    assert bob.get("history", startHistoryId=start) == {"historyId": start}
    gmail.advance_clock(61)
    assert len(bob.get("history", startHistoryId=start)["history"]) == 1


def test_certs_can_change_and_be_wrong(gmail: GmailControl, bob: Rest, endpoint: Endpoint) -> None:
    gmail.publish(BOB, 1)
    endpoint.wait(lambda: len(endpoint.got) == 1)
    gmail.rotate_keys(keep_old=False)
    gmail.publish(BOB, 2)
    endpoint.wait(lambda: len(endpoint.got) == 2)
    certs_url = f"{gmail.base_url}/oauth2/v1/certs"
    assert id_token.verify_token(endpoint.tokens[1], Request(), audience=endpoint.url, certs_url=certs_url)
    with pytest.raises(ValueError, match="not found"):
        id_token.verify_token(endpoint.tokens[0], Request(), audience=endpoint.url, certs_url=certs_url)


@pytest.mark.parametrize(("moved_s", "said"), [(-7200, "Token expired"), (7200, "Token used too early")])
def test_a_push_may_be_signed_by_a_clock_that_is_wrong(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint, moved_s: int, said: str
) -> None:
    gmail.set_clock_offset(moved_s)
    gmail.publish(BOB, 1)
    endpoint.wait(lambda: len(endpoint.got) == 1)
    certs_url = f"{gmail.base_url}/oauth2/v1/certs"
    with pytest.raises(ValueError, match=said):
        id_token.verify_token(endpoint.tokens[0], Request(), audience=endpoint.url, certs_url=certs_url)


def test_a_renewal_may_need_a_stop_first(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(watch_renewal_needs_stop=True)
    bob.post("watch", {"topicName": TOPIC})
    bob.post("watch", {"topicName": TOPIC}, expect=400)
    bob.post("stop", expect=204)
    bob.post("watch", {"topicName": TOPIC})


def test_pushes_may_go_on_for_a_while_after_a_stop(
    gmail: GmailControl, bob: Rest, endpoint: Endpoint
) -> None:
    gmail.behaviour(stop_lag_s=60)
    bob.post("watch", {"topicName": TOPIC})
    bob.post("stop", expect=204)
    arrive(gmail)
    endpoint.wait(lambda: len(endpoint.got) == 2)
    gmail.advance_clock(61)
    arrive(gmail, "later")
    gmail.publish("nobody@gmail.com", 9)
    endpoint.wait(lambda: endpoint.data()[-1]["emailAddress"] == "nobody@gmail.com")
    assert len(endpoint.got) == 3
