"""What Gmail does with a mail that is sent: rewriting, the SENT copy, threads, drafts, aliases."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest

pytestmark = pytest.mark.servers
BOB, ANN, OUT = "bob@gmail.com", "ann@corp.example", "lead@out.example"


def mail(**headers: str) -> str:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return base64.urlsafe_b64encode("\r\n".join(lines).encode() + b"\r\n\r\nHello").decode()


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB, name="Bob")
    gmail.create_mailbox(ANN, name="Ann")
    return Rest(gmail, BOB)


def last(gmail: GmailControl, email: str) -> dict[str, Any]:
    return gmail.messages(email, raw=True)[-1]


def test_the_message_id_is_rewritten_and_x_headers_are_kept(gmail: GmailControl, bob: Rest) -> None:
    sent = bob.post(
        "messages/send",
        {"raw": mail(To=ANN, Subject="Hi", Message_ID="<mine@crm.example>", X_CRM_Send_Id="k1", From=BOB)},
    )
    assert set(sent) == {"id", "threadId", "labelIds"}
    own, hers = gmail.message(BOB, sent["id"]), last(gmail, ANN)
    assert re.fullmatch(r"<CA[\w-]+@mail\.gmail\.com>", own["message_id"])
    assert hers["message_id"] == own["message_id"]
    for copy in (own, hers):
        assert b"X-CRM-Send-Id: k1" in copy["raw"]
        assert b"mine@crm.example" not in copy["raw"]
        assert b"gmailapi.google.com with HTTPREST" in copy["raw"]


def test_bcc_stays_in_the_senders_copy_alone(gmail: GmailControl, bob: Rest) -> None:
    sent = bob.post(
        "messages/send", {"raw": mail(To=ANN, Bcc=f"{OUT},\r\n secret@out.example", Subject="Hi")}
    )
    assert b"Bcc: lead@out.example" in gmail.message(BOB, sent["id"])["raw"]
    assert b"secret" not in last(gmail, ANN)["raw"]
    (left,) = gmail.outbox()
    assert left["recipients"] == [OUT, "secret@out.example"]
    assert b"Bcc" not in left["raw"]
    assert b"secret" not in left["raw"]


def test_mail_to_oneself_is_one_message_with_sent_and_inbox(gmail: GmailControl, bob: Rest) -> None:
    sent = bob.post("messages/send", {"raw": mail(To="b.o.b+note@gmail.com", Subject="Note")})
    assert set(sent["labelIds"]) == {"SENT", "INBOX", "UNREAD"}
    assert len(gmail.messages(BOB)) == 1


def test_from_of_an_unverified_address_becomes_the_account(gmail: GmailControl, bob: Rest) -> None:
    gmail.send_as(BOB, "sales@corp.example")
    gmail.send_as(BOB, "later@corp.example", verified=False)
    for wanted, used in [
        ("sales@corp.example", "sales@corp.example"),
        ("later@corp.example", BOB),
        ("ceo@other.example", BOB),
    ]:
        sent = bob.post("messages/send", {"raw": mail(From=f"Bob <{wanted}>", To=OUT, Subject="Hi")})
        head = gmail.message(BOB, sent["id"])["raw"].split(b"\r\n\r\n")[0]
        assert re.findall(rb"(?m)^From: .*<(.+)>", head) == [used.encode()]
    statuses = {a["sendAsEmail"]: a.get("verificationStatus") for a in bob.get("settings/sendAs")["sendAs"]}
    assert statuses == {BOB: None, "sales@corp.example": "accepted", "later@corp.example": "pending"}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"To": "nobody", "Subject": "x"}, "Invalid To header"),
        ({"To": BOB, "Cc": "a b@c", "Subject": "x"}, "Invalid Cc header"),
        ({"Subject": "x"}, "Recipient address required"),
    ],
)
def test_senseless_recipients_are_refused(bob: Rest, headers: dict[str, str], message: str) -> None:
    answer = bob.post("messages/send", {"raw": mail(**headers)}, expect=400)
    assert answer["error"]["message"] == message


def test_more_than_500_recipients_are_refused(gmail: GmailControl, bob: Rest) -> None:
    many = ", ".join(f"p{i}@out.example" for i in range(501))
    bob.post("messages/send", {"raw": mail(To=many, Subject="x")}, expect=400)
    assert gmail.messages(BOB) == []


def test_a_reply_joins_the_thread_on_both_sides(gmail: GmailControl, bob: Rest) -> None:
    first = bob.post("messages/send", {"raw": mail(To=ANN, Subject="Offer")})
    hers = last(gmail, ANN)
    answer = gmail.reply(ANN, hers["id"], "Fine!")
    assert answer["thread_id"] == hers["thread_id"]
    arrived = last(gmail, BOB)
    assert arrived["thread_id"] == first["threadId"] != hers["thread_id"]
    assert "INBOX" in arrived["labels"]


def test_threads_need_references_and_the_same_subject(gmail: GmailControl, bob: Rest) -> None:
    sent = bob.post("messages/send", {"raw": mail(To=OUT, Subject="Offer")})
    message_id = gmail.message(BOB, sent["id"])["message_id"]
    answers = {
        "joined": {"subject": "AW: Re: offer", "in_reply_to": message_id},
        "other subject": {"subject": "Re: Something else", "in_reply_to": message_id},
        "no references": {"subject": "Re: Offer"},
    }
    threads = {
        name: gmail.deliver_full({"from": OUT, "to": BOB, **fields})["threads"][BOB]
        for name, fields in answers.items()
    }
    assert threads["joined"] == sent["threadId"]
    assert threads["other subject"] != sent["threadId"]
    assert threads["no references"] != sent["threadId"]


def test_a_full_thread_takes_no_more(gmail: GmailControl, bob: Rest) -> None:
    sent = bob.post("messages/send", {"raw": mail(To=OUT, Subject="Offer")})
    reference = gmail.message(BOB, sent["id"])["message_id"]
    fields = {"from": OUT, "to": BOB, "subject": "Re: Offer", "in_reply_to": reference}
    threads = [gmail.deliver_full(fields)["threads"][BOB] for _ in range(101)]
    assert threads.count(sent["threadId"]) == 99
    assert threads[-1] != sent["threadId"]


def test_thread_ids_are_checked_before_anything_is_sent(gmail: GmailControl, bob: Rest) -> None:
    raw = mail(To=OUT, Subject="Re: Offer")
    bad = bob.post("messages/send", {"raw": raw, "threadId": "what?"}, expect=400)
    assert bad["error"]["message"] == "Invalid thread_id value"
    bob.post("messages/send", {"raw": raw, "threadId": "19a0000000000000"}, expect=404)
    assert gmail.outbox() == []
    first = bob.post("messages/send", {"raw": mail(To=OUT, Subject="Offer")})
    again = bob.post("messages/send", {"raw": raw, "threadId": first["threadId"]})
    assert again["threadId"] == first["threadId"]


def test_threads_list_get_modify_trash(gmail: GmailControl, bob: Rest) -> None:
    first = bob.post("messages/send", {"raw": mail(To=ANN, Subject="Offer")})
    gmail.reply(ANN, last(gmail, ANN)["id"], "Fine!")
    other = gmail.deliver({"from": OUT, "to": BOB, "subject": "Else"})[BOB]
    listed = bob.get("threads", maxResults=1)
    assert [t["id"] for t in listed["threads"]] == [other]
    rest = bob.get("threads", maxResults=1, pageToken=listed["nextPageToken"])
    assert [t["id"] for t in rest["threads"]] == [first["threadId"]]
    thread = bob.get(f"threads/{first['threadId']}", format="minimal")
    assert len(thread["messages"]) == 2
    bob.post(f"threads/{first['threadId']}/modify", {"addLabelIds": ["STARRED"]})
    bob.post(f"threads/{first['threadId']}/trash")
    in_thread = [m for m in gmail.messages(BOB) if m["thread_id"] == first["threadId"]]
    assert all({"STARRED", "TRASH"} <= set(m["labels"]) for m in in_thread)


def test_every_save_of_a_draft_gives_a_new_message_id(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    draft = bob.post("drafts", {"message": {"raw": mail(To=OUT, Subject="Plan")}})
    saved = bob.call("PUT", f"drafts/{draft['id']}", body={"message": {"raw": mail(To=OUT, Subject="Plan")}})
    assert saved["id"] == draft["id"]
    assert saved["message"]["id"] != draft["message"]["id"]
    assert saved["message"]["threadId"] == draft["message"]["threadId"]
    moved = bob.call("PUT", f"drafts/{draft['id']}", body={"message": {"raw": mail(To=OUT, Subject="New")}})
    assert moved["message"]["threadId"] != draft["message"]["threadId"]
    records = bob.get("history", startHistoryId=start)["history"]
    assert sum(len(r.get("messagesAdded", [])) for r in records) == 3
    assert sum(len(r.get("messagesDeleted", [])) for r in records) == 2
    assert [d["id"] for d in bob.get("drafts")["drafts"]] == [draft["id"]]


def test_a_draft_is_sent_once(gmail: GmailControl, bob: Rest) -> None:
    draft = bob.post("drafts", {"message": {"raw": mail(To=OUT, Subject="Plan", X_CRM_Send_Id="k2")}})
    sent = bob.post("drafts/send", {"id": draft["id"]})
    assert sent["labelIds"] == ["SENT"]
    assert sent["id"] != draft["message"]["id"]
    assert sent["threadId"] == draft["message"]["threadId"]
    bob.post("drafts/send", {"id": draft["id"]}, expect=404)
    assert len(gmail.outbox()) == 1
    assert b"X-CRM-Send-Id: k2" in gmail.outbox()[0]["raw"]
    assert [m["id"] for m in gmail.messages(BOB)] == [sent["id"]]


def test_a_sent_draft_may_keep_its_id_and_show_as_a_label_change(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(draft_send_keeps_id=True)
    draft = bob.post("drafts", {"message": {"raw": mail(To=OUT, Subject="Plan")}})
    start = bob.get("profile")["historyId"]
    sent = bob.post("drafts/send", {"id": draft["id"]})
    assert sent["id"] == draft["message"]["id"]
    records = bob.get("history", startHistoryId=start)["history"]
    assert [e["labelIds"] for r in records for e in r.get("labelsAdded", [])] == [["SENT"]]
    assert [e["labelIds"] for r in records for e in r.get("labelsRemoved", [])] == [["DRAFT"]]
    assert not any("messagesAdded" in r for r in records)


def test_a_mail_written_in_gmail_with_autosaves_gains_sent(gmail: GmailControl, bob: Rest) -> None:
    start = bob.get("profile")["historyId"]
    sent = gmail.send_as_user(BOB, {"to": ANN, "subject": "By hand", "text": "x"}, autosaves=4)
    records = bob.get("history", startHistoryId=start)["history"]
    assert sum(len(r.get("messagesAdded", [])) for r in records) == 4
    gained = [e for r in records for e in r.get("labelsAdded", []) if "SENT" in e["labelIds"]]
    assert [e["message"]["id"] for e in gained] == [sent["id"]]
    assert b"HTTPREST" not in last(gmail, ANN)["raw"]


def test_a_forward_stays_in_its_thread_with_gmails_mark(gmail: GmailControl, bob: Rest) -> None:
    message_id = gmail.deliver({"from": OUT, "to": BOB, "subject": "Offer", "text": "our price"})[BOB]
    forwarded = gmail.forward(BOB, message_id, ANN, "fyi")
    assert forwarded["thread_id"] == gmail.message(BOB, message_id)["thread_id"]
    assert forwarded["subject"] == "Fwd: Offer"
    assert b"---------- Forwarded message ---------" in last(gmail, ANN)["raw"]


def test_a_reply_to_all_leaves_oneself_out(gmail: GmailControl, bob: Rest) -> None:
    ids = gmail.deliver({"from": OUT, "to": [BOB, ANN], "cc": "boss@out.example", "subject": "All"})
    gmail.reply(BOB, ids[BOB], "ok", everyone=True)
    assert gmail.outbox()[-1]["recipients"] == [OUT, "boss@out.example"]
    assert last(gmail, ANN)["subject"] == "Re: All"


def test_the_same_mail_twice_is_one_message(gmail: GmailControl, bob: Rest) -> None:
    fields = {"from": OUT, "to": BOB, "subject": "Same", "message_id": "<same@out.example>"}
    assert BOB in gmail.deliver(fields)
    assert gmail.deliver(fields) == {}
    assert len(gmail.messages(BOB)) == 1
