"""A client that follows the history sees exactly the mailbox, over random changes from both sides."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest
from tests.devstack.gmail.test_sending import mail

pytestmark = pytest.mark.servers
BOB, LEAD = "bob@gmail.com", "lead@out.example"
CHANGES = 200


class Mirror:
    """A careful sync client: history from its own cursor, a full listing when that has expired."""

    def __init__(self, gmail: GmailControl) -> None:
        self.gmail = gmail
        self.rest = Rest(gmail, BOB)
        self.labels: dict[str, set[str]] = {}
        self.waiting: set[str] = set()
        self.cursor = ""
        self.full_syncs = 0

    def full(self) -> None:
        self.full_syncs += 1
        self.cursor = str(self.rest.get("profile")["historyId"])
        query: dict[str, Any] = {"includeSpamTrash": "true", "maxResults": 7}
        found: set[str] = set()
        while True:
            page = self.rest.get("messages", **query)
            found |= {m["id"] for m in page.get("messages", [])}
            if "nextPageToken" not in page:
                break
            query["pageToken"] = page["nextPageToken"]
        self.labels = {i: labels for i, labels in self.labels.items() if i in found}
        self.look(found)

    def sync(self) -> None:
        if not self.cursor:
            self.full()
            return
        query: dict[str, Any] = {"startHistoryId": self.cursor, "maxResults": 3}
        touched = set(self.waiting)
        while True:
            answer = self.rest.http.get("history", params=query)
            if answer.status_code == 404:
                self.full()
                return
            page = answer.json()
            for record in page.get("history", []):
                for kind in ("messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved"):
                    touched |= {entry["message"]["id"] for entry in record.get(kind, [])}
            if "nextPageToken" not in page:
                break
            query["pageToken"] = page["nextPageToken"]
        self.cursor = page["historyId"]
        self.look(touched)

    def look(self, ids: set[str]) -> None:
        for message_id in ids:
            answer = self.rest.http.get(f"messages/{message_id}", params={"format": "minimal"})
            self.waiting.discard(message_id)
            if answer.status_code == 200:
                self.labels[message_id] = set(answer.json().get("labelIds", []))
            elif answer.status_code == 404:
                self.labels.pop(message_id, None)
                self.waiting.add(message_id)


def change(source: random.Random, gmail: GmailControl, rest: Rest, number: int) -> None:
    """One change, by the user in Gmail, by the client, or from outside."""
    known = gmail.messages(BOB)
    plain = [m for m in known if "DRAFT" not in m["labels"]]
    kind = source.choice(
        ["arrive", "arrive", "send", "label", "label", "move", "draft", "api", "delete", "reply"]
    )
    chosen = source.choice(plain)["id"] if plain else ""
    if kind == "arrive" or not plain:
        gmail.deliver({"from": LEAD, "to": BOB, "subject": f"s{number}"}, spam=source.random() < 0.2)
    elif kind == "send":
        fields = {"to": source.choice([LEAD, BOB]), "subject": f"u{number}", "text": "x"}
        gmail.send_as_user(BOB, fields, autosaves=source.randrange(4))
    elif kind == "label":
        add, remove = source.sample(["STARRED", "UNREAD", "IMPORTANT"], 2)
        gmail.modify(BOB, chosen, add=[add], remove=[remove])
    elif kind == "move":
        gmail.move(BOB, chosen, source.choice(["trash", "spam", "inbox", "archive"]))
    elif kind == "draft":
        draft = gmail.draft(BOB, {"to": LEAD, "subject": f"d{number}"})
        gmail.draft(BOB, {"to": LEAD, "subject": f"d{number}"}, draft_id=draft["draft_id"])
    elif kind == "api":
        assert rest.http.post("messages/send", json={"raw": mail(To=LEAD, Subject="api")}).status_code == 200
    elif kind == "delete":
        gmail.move(BOB, chosen, "nowhere")
    else:
        gmail.reply(BOB, chosen, "ok", to=LEAD, autosaves=source.randrange(3))


def truth(gmail: GmailControl) -> dict[str, set[str]]:
    return {m["id"]: set(m["labels"]) for m in gmail.messages(BOB)}


def play(gmail: GmailControl, seed: int, changes: int, awkward: bool) -> None:
    gmail.create_mailbox(BOB)
    if awkward:
        gmail.awkward(leave=["latency_s", "units_per_user_minute", "concurrent_per_mailbox"])
        gmail.behaviour(seed=seed)
    source = random.Random(seed)
    mirror = Mirror(gmail)
    rest = Rest(gmail, BOB)
    for number in range(changes):
        change(source, gmail, rest, number)
        if number % 20 == 0:
            mirror.sync()
        if number % 67 == 50:
            gmail.expire_history(BOB)
        if not awkward and number % 20 == 0:
            assert mirror.labels == truth(gmail)
    gmail.advance_clock(100)
    mirror.rest = Rest(gmail, BOB)
    mirror.sync()
    mirror.sync()
    assert mirror.labels == truth(gmail)
    assert mirror.full_syncs > 1
    assert len(mirror.labels) > changes / 10


@pytest.mark.parametrize(("awkward", "changes"), [(False, CHANGES // 2), (True, CHANGES)])
def test_a_careful_client_loses_nothing(gmail: GmailControl, awkward: bool, changes: int) -> None:
    play(gmail, 7, changes, awkward)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_a_careful_client_loses_nothing_whatever_the_seed(gmail: GmailControl, seed: int) -> None:
    play(gmail, seed, 400, awkward=seed % 2 == 1)


def test_two_clients_at_once_do_not_disturb_each_other(gmail: GmailControl) -> None:
    gmail.create_mailbox(BOB)
    first, second = Rest(gmail, BOB), Rest(gmail, BOB)
    ids = [gmail.deliver({"from": LEAD, "to": BOB, "subject": str(i)})[BOB] for i in range(5)]
    first.post("messages/batchModify", {"ids": ids[:3], "addLabelIds": ["STARRED"]}, expect=204)
    second.post("messages/batchModify", {"ids": ids[1:], "removeLabelIds": ["UNREAD"]}, expect=204)
    assert isinstance(second.http, httpx.Client)
    labels = [set(m["labels"]) for m in gmail.messages(BOB)]
    assert ["STARRED" in have for have in labels] == [True, True, True, False, False]
    assert ["UNREAD" in have for have in labels] == [True, False, False, False, False]
