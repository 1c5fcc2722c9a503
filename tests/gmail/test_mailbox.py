"""A mailbox's calls: what is asked, what the answers become, what a refusal leads to."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from email import message_from_bytes
from functools import partial

import pytest

from gmail.client import Gmail
from gmail.errors import (
    GoogleError,
    GrantRefused,
    HistoryExpired,
    MalformedAnswer,
    NotFound,
    Throttled,
    ThrottleScope,
    TooLarge,
    Unavailable,
    WatchConflict,
)
from gmail.mailbox import MAX_MESSAGE_BYTES, UPLOAD_ABOVE_BYTES, Mailbox
from gmail.tokens import FixedToken
from gmail.values import (
    Change,
    ChangeKind,
    Draft,
    Headline,
    HistoryPage,
    IdPage,
    Profile,
    RawMessage,
    SendAs,
    SentMessage,
    Stub,
    WatchState,
)
from tests.gmail.conftest import ADDRESS
from tests.gmail.scripted import Answer, ScriptedGoogle, refuses, says

pytestmark = pytest.mark.servers

ME = "/gmail/v1/users/me"
GONE = refuses(404, "notFound", "Requested entity was not found.")


def message(message_id: str, **more: object) -> dict[str, object]:
    return {
        "id": message_id,
        "threadId": "t1",
        "labelIds": ["INBOX", "UNREAD"],
        "internalDate": "1795862400000",
        "sizeEstimate": 1234,
        **more,
    }


def test_the_profile_has_the_current_history_id(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/profile", says({"emailAddress": "Ann@Example.com", "historyId": str(2**63 + 5)}))

    assert mailbox.profile() == Profile("ann@example.com", 2**63 + 5)


def test_history_keeps_every_kind_of_change_in_order(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(
        f"{ME}/history",
        says(
            {
                "history": [
                    {
                        "id": "11",
                        "messages": [{"id": "m1", "threadId": "t1"}],
                        "messagesAdded": [{"message": {"id": "m1", "threadId": "t1", "labelIds": ["INBOX"]}}],
                    },
                    {"id": "12", "messagesAdded": [{"message": {"id": "m2", "threadId": "t2"}}]},
                    {
                        "id": "14",
                        "labelsAdded": [
                            {
                                "message": {"id": "m3", "threadId": "t3", "labelIds": ["SENT"]},
                                "labelIds": ["SENT"],
                            }
                        ],
                        "labelsRemoved": [{"message": {"id": "m3", "threadId": "t3"}, "labelIds": ["DRAFT"]}],
                    },
                    {"id": "19", "messagesDeleted": [{"message": {"id": "m1", "threadId": "t1"}}]},
                ],
                "historyId": "20",
                "nextPageToken": "page-2",
            }
        ),
    )

    page = mailbox.history(10)

    assert page == HistoryPage(
        (
            Change(ChangeKind.ADDED, "m1", "t1", frozenset({"INBOX"})),
            Change(ChangeKind.ADDED, "m2", "t2", None),
            Change(ChangeKind.LABELS_ADDED, "m3", "t3", frozenset({"SENT"}), frozenset({"SENT"})),
            Change(ChangeKind.LABELS_REMOVED, "m3", "t3", None, frozenset({"DRAFT"})),
            Change(ChangeKind.DELETED, "m1", "t1", None),
        ),
        20,
        "page-2",
        last_record_id=19,
    )
    assert [change.id for change in page.added] == ["m1", "m2"]
    assert [change.id for change in page.deleted] == ["m1"]
    assert [change.changed for change in page.labels_added] == [{"SENT"}]
    assert [change.changed for change in page.labels_removed] == [{"DRAFT"}]
    asked = google.asked[0]
    assert asked.query["startHistoryId"] == ["10"]
    assert "labelId" not in asked.query
    assert "historyTypes" not in asked.query


def test_pages_without_records_are_pages(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/history", says({"historyId": "20", "nextPageToken": "p2"}), says({"historyId": "21"}))

    assert mailbox.history(10) == HistoryPage((), 20, "p2")
    assert mailbox.history(10, "p2") == HistoryPage((), 21, None)
    assert google.asked[1].query["pageToken"] == ["p2"]


def test_a_cursor_too_old_is_no_missing_mailbox(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/history", GONE)

    with pytest.raises(HistoryExpired) as raised:
        mailbox.history(10)

    assert raised.value.mailbox == ADDRESS


def test_s9_a_look_asks_for_headers_and_for_nothing_of_the_body(
    google: ScriptedGoogle, mailbox: Mailbox
) -> None:
    headers = [
        {"name": "From", "value": "B <b@x.org>"},
        {"name": "Received", "value": "1"},
        {"name": "Received"},
    ]
    google.on(f"{ME}/messages/m%2F1", says(message("m/1", payload={"headers": headers})))

    headline = mailbox.look("m/1")

    assert headline == Headline(
        "m/1",
        "t1",
        frozenset({"INBOX", "UNREAD"}),
        1795862400000,
        1234,
        (("From", "B <b@x.org>"), ("Received", "1"), ("Received", "")),
    )
    assert headline.header("FROM") == "B <b@x.org>"
    query = google.asked[0].query
    assert query["format"] == ["metadata"]
    assert "snippet" not in query["fields"][0]
    assert set(query["fields"][0].split(",")) == {
        "id",
        "threadId",
        "labelIds",
        "internalDate",
        "sizeEstimate",
        "payload/headers",
    }


def test_raw_gives_the_exact_bytes(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    mail = b"From: a@b.c\r\n\r\n" + bytes(range(256))
    for padding in (True, False):
        raw = base64.urlsafe_b64encode(mail).decode()
        google.on(f"{ME}/messages/m1", says(message("m1", raw=raw if padding else raw.rstrip("="))))
        result = mailbox.raw("m1")
        assert result.raw == mail
        assert result.label_ids == {"INBOX", "UNREAD"}
    assert google.asked[0].query["format"] == ["raw"]


def test_s22_a_part_is_fetched_with_the_id_of_a_fresh_get(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    def full(attachment_id: str) -> Answer:
        parts = [
            {"partId": "0", "mimeType": "text/plain", "body": {"size": 2, "data": "aGk"}},
            {"partId": "1", "filename": "a.pdf", "body": {"size": 3, "attachmentId": attachment_id}},
        ]
        return says(
            message("m1", payload={"partId": "", "mimeType": "multipart/mixed", "body": {}, "parts": parts})
        )

    google.on(f"{ME}/messages/m1", full("att-1"), full("att-2"))
    google.on(f"{ME}/messages/m1/attachments/att-2", says({"size": 3, "data": "cGRm"}))

    parts = {part.part_id: part for part in mailbox.full("m1").payload.walk()}
    assert parts["0"].data == b"hi"
    assert (parts["1"].filename, parts["1"].size, parts["1"].data) == ("a.pdf", 3, None)
    assert mailbox.part_content("m1", "1") == b"pdf"
    assert mailbox.part_content("m1", "0") == b"hi"
    with pytest.raises(NotFound):
        mailbox.part_content("m1", "7")


def test_lists_reach_into_spam_and_trash_and_go_by_time(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(
        f"{ME}/messages",
        says(
            {
                "messages": [{"id": "m2", "threadId": "t2"}, {"id": "m1", "threadId": "t1"}],
                "nextPageToken": "p2",
            }
        ),
        says({"resultSizeEstimate": 0}),
    )

    page = mailbox.list_ids(after=1795862400999, q="rfc822msgid:x")
    assert page == IdPage((Stub("m2", "t2"), Stub("m1", "t1")), "p2")
    assert page.ids == ("m2", "m1")
    assert mailbox.list_ids(label_ids=("SENT",), include_spam_trash=False, page_token="p2") == IdPage(())

    first, second = (asked.query for asked in google.asked)
    assert first["q"] == ["rfc822msgid:x after:1795862399"]
    assert first["includeSpamTrash"] == ["true"]
    assert second["includeSpamTrash"] == ["false"]
    assert second["labelIds"] == ["SENT"]
    assert "q" not in second


def test_sent_is_read_newest_first_back_to_a_moment(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    ids = [f"m{number}" for number in range(9, 0, -1)]
    google.on(
        f"{ME}/messages", says({"messages": [{"id": i, "threadId": i} for i in ids], "nextPageToken": "p2"})
    )
    for number in range(1, 10):
        google.on(f"{ME}/messages/m{number}", says(message(f"m{number}", internalDate=str(1000 * number))))
    google.on(f"{ME}/messages/m7", GONE)

    found = list(mailbox.sent_since(5500))

    assert [item.id if isinstance(item, Headline) else type(item) for item in found] == [
        "m9",
        "m8",
        NotFound,
        "m6",
    ]


def test_i4_one_bad_message_among_many_is_an_error_of_its_own(
    google: ScriptedGoogle, mailbox: Mailbox
) -> None:
    ids = [f"m{number}" for number in range(30)]
    for message_id in ids:
        google.on(f"{ME}/messages/{message_id}", says(message(message_id)))
    google.on(f"{ME}/messages/m7", GONE)
    google.on(f"{ME}/messages/m9", refuses(500, "backendError", "Backend Error"))
    google.on(f"{ME}/messages/m11", says({"id": "m11"}))

    results = dict(zip(ids, mailbox.look_many(ids), strict=True))

    assert isinstance(results.pop("m7"), NotFound)
    assert type(results.pop("m9")) is Unavailable
    assert isinstance(results.pop("m11"), MalformedAnswer)
    assert {key: result.id for key, result in results.items() if isinstance(result, Headline)} == {
        key: key for key in results
    }
    assert google.most_at_once <= 5


def test_a_dead_grant_is_not_asked_thirty_times(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    ids = [f"m{number}" for number in range(30)]
    for message_id in ids:
        google.on(f"{ME}/messages/{message_id}", refuses(401, "authError", "Invalid Credentials"))

    results = mailbox.look_many(ids)

    assert {type(result) for result in results} == {GrantRefused}
    assert len(google.asked) <= 5


def test_i4_a_mailbox_that_hangs_holds_up_no_other(
    google: ScriptedGoogle, gmail_of: Callable[..., Gmail]
) -> None:
    gmail = gmail_of()
    ids = [f"m{number}" for number in range(20)]
    for message_id in ids:
        google.on(f"{ME}/messages/hangs-{message_id}", Answer(fault="hang"))
        google.on(f"{ME}/messages/{message_id}", says(message(message_id)))
    hanging = []
    for number in range(8):
        mailbox = Mailbox(gmail, f"user-{number}@example.com", FixedToken("a"))
        look = partial(mailbox.look_many, [f"hangs-{message_id}" for message_id in ids])
        hanging.append(threading.Thread(target=look, daemon=True))
        hanging[-1].start()

    results = Mailbox(gmail, ADDRESS, FixedToken("b")).look_many(ids)

    assert [result.id for result in results if isinstance(result, Headline)] == ids
    google.over.set()
    for thread in hanging:
        thread.join(60)


def test_raw_mails_are_fetched_only_a_few_ahead(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    ids = [f"m{number}" for number in range(30)]
    for message_id in ids:
        google.on(f"{ME}/messages/{message_id}", says(message(message_id, raw="aGk")))

    results = mailbox.raw_many(ids)
    first_id, first = next(results)

    assert (first_id, isinstance(first, RawMessage)) == ("m0", True)
    assert len(google.asked) <= 5
    assert [message_id for message_id, _ in results] == ids[1:]


def test_labels_change(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/messages/m1/modify", says({"id": "m1", "labelIds": ["INBOX"]}))

    assert mailbox.modify_labels("m1", remove=["UNREAD"]) == {"INBOX"}
    assert google.asked[0].json == {"addLabelIds": [], "removeLabelIds": ["UNREAD"]}


def test_a_watch_is_set_without_a_filter_and_stopped(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/watch", says({"historyId": "9", "expiration": "1796467200000"}))
    google.on(f"{ME}/stop", Answer(204))

    assert mailbox.watch("projects/crm/topics/mail") == WatchState(9, 1796467200000)
    mailbox.stop()

    watch, stop = google.asked
    assert watch.json == {"topicName": "projects/crm/topics/mail"}
    assert (stop.method, stop.path) == ("POST", f"{ME}/stop")


def test_a_watch_on_another_topic_is_told_apart(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    text = "Only one user push notification client allowed per developer (call /stop then try again)"
    google.on(f"{ME}/watch", refuses(400, "invalidArgument", text))

    with pytest.raises(WatchConflict):
        mailbox.watch("projects/crm/topics/mail")


def test_s25_only_the_primary_address_and_accepted_aliases_are_verified(
    google: ScriptedGoogle, mailbox: Mailbox
) -> None:
    google.on(
        f"{ME}/settings/sendAs",
        says(
            {
                "sendAs": [
                    {
                        "sendAsEmail": "Ann@example.com",
                        "isPrimary": True,
                        "isDefault": True,
                        "displayName": "Ann",
                    },
                    {"sendAsEmail": "a@x.org", "verificationStatus": "accepted", "treatAsAlias": False},
                    {"sendAsEmail": "b@x.org", "verificationStatus": "pending"},
                ]
            }
        ),
    )

    assert mailbox.send_as() == (
        SendAs("ann@example.com", "Ann", primary=True, default=True, verified=True),
        SendAs("a@x.org", "", primary=False, default=False, verified=True, treat_as_alias=False),
        SendAs("b@x.org", "", primary=False, default=False, verified=False),
    )


def test_a_small_draft_goes_as_json(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/drafts", says({"id": "r1", "message": {"id": "m1", "threadId": "t1"}}))

    assert mailbox.create_draft(b"Subject: x\r\n\r\n\xff", thread_id="t1") == Draft("r1", "m1", "t1")

    body = google.asked[0].json
    assert base64.urlsafe_b64decode(body["message"].pop("raw")) == b"Subject: x\r\n\r\n\xff"
    assert body == {"message": {"threadId": "t1"}}


def test_s22_a_large_draft_is_uploaded_to_our_endpoint_byte_for_byte(
    google: ScriptedGoogle, mailbox: Mailbox
) -> None:
    google.on(f"/upload{ME}/drafts", says({"id": "r1", "message": {"id": "m1", "threadId": "t1"}}))
    mail = b"Subject: large\r\n\r\nFrom x\n\r\n" + bytes(range(256)) * (UPLOAD_ABOVE_BYTES // 256)

    assert mailbox.create_draft(mail, thread_id="t1").id == "r1"

    asked = google.asked[0]
    assert asked.query["uploadType"] == ["multipart"]
    whole = message_from_bytes(
        b"Content-Type: " + asked.headers["content-type"].encode() + b"\r\n\r\n" + asked.body
    )
    _, described, media, *_ = whole.walk()
    assert described.get_payload() == '{"message": {"threadId": "t1"}}'
    assert media.get_content_type() == "message/rfc822"
    assert asked.body.count(mail) == 1


def test_s22_a_mail_over_gmails_limit_is_not_even_sent(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    with pytest.raises(TooLarge):
        mailbox.create_draft(b"x" * (MAX_MESSAGE_BYTES + 1))

    assert google.asked == []


def test_drafts_are_listed_read_sent_and_deleted(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    stub = {"id": "r1", "message": {"id": "m1", "threadId": "t1"}}
    stamped = {
        "id": "m1",
        "threadId": "t1",
        "payload": {"headers": [{"name": "X-Crm-Send-Id", "value": "s1"}]},
    }
    google.on(f"{ME}/drafts", says({"drafts": [stub], "nextPageToken": "p2"}))
    google.on(f"{ME}/drafts/r1", says({"id": "r1", "message": stamped}), Answer(204))
    google.on(f"{ME}/drafts/send", says({"id": "m2", "threadId": "t1", "labelIds": ["SENT"]}))

    page = mailbox.list_drafts()
    assert (page.drafts, page.next_page_token) == ((Draft("r1", "m1", "t1"),), "p2")
    assert mailbox.get_draft("r1").header("x-crm-send-id") == "s1"
    assert mailbox.send_draft("r1") == SentMessage("m2", "t1", frozenset({"SENT"}))
    mailbox.delete_draft("r1")
    assert [(asked.method, asked.path) for asked in google.asked[2:]] == [
        ("POST", f"{ME}/drafts/send"),
        ("DELETE", f"{ME}/drafts/r1"),
    ]


@pytest.mark.parametrize("fault", ["drop", "cut"])
def test_s27_a_send_without_a_whole_answer_is_unknown_and_was_sent_once(
    google: ScriptedGoogle, mailbox: Mailbox, fault: str
) -> None:
    google.on(f"{ME}/drafts/send", Answer(body=b'{"id":', fault=fault))  # type: ignore[arg-type]

    with pytest.raises(Unavailable) as raised:
        mailbox.send_draft("r1")

    assert raised.value.effect_unknown
    assert raised.value.mailbox == ADDRESS
    assert len(google.asked) == 1


@pytest.mark.parametrize(
    "body", [b"<html>captive portal</html>", b"[]", b"{}", b"null", b'{"id":"m1"', b"\xff"]
)
def test_s27_an_answer_that_cannot_be_read_leaves_a_send_unknown(
    google: ScriptedGoogle, mailbox: Mailbox, body: bytes
) -> None:
    google.on(f"{ME}/drafts/send", Answer(body=body))

    with pytest.raises(MalformedAnswer) as raised:
        mailbox.send_draft("r1")

    assert raised.value.effect_unknown
    assert len(google.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        refuses(404, "notFound", "Requested entity was not found."),
        refuses(400, "invalidArgument", "Message not a draft"),
    ],
)
def test_s27_a_draft_sent_twice_is_not_found(
    google: ScriptedGoogle, mailbox: Mailbox, answer: Answer
) -> None:
    google.on(f"{ME}/drafts/send", answer)

    with pytest.raises(NotFound):
        mailbox.send_draft("r1")


def test_s26_the_sending_limit_says_when_and_stops_no_reading(
    google: ScriptedGoogle, mailbox: Mailbox
) -> None:
    google.on(
        f"{ME}/drafts/send",
        refuses(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2999-08-11T11:38:10.449Z"),
    )
    google.on(f"{ME}/profile", says({"emailAddress": ADDRESS, "historyId": "7"}))

    with pytest.raises(Throttled) as raised:
        mailbox.send_draft("r1")

    assert raised.value.scope is ThrottleScope.SENDING
    assert raised.value.retry_after is not None
    assert mailbox.profile().history_id == 7


def test_a_throttled_mailbox_is_not_asked_again_before_its_time(
    google: ScriptedGoogle, gmail_of: Callable[..., Gmail]
) -> None:
    gmail = gmail_of()
    ann = Mailbox(gmail, ADDRESS, FixedToken("a"))
    bob = Mailbox(gmail, "bob@example.com", FixedToken("b"))
    google.on(
        f"{ME}/profile",
        refuses(429, "rateLimitExceeded", "Too many concurrent requests for user", Retry_After="600"),
        says({"emailAddress": "bob@example.com", "historyId": "7"}),
    )

    for _ in range(3):
        with pytest.raises(Throttled) as raised:
            ann.profile()
        assert raised.value.mailbox == ADDRESS
        assert raised.value.retry_after == pytest.approx(600, abs=30)
    assert len(google.asked) == 1
    assert bob.profile().history_id == 7


def test_errors_tell_nothing_of_tokens_queries_or_urls(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/messages", refuses(400, "invalidArgument", "Invalid query"))

    with pytest.raises(GoogleError) as raised:
        mailbox.list_ids(q="from:stranger@example.org")

    shown = str(raised.value) + repr(raised.value) + repr(raised.value.__cause__)
    assert "stranger" not in shown
    assert "access-1" not in shown
    assert google.url not in shown


def test_answers_are_asked_for_packed(google: ScriptedGoogle, mailbox: Mailbox) -> None:
    google.on(f"{ME}/profile", says({"emailAddress": ADDRESS, "historyId": "7"}))
    mailbox.profile()

    headers = google.asked[0].headers
    assert "gzip" in headers["accept-encoding"]
    assert "gzip" in headers["user-agent"]
    assert headers["authorization"] == "Bearer access-1"
