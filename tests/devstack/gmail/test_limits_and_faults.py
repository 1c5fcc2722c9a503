"""Google's limits in its own words, and faults on demand."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest, web
from tests.devstack.gmail.test_mail_flow import arrival
from tests.devstack.gmail.test_sending import mail

pytestmark = pytest.mark.servers
BOB, OUT = "bob@gmail.com", "lead@out.example"


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB)
    return Rest(gmail, BOB)


def test_units_per_user_and_minute_by_the_2026_table(gmail: GmailControl, bob: Rest) -> None:
    gmail.create_mailbox("ann@gmail.com")
    (message_id,) = gmail.insert(BOB, [{"fields": {"subject": "x", "from": OUT}}])
    gmail.behaviour(units_per_user_minute=45)
    bob.get(f"messages/{message_id}", format="minimal")
    bob.get(f"messages/{message_id}", format="minimal")
    bob.get("messages")
    refused = bob.get("labels", expect=403)["error"]
    assert refused["errors"][0]["domain"] == "usageLimits"
    assert refused["errors"][0]["reason"] == "rateLimitExceeded"
    assert refused["message"].startswith(
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
        "'gmail.googleapis.com' for consumer 'project_number:"
    )
    Rest(gmail, "ann@gmail.com").get("labels")
    gmail.advance_clock(61)
    bob.get("labels")
    assert gmail.usage(mailbox=BOB, status=200) == gmail.usage(mailbox=BOB, status=200) | {
        "units": 46,
        "count": 4,
    }


@pytest.mark.parametrize(
    ("form", "message"), [("429", "Quota exceeded"), ("exhausted", "Resource has been exhausted")]
)
def test_the_same_limit_also_comes_as_429(gmail: GmailControl, bob: Rest, form: str, message: str) -> None:
    gmail.behaviour(units_per_user_minute=1, limit_error=form)
    bob.get("profile")
    error = bob.get("profile", expect=429)["error"]
    assert error["message"].startswith(message)
    assert (error["status"], error["errors"][0]["reason"]) == ("RESOURCE_EXHAUSTED", "rateLimitExceeded")


def test_project_minute_and_day(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(units_per_project_minute=1)
    bob.get("profile")
    assert "'Queries per minute'" in bob.get("profile", expect=403)["error"]["message"]
    gmail.reset_behaviour()
    gmail.behaviour(units_per_project_day=1)
    bob.get("profile")
    assert bob.get("profile", expect=403)["error"]["errors"][0]["reason"] == "dailyLimitExceeded"


def test_too_many_requests_at_the_same_time(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(concurrent_per_mailbox=2, latency_s=1.5)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: bob.http.get("profile"), range(6)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= 2
    refused = next(answer for answer in answers if answer.status_code == 429).json()["error"]
    assert refused["message"] == "Too many concurrent requests for user"
    gmail.behaviour(latency_s=0.0)
    bob.get("profile")


def test_the_days_limit_of_mails_with_the_time_in_the_text(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(daily_send_limit=2)
    bob.post("messages/send", {"raw": mail(To=f"{OUT}, b@out.example", Subject="1")})
    error = bob.post("messages/send", {"raw": mail(To=OUT, Subject="2")}, expect=429)["error"]
    assert error["errors"][0]["reason"] == "userRateLimitExceeded"
    assert re.search(
        r"User-rate limit exceeded\.  Retry after \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", error["message"]
    )
    assert len(gmail.outbox()) == 1
    gmail.advance_clock(86_401)
    Rest(gmail, BOB).post("messages/send", {"raw": mail(To=OUT, Subject="3")})


def test_the_limit_may_tell_afterwards_by_mail_in_the_thread(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(daily_send_limit=1, late_limit_notice=True)
    bob.post("messages/send", {"raw": mail(To=OUT, Subject="1")})
    accepted = bob.post("messages/send", {"raw": mail(To=OUT, Subject="2")})
    assert accepted["labelIds"] == ["SENT"]
    (notice,) = arrival(gmail)
    assert notice["thread_id"] == accepted["threadId"]
    assert b"You have reached a limit for sending mail. Your message was not sent." in notice["raw"]
    assert len(gmail.outbox()) == 1


def test_a_fault_strikes_the_next_calls_of_a_method(gmail: GmailControl, bob: Rest) -> None:
    gmail.fault("gmail.users.getProfile", times=2, status=503, reason="backendError", message="Backend Error")
    for _ in range(2):
        error = bob.get("profile", expect=503)["error"]
        assert (error["message"], error["errors"][0]["reason"]) == ("Backend Error", "backendError")
    bob.get("profile")
    bob.get("labels")
    assert gmail.faults() == [{"method": "gmail.users.getProfile", "struck": 2}]


def test_a_fault_at_a_rate_repeats_itself_with_its_seed(gmail: GmailControl, bob: Rest) -> None:
    def strikes(seed: int) -> list[int]:
        gmail.clear_faults()
        gmail.fault("gmail.users.getProfile", rate=0.5, seed=seed, status=500)
        return [bob.http.get("profile").status_code for _ in range(20)]

    first = strikes(1)
    assert set(first) == {200, 500}
    assert strikes(1) == first
    assert strikes(2) != first


@pytest.mark.parametrize(("drop", "left"), [("before", 0), ("after", 1)])
def test_a_connection_breaks_before_or_after_the_effect(
    gmail: GmailControl, bob: Rest, drop: str, left: int
) -> None:
    gmail.fault("gmail.users.messages.send", drop=drop)
    with pytest.raises(httpx.RemoteProtocolError):
        bob.post("messages/send", {"raw": mail(To=OUT, Subject="x")})
    assert len(gmail.outbox()) == left
    assert len(gmail.messages(BOB)) == left


def test_an_error_may_come_although_the_call_had_its_effect(gmail: GmailControl, bob: Rest) -> None:
    gmail.fault("gmail.users.messages.send", status=503, after_effect=True)
    bob.post("messages/send", {"raw": mail(To=OUT, Subject="x")}, expect=503)
    assert len(gmail.outbox()) == 1


def test_answers_can_be_cut_or_no_json(gmail: GmailControl, bob: Rest) -> None:
    gmail.fault("gmail.users.labels.list", cut=10)
    with pytest.raises(httpx.RemoteProtocolError):
        bob.get("labels")
    gmail.fault(
        "gmail.users.labels.list", status=502, body="<html>Bad Gateway</html>", content_type="text/html"
    )
    answer = bob.http.get("labels")
    assert (answer.status_code, answer.text) == (502, "<html>Bad Gateway</html>")
    gmail.clear_faults()
    gmail.fault("gmail.users.labels.list", body="not json at all")
    assert bob.http.get("labels").text == "not json at all"


def test_faults_know_mailboxes_latency_and_the_token_endpoint(gmail: GmailControl, bob: Rest) -> None:
    gmail.create_mailbox("ann@gmail.com")
    gmail.fault("*", mailbox=BOB, status=429, reason="rateLimitExceeded", headers={"Retry-After": "7"})
    Rest(gmail, "ann@gmail.com").get("profile")
    assert bob.http.get("profile").headers["Retry-After"] == "7"
    gmail.fault("gmail.users.getProfile", latency_s=0.2)
    began = time.monotonic()
    bob.get("profile")
    assert time.monotonic() - began >= 0.2
    gmail.fault("oauth.token", status=500, body="{}")
    assert web.post(f"{gmail.base_url}/token", data={}).status_code == 500
    gmail.fault("oauth.certs", body="{}")
    assert web.get(f"{gmail.base_url}/oauth2/v1/certs").json() == {}


def test_the_request_log_knows_who_asked_for_what(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"fields": {"subject": "x", "from": OUT}}])
    gmail.clear_log()
    bob.get(f"messages/{message_id}", format="metadata")
    bob.get("messages/19a0000000000000", format="raw", expect=404)
    (entry,) = gmail.requests("messages.get", mailbox=BOB, form="metadata")
    assert (entry["path_id"], entry["status"], entry["units"]) == (message_id, 200, 20)
    assert entry["at"] == pytest.approx(time.time(), abs=60)
    assert gmail.requests("messages.get", form="raw", status=200) == []
    assert gmail.usage(mailbox=BOB)["units"] == 40


def test_awkward_turns_everything_on_and_reset_off_again(gmail: GmailControl) -> None:
    quiet = gmail.behaviour()
    awkward = gmail.awkward(leave=["latency_s"])
    assert awkward["push_lose_rate"] > 0
    assert awkward["history_lag_s"] > 0
    assert awkward["latency_s"] == quiet["latency_s"]
    assert gmail.reset_behaviour() == quiet
