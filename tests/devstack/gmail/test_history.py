"""history.list: records, paging, expiry, and its oddities."""

from __future__ import annotations

from typing import Any

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest

pytestmark = pytest.mark.servers
BOB = "bob@gmail.com"


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB, history_start=2**53 + 1)
    return Rest(gmail, BOB)


def arrive(gmail: GmailControl, subject: str = "s") -> str:
    return gmail.deliver({"from": "x@out.example", "to": BOB, "subject": subject})[BOB]


def pages(bob: Rest, start: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"startHistoryId": start, **query}
    while True:
        found.append(bob.get("history", **asked))
        if "nextPageToken" not in found[-1]:
            return found
        asked["pageToken"] = found[-1]["nextPageToken"]


def entries(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for page in found for record in page.get("history", []) for entry in record.get(kind, [])]


def test_nothing_new_answers_the_current_id_alone(bob: Rest) -> None:
    current = bob.get("profile")["historyId"]
    assert bob.get("history", startHistoryId=current) == {"historyId": current}


def test_ids_are_strings_that_grow_with_gaps_beyond_53_bits(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    for i in range(20):
        arrive(gmail, str(i))
    (page,) = pages(bob, start)
    ids = [int(record["id"]) for record in page["history"]]
    assert all(isinstance(record["id"], str) for record in page["history"])
    assert ids == sorted(set(ids))
    assert ids[0] > 2**53
    assert ids[-1] - ids[0] > 19
    assert page["historyId"] == str(ids[-1])


def test_every_kind_of_change_has_its_record(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    message_id = arrive(gmail)
    gmail.modify(BOB, message_id, add=["STARRED"], remove=["UNREAD"])
    gmail.move(BOB, message_id, "nowhere")
    found = pages(bob, start)
    added, removed = entries(found, "labelsAdded"), entries(found, "labelsRemoved")
    assert [e["message"]["id"] for e in entries(found, "messagesAdded")] == [message_id]
    assert [(e["message"]["id"], e["labelIds"]) for e in added] == [(message_id, ["STARRED"])]
    assert [(e["message"]["id"], e["labelIds"]) for e in removed] == [(message_id, ["UNREAD"])]
    assert [e["message"]["id"] for e in entries(found, "messagesDeleted")] == [message_id]


def test_trash_is_a_label_and_no_deletion(gmail: GmailControl, bob: Rest) -> None:
    message_id = arrive(gmail)
    start = bob.get("profile")["historyId"]
    gmail.move(BOB, message_id, "trash")
    found = pages(bob, start)
    assert entries(found, "messagesDeleted") == []
    assert entries(found, "labelsAdded")[0]["labelIds"] == ["TRASH"]
    assert entries(found, "labelsRemoved")[0]["labelIds"] == ["INBOX"]


def test_pages_hold_everything_once_and_show_the_current_id(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    ids = [arrive(gmail, str(i)) for i in range(23)]
    found = pages(bob, start, maxResults=5)
    assert len(found) == 5
    assert [e["message"]["id"] for e in entries(found, "messagesAdded")] == ids
    assert {page["historyId"] for page in found} == {bob.get("profile")["historyId"]}


def test_types_and_label_filter(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    message_id = arrive(gmail)
    gmail.modify(BOB, message_id, add=["STARRED"])
    only = pages(bob, start, historyTypes=["labelAdded"])
    assert entries(only, "messagesAdded") == []
    assert len(entries(only, "labelsAdded")) == 1
    assert pages(bob, start, labelId="SPAM")[0].get("history") is None


def test_an_expired_or_senseless_start_answers_404(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    arrive(gmail)
    gmail.expire_history(BOB)
    assert bob.get("history", startHistoryId=start, expect=404)["error"]["status"] == "NOT_FOUND"
    bob.get("history", startHistoryId="0", expect=404)
    current = bob.get("profile")["historyId"]
    message_id = arrive(gmail, "after")
    assert entries(pages(bob, current), "messagesAdded")[0]["message"]["id"] == message_id
    bob.get("history", startHistoryId="abc", expect=400)


def test_history_can_lag_and_then_loses_nothing(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    early = arrive(gmail, "early")
    gmail.advance_clock(100)
    gmail.behaviour(history_lag_s=50)
    late = arrive(gmail, "late")
    (page,) = pages(bob, start)
    assert [e["message"]["id"] for e in entries([page], "messagesAdded")] == [early]
    gmail.advance_clock(51)
    assert [e["message"]["id"] for e in entries(pages(bob, page["historyId"]), "messagesAdded")] == [late]


def test_pages_without_records_and_repeated_records(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    ids = [arrive(gmail, str(i)) for i in range(6)]
    gmail.behaviour(history_empty_page_rate=1.0, history_duplicate_rate=1.0)
    found = pages(bob, start)
    assert "history" not in found[0]
    assert "nextPageToken" in found[0]
    seen = [e["message"]["id"] for e in entries(found, "messagesAdded")]
    assert sorted(seen) == sorted(ids * 2)


def test_labels_on_stubs_are_not_guaranteed(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    gmail.behaviour(history_labels_rate=0.0)
    arrive(gmail)
    assert "labelIds" not in entries(pages(bob, start), "messagesAdded")[0]["message"]
