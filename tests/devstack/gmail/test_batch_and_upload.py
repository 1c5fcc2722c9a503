"""Batches and media uploads with the client library as it is."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, HttpRequest, MediaIoBaseUpload

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest, google_client, web
from tests.devstack.gmail.test_oauth import CLIENT, SECRET, connect

pytestmark = pytest.mark.servers
BOB, OUT = "bob@gmail.com", "lead@out.example"
LIMIT = 36_700_160


@pytest.fixture
def bob(gmail: GmailControl) -> Rest:
    gmail.create_mailbox(BOB)
    return Rest(gmail, BOB)


def batch_of(gmail: GmailControl, requests: list[HttpRequest], path: str = "/batch") -> list[tuple[Any, Any]]:
    answers: list[tuple[Any, Any]] = []
    batch = BatchHttpRequest(
        batch_uri=f"{gmail.base_url}{path}", callback=lambda _, answer, error: answers.append((answer, error))
    )
    for request in requests:
        batch.add(request)
    batch.execute()
    return answers


@pytest.mark.parametrize("path", ["/batch", "/batch/gmail/v1"])
def test_every_part_of_a_batch_has_its_own_status(gmail: GmailControl, bob: Rest, path: str) -> None:
    ids = gmail.insert(BOB, [{"fields": {"subject": str(i), "from": OUT}} for i in range(3)])
    messages = google_client(gmail, BOB).users().messages()
    asked = [*ids[:2], "19a0000000000000", ids[2]]
    answers = batch_of(gmail, [messages.get(userId="me", id=i, format="minimal") for i in asked], path)
    assert [answer["id"] if answer else error.resp.status for answer, error in answers] == [
        *ids[:2],
        404,
        ids[2],
    ]
    assert all(entry["batch"] for entry in gmail.requests("messages.get"))


def test_a_batch_can_write(gmail: GmailControl, bob: Rest) -> None:
    ids = gmail.insert(BOB, [{"fields": {"subject": str(i), "from": OUT}} for i in range(2)])
    messages = google_client(gmail, BOB).users().messages()
    batch_of(gmail, [messages.modify(userId="me", id=i, body={"addLabelIds": ["STARRED"]}) for i in ids])
    assert all("STARRED" in m["labels"] for m in gmail.messages(BOB))


def test_more_than_100_parts_are_refused(gmail: GmailControl, bob: Rest) -> None:
    users = google_client(gmail, BOB).users()
    assert len(batch_of(gmail, [users.getProfile(userId="me") for _ in range(100)])) == 100
    with pytest.raises(HttpError) as refused:
        batch_of(gmail, [users.getProfile(userId="me") for _ in range(101)])
    assert refused.value.resp.status == 400
    assert "Inner request count exceeds the limit. Received: 101, Limit: 100" in str(refused.value)


def test_the_parts_of_a_batch_run_at_the_same_time(gmail: GmailControl, bob: Rest) -> None:
    gmail.behaviour(concurrent_per_mailbox=5, latency_s=0.02)
    users = google_client(gmail, BOB).users()
    answers = batch_of(gmail, [users.getProfile(userId="me") for _ in range(12)])
    assert sum(1 for answer, _ in answers if answer) == 5
    assert {error.resp.status for _, error in answers if error} == {429}


def plain_http(request: Any, gmail: GmailControl) -> Any:
    """The client library keeps https for uploads; the emulator speaks plain http."""
    request.uri = request.uri.replace("https://", "http://", 1)
    if request.resumable_uri:
        request.resumable_uri = request.resumable_uri.replace("https://", "http://", 1)
    assert request.uri.startswith(gmail.base_url)
    return request


def content(size: int = 10) -> bytes:
    return b"To: lead@out.example\r\nSubject: Big\r\n\r\n" + b"x" * size


@pytest.mark.parametrize("resumable", [False, True])
def test_the_client_librarys_uploads_send_a_mail(gmail: GmailControl, bob: Rest, resumable: bool) -> None:
    first = gmail.send_as_user(BOB, {"to": OUT, "subject": "Big", "text": "x"})
    media = MediaIoBaseUpload(
        io.BytesIO(content(700_000)), mimetype="message/rfc822", chunksize=256 * 1024, resumable=resumable
    )
    messages = google_client(gmail, BOB).users().messages()
    request = messages.send(userId="me", body={"threadId": first["thread_id"]}, media_body=media)
    sent = plain_http(request, gmail).execute()
    assert sent["threadId"] == first["thread_id"]
    assert gmail.outbox()[-1]["raw"].endswith(content(700_000)[-700_000:])


def test_simple_media_upload(gmail: GmailControl, bob: Rest) -> None:
    url = f"{gmail.base_url}/upload/gmail/v1/users/me/messages/send?uploadType=media"
    headers = {"Authorization": bob.http.headers["Authorization"], "Content-Type": "message/rfc822"}
    answer = web.post(url, content=content(), headers=headers)
    assert answer.json()["labelIds"] == ["SENT"]
    assert b"Subject: Big" in gmail.outbox()[0]["raw"]


def test_36_700_160_bytes_are_the_limit(gmail: GmailControl, bob: Rest) -> None:
    head = b"To: lead@out.example\r\nSubject: Big\r\n\r\n"
    auth = {"Authorization": bob.http.headers["Authorization"]}
    url = f"{gmail.base_url}/upload/gmail/v1/users/me/messages/send?uploadType="
    statuses = []
    for size in (LIMIT, LIMIT + 1):
        data = head + b"x" * (size - len(head))
        statuses.append(web.post(f"{url}media", content=data, headers=auth, timeout=60).status_code)
        announced = {**auth, "X-Upload-Content-Length": str(size)}
        statuses.append(web.post(f"{url}resumable", content=b"{}", headers=announced).status_code)
    assert statuses == [200, 200, 413, 413]
    assert len(gmail.outbox()) == 1


def test_a_draft_can_be_uploaded_in_chunks_and_goes_on_after_a_break(gmail: GmailControl, bob: Rest) -> None:
    draft = bob.post("drafts", {"message": {"raw": base64.urlsafe_b64encode(content()).decode()}})
    path = f"/resumable/upload/gmail/v1/users/me/drafts/{draft['id']}?uploadType=resumable"
    auth = {"Authorization": bob.http.headers["Authorization"]}
    opened = web.put(f"{gmail.base_url}{path}", content=json.dumps({"message": {}}), headers=auth)
    location = opened.headers["Location"]
    data = content(1000)
    first = web.put(
        location, content=data[:600], headers={**auth, "Content-Range": f"bytes 0-599/{len(data)}"}
    )
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-599")
    asked = web.put(location, headers={**auth, "Content-Range": f"bytes */{len(data)}"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-599")
    rest = {**auth, "Content-Range": f"bytes 600-{len(data) - 1}/{len(data)}"}
    done = web.put(location, content=data[600:], headers=rest)
    assert done.json()["id"] == draft["id"]
    assert gmail.messages(BOB, raw=True)[0]["raw"].endswith(data)


def test_a_refresh_of_the_client_library_happens_by_itself(gmail: GmailControl, bob: Rest) -> None:
    tokens = connect(gmail, BOB)
    gmail.expire_access_tokens(BOB)
    credentials = Credentials(  # type: ignore[no-untyped-call]
        token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        token_uri=f"{gmail.base_url}/token",
        client_id=CLIENT,
        client_secret=SECRET,
    )
    service = build("gmail", "v1", credentials=credentials, client_options={"api_endpoint": gmail.base_url})
    assert service.users().getProfile(userId="me").execute()["emailAddress"] == BOB
    assert credentials.token != tokens["access_token"]
