"""Conversations, messages and attachments as the contract has them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlmodel import select

from crm import read_state
from models import Account, GmailMessage, Message, User
from models.columns import now
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant, created

pytestmark = pytest.mark.servers

FIELDS = {
    "id",
    "conversation_id",
    "thread_id",
    "contact_id",
    "direction",
    "kind",
    "forwarded",
    "deleted_in_gmail",
    "read",
    "status",
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "text",
    "html",
    "sent_at",
    "leaves_at",
    "message_id_header",
    "gmail",
    "attachments",
    "opens",
    "clicks",
    "replied_at",
    "bounce",
}


@pytest.fixture
def bob(tenant: Tenant) -> str:
    return str(tenant.contact("bob@client.example")["id"])


def test_a_message_shows_every_field_of_the_contract(running: RunningApi, tenant: Tenant, bob: str) -> None:
    account = connected_account(running, tenant)
    message_id = inbound_mail(running, tenant, bob, account_id=account, attachment=b"%PDF")
    shown = tenant.api.get(f"/v1/messages/{message_id}").json()
    assert set(shown) >= FIELDS
    assert shown["from"] == {"name": "Bob", "email": "bob@client.example", "contact_id": bob}
    assert shown["to"] == [{"name": "Ann", "email": "ann@gmail.com", "contact_id": None}]
    assert (shown["direction"], shown["kind"], shown["read"]) == ("inbound", "individual", False)
    assert set(shown["gmail"][0]) == {"account_id", "gmail_id", "thread_id"}
    assert set(shown["attachments"][0]) >= {"id", "filename", "content_type", "size", "state"}


def test_html_of_strangers_is_made_harmless(running: RunningApi, tenant: Tenant, bob: str) -> None:
    html = '<p onclick="x()">Hi<script>alert(1)</script><img src="http://spy.example/p.png"></p>'
    shown = tenant.api.get(f"/v1/messages/{inbound_mail(running, tenant, bob, html=html)}").json()
    assert "Hi" in shown["html"]
    assert "script" not in shown["html"]
    assert "onclick" not in shown["html"]
    assert ' src="http://spy' not in shown["html"]


def test_a_conversation_lists_its_threads_and_counts_what_is_unread(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    for n in range(3):
        inbound_mail(running, tenant, bob, subject=f"Subject {n}", minutes_ago=3 - n)
    shown = created(tenant.api.get("/v1/conversations", params={"contact_id": bob}))["items"]
    assert len(shown) == 1
    assert set(shown[0]) >= {"id", "contact_id", "last_message_at", "unread", "threads"}
    assert shown[0]["unread"] == 3
    assert [t["subject"] for t in shown[0]["threads"]] == ["Subject 2", "Subject 1", "Subject 0"]
    assert set(shown[0]["threads"][0]) >= {"id", "subject", "message_count", "last_message_at"}
    one = tenant.api.get(f"/v1/conversations/{shown[0]['id']}").json()
    assert one == shown[0]


def test_messages_of_a_conversation_come_newest_first_in_pages(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    ids = [inbound_mail(running, tenant, bob, minutes_ago=n) for n in range(5)]
    conversation = tenant.api.get(f"/v1/messages/{ids[0]}").json()["conversation_id"]
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = tenant.api.get(f"/v1/conversations/{conversation}/messages", params=params).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == ids


def test_s13_a_message_is_seen_from_each_contact_that_takes_part(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    carol = tenant.contact("carol@client.example", name="Carol")["id"]
    message_id = inbound_mail(running, tenant, bob, cc=(("carol@client.example", carol),))
    for contact in (bob, carol):
        items = tenant.api.get(f"/v1/contacts/{contact}/messages").json()["items"]
        assert [item["id"] for item in items] == [message_id]


def test_s13_a_contact_made_later_is_linked_to_mail_that_is_here(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    message_id = inbound_mail(running, tenant, bob, cc=(("late@client.example", None),))
    late = tenant.contact("late@client.example")["id"]
    assert tenant.api.get(f"/v1/messages/{message_id}").json()["cc"][0]["contact_id"] == late
    assert tenant.api.delete(f"/v1/contacts/{late}").status_code == 204
    assert tenant.api.get(f"/v1/messages/{message_id}").json()["cc"][0]["contact_id"] is None


def test_s24_reading_here_reads_in_the_mailbox(running: RunningApi, tenant: Tenant, bob: str) -> None:
    account = connected_account(running, tenant)
    message_id = inbound_mail(running, tenant, bob, account_id=account)
    shown = tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True}).json()
    assert shown["read"] is True
    assert running.commands.named("mark_read") == [(message_id,)]
    with running.database.session() as session:
        copy = session.exec(select(GmailMessage).where(GmailMessage.message_id == message_id)).one()
        assert copy.unread is False
    assert tenant.api.get("/v1/conversations").json()["items"][0]["unread"] == 0
    with running.database.session() as session:  # what the workflow does
        session.exec(select(GmailMessage).where(GmailMessage.message_id == message_id)).one().marked_at = None
    tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True})
    assert len(running.commands.named("mark_read")) == 1
    assert tenant.api.patch(f"/v1/messages/{message_id}", json={"read": False}).json()["read"] is False


def test_s24_a_mark_is_not_lost_where_temporal_is_away(running: RunningApi, tenant: Tenant, bob: str) -> None:
    message_id = inbound_mail(running, tenant, bob, account_id=connected_account(running, tenant))
    running.commands.away = True
    answer = tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True})
    assert (answer.status_code, answer.json()["read"]) == (200, True)
    with running.database.session() as session:
        assert message_id in read_state.unfollowed(session, now()), "the sweep tells Gmail"
    running.commands.away = False
    tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True})
    assert running.commands.named("mark_read") == [(message_id,)], "and so does a call that is repeated"


def test_s24_a_mail_that_was_deleted_in_gmail_is_marked_here(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    message_id = inbound_mail(running, tenant, bob, account_id=connected_account(running, tenant))
    with running.database.session() as session:
        session.exec(select(GmailMessage).where(GmailMessage.message_id == message_id)).one().deleted = True
    assert tenant.api.patch(f"/v1/messages/{message_id}", json={"read": True}).json()["read"] is True
    assert running.commands.named("mark_read") == []


def test_s24_of_two_mailboxes_one_that_read_it_is_enough(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    message_id = inbound_mail(running, tenant, bob, account_id=connected_account(running, tenant))
    other = connected_account(running, tenant)
    with running.database.session() as session:
        row = session.get_one(Message, message_id)
        session.add(
            GmailMessage(
                account_id=session.get_one(Account, other).id,
                gmail_id="g2",
                message_id=message_id,
                gmail_thread_id="t2",
                internal_date=row.sent_at,
                unread=False,
            )
        )
    assert tenant.api.get(f"/v1/messages/{message_id}").json()["read"] is True
    assert tenant.api.get("/v1/conversations").json()["items"][0]["unread"] == 0


def test_an_attachment_is_downloaded_under_its_name(running: RunningApi, tenant: Tenant, bob: str) -> None:
    message_id = inbound_mail(running, tenant, bob, attachment=b"%PDF-1.7 bytes")
    attachment = tenant.api.get(f"/v1/messages/{message_id}").json()["attachments"][0]
    answer = tenant.api.get(f"/v1/messages/{message_id}/attachments/{attachment['id']}")
    assert answer.content == b"%PDF-1.7 bytes"
    assert answer.headers["content-type"] == "application/pdf"
    assert "attachment" in answer.headers["content-disposition"]
    assert "Angebot%20f%C3%BCr%20Bob.pdf" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert tenant.api.get(f"/v1/messages/{message_id}/attachments/att_x").status_code == 404


def test_s7_a_mail_to_a_contact_is_accepted_and_started(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    user = tenant.user()
    connected_account(running, tenant, user_id=user["id"], email="ann.sends@gmail.com")
    answer = tenant.api.post(
        "/v1/messages",
        json={
            "user_id": user["id"],
            "to": ["bob@client.example", {"email": "carol@client.example", "name": "Carol"}],
            "bcc": ["Dave <dave@client.example>"],
            "subject": "Offer",
            "text": "Here it is",
            "attachments": [
                {
                    "filename": "a.txt",
                    "content_type": "text/plain",
                    "content_base64": base64.b64encode(b"A").decode(),
                }
            ],
        },
    )
    assert answer.status_code == 202
    assert set(answer.json()) >= {"id", "status", "leaves_at"}
    message_id = answer.json()["id"]
    assert running.commands.named("send_message") == [(message_id,)]
    shown = tenant.api.get(f"/v1/messages/{message_id}").json()
    assert (shown["direction"], shown["kind"], shown["from"]["email"]) == (
        "outbound",
        "individual",
        "ann.sends@gmail.com",
    )
    assert [a["email"] for a in shown["to"]] == ["bob@client.example", "carol@client.example"]
    assert shown["bcc"] == [{"name": "Dave", "email": "dave@client.example", "contact_id": None}]
    assert shown["attachments"][0]["size"] == 1


def test_a_mail_is_queued_once_for_one_key(running: RunningApi, tenant: Tenant, bob: str) -> None:
    user = tenant.user()
    body = {"user_id": user["id"], "to": ["bob@client.example"], "subject": "Once", "text": "x"}
    headers = {"Idempotency-Key": "mail-1"}
    first, again = (tenant.api.post("/v1/messages", json=body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert len(tenant.api.get(f"/v1/contacts/{bob}/messages").json()["items"]) == 1


def test_a_mail_is_not_lost_where_temporal_is_away(running: RunningApi, tenant: Tenant, bob: str) -> None:
    running.commands.away = True
    user = tenant.user()
    answer = tenant.api.post("/v1/messages", json={"user_id": user["id"], "to": ["bob@client.example"]})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"to": []}, "#/to"),
        ({"to": ["not an address"]}, "#/to/0/email"),
        ({"to": ["stranger@nowhere.example"]}, "#/to"),
        ({"subject": "two\r\nBcc: x@y.example"}, "#/subject"),
        ({"kind": "bulk"}, "#/kind"),
        ({"reply_to_message_id": "msg_unknown"}, "#/reply_to_message_id"),
        ({"attachments": [{"filename": "a", "content_base64": "%"}]}, "#/attachments/0/content_base64"),
        ({"send_at": "tomorrow"}, "#/send_at"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_with_the_place(
    tenant: Tenant, bob: str, change: dict[str, object], pointer: str
) -> None:
    user = tenant.user()
    body = {"user_id": user["id"], "to": ["bob@client.example"], "subject": "S", "text": "T"} | change
    answer = tenant.api.post("/v1/messages", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_s22_attachments_up_to_the_limit_are_accepted_and_above_it_refused(tenant: Tenant, bob: str) -> None:
    user = tenant.user()

    def send(size: int) -> Any:
        content = base64.b64encode(b"\0" * size).decode()
        return tenant.api.post(
            "/v1/messages",
            json={
                "user_id": user["id"],
                "to": ["bob@client.example"],
                "attachments": [{"filename": "big", "content_base64": content}],
            },
        )

    assert send(25 * 2**20).status_code == 202
    over = send(25 * 2**20 + 1)
    assert over.status_code == 413
    assert "26,214,400" in over.json()["detail"]
    assert send(34 * 2**20).status_code == 413


def test_a_mail_is_cancelled_until_it_has_left(running: RunningApi, tenant: Tenant, bob: str) -> None:
    user = tenant.user()
    body = {"user_id": user["id"], "to": ["bob@client.example"], "send_at": "2100-01-01T00:00:00Z"}
    queued = tenant.api.post("/v1/messages", json=body).json()
    assert (queued["status"], queued["leaves_at"]) == ("scheduled", "2100-01-01T00:00:00Z")
    shown = tenant.api.get(f"/v1/messages/{queued['id']}").json()
    assert shown["sent_at"] is None, "it has not left"
    assert (shown["next_action"], shown["cancellable"]) == ("Leaves at its time", True)
    url = f"/v1/messages/{queued['id']}/cancel"
    assert tenant.api.post(url).json()["status"] == "cancelled"
    assert running.commands.named("message_changed") == [(queued["id"],)]
    with running.database.session() as session:
        session.get_one(Message, queued["id"]).status = "sent"
    late = tenant.api.post(url)
    assert late.status_code == 409


def test_only_a_held_mail_is_resolved(running: RunningApi, tenant: Tenant, bob: str) -> None:
    user = tenant.user()
    body = {"user_id": user["id"], "to": ["bob@client.example"]}
    message_id = tenant.api.post("/v1/messages", json=body).json()["id"]
    url = f"/v1/messages/{message_id}/resolve"
    assert tenant.api.post(url, json={"action": "discard"}).status_code == 409
    with running.database.session() as session:
        session.get_one(Message, message_id).status = "held"
    assert tenant.api.post(url, json={"action": "resend"}).status_code == 422
    assert tenant.api.post(url, json={"action": "mark_sent"}).json()["status"] == "sent"


def test_s5_a_held_mail_of_a_disconnected_mailbox_leaves_from_no_other(
    running: RunningApi, tenant: Tenant, bob: str
) -> None:
    user = tenant.user()
    first = connected_account(running, tenant, user_id=user["id"], email="first@gmail.com")
    body = {"user_id": user["id"], "to": ["bob@client.example"]}
    message_id = tenant.api.post("/v1/messages", json=body).json()["id"]
    with running.database.session() as session:  # what the disconnect and a new connection leave behind
        session.get_one(Message, message_id).status = "held"
        session.get_one(Account, first).state = "disconnected"
        session.get_one(User, user["id"]).active_account_id = None
    connected_account(running, tenant, user_id=user["id"], email="second@gmail.com")
    refused = tenant.api.post(f"/v1/messages/{message_id}/resolve", json={"action": "look_again"})
    assert refused.status_code == 409
    assert "first@gmail.com" in refused.json()["detail"]
    assert tenant.api.get(f"/v1/messages/{message_id}").json()["status"] == "held"
    discarded = tenant.api.post(f"/v1/messages/{message_id}/resolve", json={"action": "discard"})
    assert discarded.json()["status"] == "cancelled"


def test_search_finds_contacts_and_messages(running: RunningApi, tenant: Tenant, bob: str) -> None:
    inbound_mail(running, tenant, bob, subject="Quarterly zebra figures")
    kinds = [i["type"] for i in tenant.api.get("/v1/search", params={"q": "zebra"}).json()["items"]]
    assert kinds == ["message"]
    items = tenant.api.get("/v1/search", params={"q": "bob@client.example"}).json()["items"]
    assert (items[0]["type"], items[0]["contact"]["id"]) == ("contact", bob)
    assert tenant.api.get("/v1/search", params={"q": "100%_"}).json()["items"] == []
