"""messages.get and list: formats, partial answers, paging, labels."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest, google_client

pytestmark = pytest.mark.servers
BOB = "bob@gmail.com"

RAW = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@out.example>\r\nTo: bob@gmail.com\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b"X-Folded: one\r\n two\r\nMessage-ID: <m1@out.example>\r\nDate: Mon, 02 Feb 2026 10:00:00 +0000\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n'
    b'--b1\r\nContent-Type: text/plain; charset="iso-8859-1"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    b"Gr\xfc\xdfe <b>\r\n"
    b'--b1\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0x\r\n--b1--\r\n"
)


def decoded(text: str) -> bytes:
    """Bytes as the API gives them, with padding: clients in the wild decode them without adding any."""
    return base64.urlsafe_b64decode(text)


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB)
    return Rest(gmail, BOB)


def headers(message: dict[str, Any]) -> dict[str, str]:
    return {h["name"]: h["value"] for h in message["payload"]["headers"]}


def test_raw_gives_back_exactly_the_bytes_that_were_put_in(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    message = bob.get(f"messages/{message_id}", format="raw")
    assert decoded(message["raw"]) == RAW
    assert "payload" not in message
    assert message["sizeEstimate"] == len(RAW)


def test_full_shows_decoded_headers_and_parts(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    message = bob.get(f"messages/{message_id}")
    assert headers(message)["Subject"] == "Grüße"
    assert headers(message)["X-Folded"] == "one two"
    text, pdf = message["payload"]["parts"]
    assert (text["partId"], pdf["partId"], pdf["filename"]) == ("0", "1", "a.pdf")
    assert decoded(text["body"]["data"]).decode() == "Grüße <b>\r\n".removesuffix("\r\n")
    assert pdf["body"]["size"] == len(b"%PDF-1")
    assert message["snippet"] == "Grüße &lt;b&gt;"


def test_attachment_ids_change_at_every_get_and_all_work(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    seen = {
        bob.get(f"messages/{message_id}")["payload"]["parts"][1]["body"]["attachmentId"] for _ in range(3)
    }
    assert len(seen) == 3
    for attachment_id in seen:
        attachment = bob.get(f"messages/{message_id}/attachments/{attachment_id}")
        assert decoded(attachment["data"]) == b"%PDF-1"
    bob.get(f"messages/{message_id}/attachments/nonsense", expect=400)


def test_metadata_has_headers_alone_and_filters_them(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    message = bob.get(f"messages/{message_id}", format="metadata", metadataHeaders=["subject", "From"])
    assert headers(message) == {"From": "Jürgen <j@out.example>", "Subject": "Grüße"}
    assert "parts" not in message["payload"]
    assert "body" not in message["payload"]


def test_fields_leave_the_snippet_out(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    message = bob.get(
        f"messages/{message_id}",
        format="metadata",
        metadataHeaders="Subject",
        fields="id,threadId,labelIds,payload(headers/name)",
    )
    assert message == {
        "id": message_id,
        "threadId": message_id,
        "labelIds": ["INBOX"],
        "payload": {"headers": [{"name": "Subject"}]},
    }
    bob.get(f"messages/{message_id}", fields="id,(", expect=400)


def test_list_pages_newest_first_without_spam_and_trash(gmail: GmailControl, bob: Rest) -> None:
    ids = [gmail.deliver({"from": "x@out.example", "to": BOB, "subject": str(i)})[BOB] for i in range(7)]
    gmail.move(BOB, ids[0], "trash")
    gmail.move(BOB, ids[1], "spam")
    client = google_client(gmail, BOB)
    request = client.users().messages().list(userId="me", maxResults=2)
    found: list[str] = []
    while request is not None:
        page = request.execute()
        found += [m["id"] for m in page["messages"]]
        request = client.users().messages().list_next(request, page)
    assert found == list(reversed(ids[2:]))
    everything = bob.get("messages", includeSpamTrash="true")
    assert {m["id"] for m in everything["messages"]} == set(ids)
    assert [m["id"] for m in bob.get("messages", labelIds="TRASH")["messages"]] == [ids[0]]


def test_an_empty_list_has_no_messages_key(bob: Rest) -> None:
    assert bob.get("messages") == {"resultSizeEstimate": 0}


def test_errors_have_googles_shape(gmail: GmailControl, bob: Rest) -> None:
    missing = bob.get("messages/19a0000000000000", expect=404)
    assert missing == {
        "error": {
            "code": 404,
            "message": "Requested entity was not found.",
            "errors": [
                {"message": "Requested entity was not found.", "domain": "global", "reason": "notFound"}
            ],
            "status": "NOT_FOUND",
        }
    }
    assert bob.get("messages/not-an-id", expect=400)["error"]["message"] == "Invalid id value"
    assert (
        bob.get("messages", labelIds="NOPE", expect=400)["error"]["errors"][0]["reason"] == "invalidArgument"
    )


def test_modify_trash_untrash_delete(gmail: GmailControl, bob: Rest) -> None:
    (message_id,) = gmail.insert(BOB, [{"raw": RAW, "labels": ["INBOX", "UNREAD"]}])
    changed = bob.post(
        f"messages/{message_id}/modify", {"addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"]}
    )
    assert set(changed["labelIds"]) == {"INBOX", "STARRED"}
    assert set(bob.post(f"messages/{message_id}/trash")["labelIds"]) == {"TRASH", "STARRED"}
    assert set(bob.post(f"messages/{message_id}/untrash")["labelIds"]) == {"STARRED"}
    bob.post(f"messages/{message_id}/modify", {"addLabelIds": ["SENT"]}, expect=400)
    bob.call("DELETE", f"messages/{message_id}", expect=204)
    bob.get(f"messages/{message_id}", expect=404)


def test_batch_modify_and_batch_delete(gmail: GmailControl, bob: Rest) -> None:
    ids = gmail.insert(BOB, [{"raw": RAW}, {"raw": RAW.replace(b"m1@", b"m2@")}])
    bob.post("messages/batchModify", {"ids": [*ids, "123"], "addLabelIds": ["STARRED"]}, expect=204)
    assert all("STARRED" in m["labels"] for m in gmail.messages(BOB))
    bob.post("messages/batchDelete", {"ids": ids}, expect=204)
    assert gmail.messages(BOB) == []


def test_insert_keeps_message_id_and_labels_and_import_takes_the_date(gmail: GmailControl, bob: Rest) -> None:
    raw = base64.urlsafe_b64encode(RAW).decode()
    inserted = bob.post("messages", {"raw": raw, "labelIds": ["INBOX", "UNREAD"]})
    assert set(inserted["labelIds"]) == {"INBOX", "UNREAD"}
    assert gmail.message(BOB, inserted["id"])["message_id"] == "<m1@out.example>"
    imported = bob.post("messages/import", {"raw": raw.replace("bTFA", "bTNA")})
    assert bob.get(f"messages/{imported['id']}", format="minimal")["internalDate"] == "1770026400000"


def test_one_mail_to_two_mailboxes_has_two_ids_and_one_message_id(gmail: GmailControl, bob: Rest) -> None:
    gmail.create_mailbox("ann@corp.example", aliases=["sales@corp.example"])
    full = gmail.deliver_full(
        {"from": "x@out.example", "to": ["B.o.b+crm@googlemail.com", "sales@corp.example"], "subject": "Hi"}
    )
    assert set(full["ids"]) == {BOB, "ann@corp.example"}
    assert len(set(full["ids"].values())) == 2
    for email in full["ids"]:
        assert gmail.messages(email)[0]["message_id"] == full["message_id"]
    assert b"Delivered-To: sales@corp.example" in gmail.messages("ann@corp.example", raw=True)[0]["raw"]


def test_labels_have_ids_names_and_counts(gmail: GmailControl, bob: Rest) -> None:
    label = bob.post("labels", {"name": "CRM/Leads"})
    assert label["id"].startswith("Label_")
    assert (
        bob.post("labels", {"name": "crm/leads"}, expect=409)["error"]["message"]
        == "Label name exists or conflicts"
    )
    gmail.insert(BOB, [{"raw": RAW, "labels": [label["id"], "UNREAD"]}])
    counts = bob.get(f"labels/{label['id']}")
    assert (counts["messagesTotal"], counts["messagesUnread"], counts["threadsTotal"]) == (1, 1, 1)
    bob.call("DELETE", f"labels/{label['id']}", expect=204)
    assert label["id"] not in json.dumps(bob.get("labels"))
    assert gmail.messages(BOB)[0]["labels"] == ["UNREAD"]


def test_the_search_index_can_lag_while_labels_do_not(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(index_lag_s=3600)
    gmail.insert(BOB, [{"raw": RAW}])
    assert "messages" not in bob.get("messages", q="subject:Grüße")
    assert len(bob.get("messages", labelIds="INBOX")["messages"]) == 1
    gmail.advance_clock(3601)
    bob = Rest(gmail, BOB)
    assert len(bob.get("messages", q="subject:Grüße")["messages"]) == 1


def test_a_fresh_message_can_be_missing_for_a_moment(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(get_lag_s=60)
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    bob.get(f"messages/{message_id}", expect=404)
    gmail.advance_clock(61)
    assert bob.get(f"messages/{message_id}", format="minimal")["id"] == message_id


def test_a_long_text_may_come_by_attachment_id(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(text_by_attachment_above=1000)
    (message_id,) = gmail.insert(
        BOB, [{"fields": {"from": "x@out.example", "subject": "x", "text": "long " * 300}}]
    )
    body = bob.get(f"messages/{message_id}")["payload"]["body"]
    assert "data" not in body
    data = bob.get(f"messages/{message_id}/attachments/{body['attachmentId']}")["data"]
    assert decoded(data).count(b"long") == 300


def test_a_huge_json_request_gets_a_bare_page(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(json_request_max=1000)
    answer = bob.http.post("messages/send", json={"raw": "A" * 2000})
    assert answer.status_code == 400
    assert answer.text.startswith("<html>")


def test_answers_may_be_compressed_for_clients_that_name_gzip_twice(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(gzip_answers=True)
    (message_id,) = gmail.insert(BOB, [{"raw": RAW}])
    plain = bob.http.get(f"messages/{message_id}")
    packed = bob.http.get(f"messages/{message_id}", headers={"User-Agent": "crm (gzip)"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json()["id"] == plain.json()["id"] == message_id
    assert (
        google_client(gmail, BOB).users().messages().get(userId="me", id=message_id).execute()["id"]
        == message_id
    )
