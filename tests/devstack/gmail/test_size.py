"""Speed and size: processor time of the emulator's process, which does not depend on what else runs here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from devstack.gmail.control import GmailControl
from gmail.client import Gmail
from gmail.config import GoogleConfig
from gmail.mailbox import Mailbox
from gmail.tokens import FixedToken
from mail.parse import parse
from tests.devstack.gmail.conftest import Rest, start, stop
from tests.devstack.gmail.test_oauth import CALLBACK, CLIENT, SECRET

pytestmark = pytest.mark.servers
BIG = "big@gmail.com"
MESSAGES = 50_000
MAILBOXES = 10_000
GET_S, PAGE_S = 0.002, 0.020


@dataclass
class Loaded:
    """An emulator that is full."""

    gmail: GmailControl
    process: psutil.Process
    ids: list[str]

    def cost(self, rest: Rest, path: str, times: int, **query: Any) -> float:
        """Processor seconds of the emulator for one such call."""
        before = sum(self.process.cpu_times()[:2])
        for _ in range(times):
            rest.get(path, **query)
        return (sum(self.process.cpu_times()[:2]) - before) / times


def config(control: GmailControl) -> GoogleConfig:
    """Our own client's settings, for the emulator."""
    url = control.base_url
    return GoogleConfig(
        gmail_endpoint=url,
        people_endpoint=url,
        auth_uri=f"{url}/o/oauth2/v2/auth",
        token_uri=f"{url}/token",
        revoke_uri=f"{url}/revoke",
        certs_uri=f"{url}/oauth2/v1/certs",
        client_id=CLIENT,
        client_secret=SECRET,
        redirect_uri=CALLBACK,
        topic="projects/emulator/topics/gmail",
        units_per_minute=1_000_000,
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    process, gmail = start(folder=tmp_path_factory.mktemp("big"))
    gmail.http.timeout = httpx.Timeout(170)
    gmail.create_mailbox(BIG)
    ids = gmail.fill(BIG, MESSAGES)
    assert len(gmail.open_many(MAILBOXES, messages=2)) == MAILBOXES
    yield Loaded(gmail, psutil.Process(process.pid), ids)
    stop(process, gmail)


@pytest.mark.parametrize("form", ["minimal", "metadata", "full", "raw"])
def test_a_get_takes_less_than_two_milliseconds(loaded: Loaded, form: str) -> None:
    path = f"messages/{loaded.ids[MESSAGES // 2]}"
    assert loaded.cost(Rest(loaded.gmail, BIG), path, 200, format=form) < GET_S


def test_a_history_page_takes_less_than_twenty_milliseconds(loaded: Loaded) -> None:
    rest = Rest(loaded.gmail, BIG)
    start_id = rest.get(f"messages/{loaded.ids[MESSAGES // 2]}", format="minimal")["historyId"]
    page = rest.get("history", startHistoryId=start_id, maxResults=500)
    assert len(page["history"]) == 500
    assert loaded.cost(rest, "history", 20, startHistoryId=start_id, maxResults=500) < PAGE_S


def test_a_list_page_takes_less_than_twenty_milliseconds(loaded: Loaded) -> None:
    assert loaded.cost(Rest(loaded.gmail, BIG), "messages", 20, maxResults=500) < PAGE_S


def test_the_gets_of_a_mail_cost_at_most_half_of_what_our_client_spends_on_it(loaded: Loaded) -> None:
    """Headers, then the whole mail, read and parsed; best of five rounds, since others make both sides dearer."""
    with closing(Gmail(config(loaded.gmail))) as gmail:
        mailbox = Mailbox(gmail, BIG, FixedToken(loaded.gmail.token(BIG)))
        ratios = []
        for first in range(0, 1000, 200):
            client, server = time.process_time(), sum(loaded.process.cpu_times()[:2])
            for message_id in loaded.ids[first : first + 200]:
                mailbox.look(message_id)
                parse(mailbox.raw(message_id).raw)
            spent = sum(loaded.process.cpu_times()[:2]) - server
            ratios.append(spent / (time.process_time() - client))
    assert min(ratios) <= 0.5


def test_ten_thousand_mailboxes_stay_small(loaded: Loaded) -> None:
    assert loaded.gmail.stats()["mailboxes"] == MAILBOXES + 1
    assert loaded.process.memory_info().rss < 700 * 2**20


def test_a_mailbox_among_ten_thousand_answers_as_fast(loaded: Loaded) -> None:
    rest = Rest(loaded.gmail, "user9999@corp.example")
    assert len(rest.get("messages")["messages"]) == 2
    assert loaded.cost(rest, "messages", 50) < GET_S
