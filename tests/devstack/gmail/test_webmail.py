"""The webmail page: a person plays both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from devstack.gmail.control import GmailControl

pytestmark = pytest.mark.servers
BOB, ANN = "bob@gmail.com", "ann@corp.example"


@pytest.fixture
def browser(gmail: GmailControl) -> Iterator[httpx.Client]:
    gmail.create_mailbox(BOB, name="Bob")
    gmail.create_mailbox(ANN, name="Ann")
    with httpx.Client(base_url=gmail.base_url, follow_redirects=True, verify=False) as client:
        yield client


def submit(browser: httpx.Client, page: httpx.Response, action: str, **values: str) -> httpx.Response:
    """Send the page's form with its hidden and prefilled fields, as a browser would."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page.text, re.S)
    assert form is not None
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form.group()):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and 'type="checkbox"' not in tag:
            fields[name[1]] = value[1] if value else ""
    unescaped = {
        n: v.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"') for n, v in fields.items()
    }
    answer = browser.post(action, data=unescaped | values)
    assert answer.status_code == 200, answer.text
    return answer


def test_both_sides_write_read_and_answer(gmail: GmailControl, browser: httpx.Client) -> None:
    page = browser.get("/")
    assert BOB in page.text
    page = browser.get(f"/webmail/{BOB}/write")
    submit(browser, page, f"/webmail/{BOB}/send", to=ANN, subject="Lunch", text="At noon?", **{"from": BOB})
    (hers,) = gmail.messages(ANN)
    page = browser.get(f"/webmail/{ANN}")
    assert "Lunch" in page.text
    page = browser.get(f"/webmail/{ANN}/m/{hers['id']}")
    assert "At noon?" in page.text
    assert "UNREAD" not in gmail.messages(ANN)[0]["labels"]
    page = browser.get(f"/webmail/{ANN}/write", params={"mode": "reply", "id": hers["id"]})
    submit(browser, page, f"/webmail/{ANN}/send", text="Yes", **{"from": ANN})
    sent, answer = gmail.messages(BOB)
    assert answer["subject"] == "Re: Lunch"
    assert answer["thread_id"] == sent["thread_id"]


def test_a_reply_to_all_and_a_forward(gmail: GmailControl, browser: httpx.Client) -> None:
    fields = {"from": "lead@out.example", "to": [BOB, "boss@out.example"], "cc": ANN, "subject": "All"}
    message_id = gmail.deliver(fields)[BOB]
    page = browser.get(f"/webmail/{BOB}/write", params={"mode": "reply-all", "id": message_id})
    submit(browser, page, f"/webmail/{BOB}/send", text="ok", **{"from": BOB})
    assert gmail.outbox()[-1]["recipients"] == ["lead@out.example", "boss@out.example"]
    assert gmail.messages(ANN)[-1]["subject"] == "Re: All"
    page = browser.get(f"/webmail/{BOB}/write", params={"mode": "forward", "id": message_id})
    submit(browser, page, f"/webmail/{BOB}/send", to="third@out.example", text="fyi", **{"from": BOB})
    assert b"Fwd: All" in gmail.outbox()[-1]["raw"]


def test_an_outside_person_writes_and_answers(gmail: GmailControl, browser: httpx.Client) -> None:
    sent = gmail.send_as_user(BOB, {"to": "lead@out.example", "subject": "Offer", "text": "Our price"})
    page = browser.get("/webmail/outside/0")
    assert "Our price" in page.text
    submit(browser, page, "/webmail/outside", text="Fine")
    answer = gmail.messages(BOB)[-1]
    assert (answer["subject"], answer["thread_id"]) == ("Re: Offer", sent["thread_id"])
    page = browser.get("/webmail/outside")
    submit(browser, page, "/webmail/outside", to=BOB, subject="Win", text="x", spam="1")
    assert "SPAM" in gmail.messages(BOB)[-1]["labels"]


def test_labels_and_folders(gmail: GmailControl, browser: httpx.Client) -> None:
    message_id = gmail.deliver({"from": "lead@out.example", "to": BOB, "subject": "File me"})[BOB]
    browser.post(f"/webmail/{BOB}/label", data={"name": "Leads"})
    page = browser.get(f"/webmail/{BOB}/m/{message_id}")
    assert "+ Leads" in page.text
    for fields in ({"label": "Label_1"}, {"action": "archive"}, {"action": "star"}):
        browser.post(f"/webmail/{BOB}/act", data={"id": message_id, **fields})
    assert {"Label_1", "STARRED"} <= set(gmail.messages(BOB)[0]["labels"])
    assert "INBOX" not in gmail.messages(BOB)[0]["labels"]
    assert "File me" in browser.get(f"/webmail/{BOB}?label=Label_1").text
    assert "File me" in browser.get(f"/webmail/{BOB}?q=from:lead").text
    assert "File me" not in browser.get(f"/webmail/{BOB}").text
    for action in ("trash", "delete"):
        browser.post(f"/webmail/{BOB}/act", data={"id": message_id, "action": action})
    assert gmail.messages(BOB) == []


def test_mail_is_shown_as_text_and_never_as_markup(gmail: GmailControl, browser: httpx.Client) -> None:
    message_id = gmail.deliver(
        {"from": "x@out.example", "to": BOB, "subject": "<script>1</script>", "text": "<b>x</b>"}
    )
    page = browser.get(f"/webmail/{BOB}/m/{message_id[BOB]}")
    assert "<script>1" not in page.text
    assert "&lt;b&gt;x" in page.text


def test_an_account_can_be_opened_by_hand(gmail: GmailControl, browser: httpx.Client) -> None:
    page = browser.post("/webmail", data={"email": "new@gmail.com", "name": "New"})
    assert "new@gmail.com" in page.text
    assert browser.get("/webmail/nobody@gmail.com").status_code == 404
