"""messages.list with q: every operator that the emulator knows, against a handful of mails."""

from __future__ import annotations

import time
from typing import Any

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest

pytestmark = pytest.mark.servers
BOB, OUT = "bob@gmail.com", "x@out.example"
DAY_MS = 86_400_000
START_MS = 1_769_904_000_000  # 2026-02-01
FILE = {"filename": "Offer March.pdf", "content_type": "application/pdf", "content_base64": "YQ=="}


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB)
    return Rest(gmail, BOB)


def mail(number: int, labels: list[str], at_ms: int, **fields: Any) -> dict[str, Any]:
    words = ("one", "two", "three", "four", "five")
    made = {"from": OUT, "to": BOB, "subject": words[number - 1], "message_id": f"<id{number}@out.example>"}
    return {"fields": made | fields, "labels": labels, "internal_date": at_ms}


def found(gmail: GmailControl, bob: Rest, **query: Any) -> set[str]:
    ids = {m["id"] for m in bob.get("messages", **query).get("messages", [])}
    return {m["subject"] for m in gmail.messages(BOB) if m["id"] in ids}


@pytest.mark.parametrize(
    ("q", "subjects"),
    [
        ("from:ann", {"one"}),
        ("from:me", {"three"}),
        ("to:team@corp.example", {"two"}),
        ("to:me", {"one", "two"}),
        ("cc:bob@gmail.com", {"two"}),
        ("cc:team@corp.example", set()),
        ("bcc:boss@corp.example", {"three"}),
        ("to:boss@corp.example", {"three"}),
        ("deliveredto:bob+list@gmail.com", {"one"}),
        ("list:news.out.example", {"two"}),
        ("subject:three", {"three"}),
        ("after:2026/02/01 before:2026/02/03", {"two"}),
        ("newer:2026-02-04", {"three"}),
        ("older:2026/02/01", {"one"}),
        ("after:1770076800", {"three"}),
        ("rfc822msgid:id1@out.example", {"one"}),
        ("rfc822msgid:<id1@out.example>", {"one"}),
        ("in:inbox", {"one", "two"}),
        ("in:trash", {"four"}),
        ("in:sent", {"three"}),
        ("-in:chats -in:sent", {"one", "two"}),
        ("label:vip-leads", {"two"}),
        ("has:userlabels", {"two"}),
        ("has:nouserlabels -in:sent", {"one"}),
        ("is:unread", {"one"}),
        ("is:read -in:sent", {"two"}),
        ("is:starred", {"three"}),
        ("category:primary", {"one"}),
        ("has:attachment", {"three"}),
        ("filename:pdf", {"three"}),
        ('filename:"offer march"', {"three"}),
        ("larger:3K", {"one"}),
        ("smaller:3K", {"two", "three"}),
        ("-from:ann -in:sent", {"two"}),
        ("from:ann OR subject:three", {"one", "three"}),
        ("from:ann | subject:three", {"one", "three"}),
        ("from:(ann OR nobody)", {"one"}),
        ("subject:{one two}", {"one", "two"}),
        ("{from:ann subject:two}", {"one", "two"}),
        ("(from:ann OR subject:two) -(is:unread)", {"two"}),
        ("-{from:ann subject:two}", {"three"}),
        ("(from:ann (is:unread OR is:starred)) OR (in:sent AND is:starred)", {"one", "three"}),
        ("in:anywhere", {"one", "two", "three", "four", "five"}),
        ("in:anywhere -in:spam", {"one", "two", "three", "four"}),
        ("apple", {"one"}),
        ('"red apple"', {"one"}),
        ('"apple red"', set()),
        ("nothinglikethis", set()),
    ],
)
def test_q(gmail: GmailControl, bob: Rest, q: str, subjects: set[str]) -> None:
    vip = gmail.create_label(BOB, "VIP Leads")
    long = "A red apple" + " and more" * 500
    told = {"headers": {"Delivered-To": "bob+list@gmail.com"}}
    listed = {"cc": BOB, "headers": {"List-Id": "<news.out.example>"}}
    inbox = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"]
    own = {"from": BOB, "to": "far@far.example", "bcc": "boss@corp.example", "attachments": [FILE]}
    mails = [
        mail(1, inbox, START_MS - DAY_MS, **told, text=long, **{"from": "ann@out.example"}),
        mail(2, ["INBOX", vip], START_MS + DAY_MS // 2, to="team@corp.example", **listed),
        mail(3, ["SENT", "STARRED"], START_MS + 3 * DAY_MS, **own),
        mail(4, ["TRASH"], START_MS + 4 * DAY_MS),
        mail(5, ["SPAM"], START_MS + 5 * DAY_MS),
    ]
    gmail.insert(BOB, mails)
    assert found(gmail, bob, q=q) == subjects


def test_ages_are_counted_from_now(gmail: GmailControl, bob: Rest) -> None:
    now_ms = int(time.time() * 1000)
    gmail.insert(BOB, [mail(1, ["INBOX"], now_ms - 40 * DAY_MS), mail(2, ["INBOX"], now_ms - DAY_MS)])
    assert found(gmail, bob, q="newer_than:2d") == {"two"}
    assert found(gmail, bob, q="older_than:1m") == {"one"}
    assert found(gmail, bob, q="newer_than:1y") == {"one", "two"}
    gmail.advance_clock(2 * 86_400)
    assert found(gmail, Rest(gmail, BOB), q="newer_than:2d") == set()


def test_q_labels_and_hidden_places_work_together(gmail: GmailControl, bob: Rest) -> None:
    gmail.insert(BOB, [mail(1, ["INBOX"], START_MS), mail(2, ["SPAM", "UNREAD"], START_MS + 1)])
    assert found(gmail, bob, q="from:x") == {"one"}
    assert found(gmail, bob, q="from:x", includeSpamTrash="true") == {"one", "two"}
    assert found(gmail, bob, q="from:x", labelIds="SPAM") == {"two"}
    assert (
        bob.get("messages", labelIds="Label_99", expect=400)["error"]["message"] == "Invalid label: Label_99"
    )


def test_pages_of_a_search_hold_everything_once(gmail: GmailControl, bob: Rest) -> None:
    gmail.fill(BOB, 23, senders=["a@out.example", "b@out.example"])
    seen: list[str] = []
    query: dict[str, Any] = {"q": "from:a@out.example", "maxResults": 5}
    while True:
        page = bob.get("messages", **query)
        seen += [m["id"] for m in page["messages"]]
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)


def test_threads_are_found_by_any_of_their_messages_and_come_once(gmail: GmailControl, bob: Rest) -> None:
    wanted = []
    for number in range(6):
        asked = {"from": "ann@out.example", "to": BOB, "subject": f"t{number}"}
        first = gmail.deliver_full(asked)
        answer = {"from": OUT, "to": BOB, "subject": f"Re: t{number}", "in_reply_to": first["message_id"]}
        gmail.deliver(answer)
        wanted.append(first["threads"][BOB])
    seen: list[str] = []
    query: dict[str, Any] = {"q": "from:ann", "maxResults": 2}
    while True:
        page = bob.get("threads", **query)
        seen += [thread["id"] for thread in page["threads"]]
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]
    assert seen == wanted[::-1]
