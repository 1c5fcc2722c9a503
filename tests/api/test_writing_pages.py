"""The pages for writing to a contact, finding one, and searching."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.pages.writing import addresses_in, html_of
from tests.api.builders import connected_account, inbound_mail
from tests.api.running import RunningApi, Tenant
from tests.api.test_pages import Visit

BOB = "bob@client.example"


@pytest.fixture
def user_id(tenant: Tenant) -> str:
    return str(tenant.user()["id"])


@pytest.fixture
def visit(running: RunningApi, tenant: Tenant, user_id: str) -> Visit:
    return Visit(running, tenant, user_id)


def message_of(tenant: Tenant, answer: httpx.Response) -> dict[str, Any]:
    """The mail whose conversation the page goes to."""
    assert answer.status_code == 204, answer.text
    place = answer.headers["hx-redirect"]
    assert place.startswith("/conversations/")
    found: dict[str, Any] = tenant.api.get(f"/v1/messages/{place.rpartition('#msg-')[2]}").json()
    return found


@pytest.mark.servers
def test_s11_a_new_message_to_a_contact_leaves_from_the_users_gmail_after_the_undo_time(
    running: RunningApi, tenant: Tenant, user_id: str, visit: Visit
) -> None:
    connected_account(running, tenant, user_id=user_id, email="ann.writes@gmail.com")
    contact = tenant.contact(BOB, name="Bob Baker")["id"]
    page = visit.http.get("/compose", params={"contact_id": contact}).text
    assert "ann.writes@gmail.com" in page
    assert f'value="{BOB}"' in page
    answer = visit.post(
        "/compose",
        to=f"Bob Baker <{BOB}>; lea@client.example",
        cc="Boss <boss@client.example>",
        bcc="file@acme.example",
        subject="Our offer",
        text="Dear Bob,\nhere it is.",
    )
    mail = message_of(tenant, answer)
    assert [person["email"] for person in mail["to"]] == [BOB, "lea@client.example"]
    assert [(person["name"], person["email"]) for person in mail["cc"]] == [("Boss", "boss@client.example")]
    assert [person["email"] for person in mail["bcc"]] == ["file@acme.example"]
    assert (mail["subject"], mail["text"], mail["html"]) == ("Our offer", "Dear Bob,\nhere it is.", None)
    assert mail["from"]["email"] == "ann.writes@gmail.com"
    assert (mail["contact_id"], mail["status"]) == (contact, "scheduled")
    wait = datetime.fromisoformat(mail["leaves_at"]) - datetime.fromisoformat(mail["created_at"])
    assert timedelta(seconds=9) < wait < timedelta(seconds=30)


@pytest.mark.servers
def test_a_mail_can_be_taken_back_changed_and_sent_again(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    tenant.contact(BOB)
    mail = message_of(
        tenant, visit.post("/compose", to=BOB, subject="Offer", text="Too <early>", cc="a@x.example")
    )
    card = visit.http.get(f"/messages/{mail['id']}/card").text
    assert "Leaves in a moment" in card
    assert ">Undo</button>" in card
    card = visit.http.post(f"/messages/{mail['id']}/cancel", data={"csrf": visit.csrf()}).text
    assert "Cancelled" in card
    assert f"/compose?again={mail['id']}" in card
    page = visit.http.get("/compose", params={"again": mail["id"]}).text
    for kept in (f'value="{BOB}"', 'value="Offer"', "Too &lt;early&gt;", 'value="a@x.example"'):
        assert kept in page


@pytest.mark.servers
def test_a_mail_can_be_sent_later_and_shows_when(tenant: Tenant, visit: Visit) -> None:
    tenant.contact(BOB)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    mail = message_of(tenant, visit.post("/compose", to=BOB, text="Later", send_at=tomorrow.isoformat()))
    assert (mail["status"], datetime.fromisoformat(mail["leaves_at"])) == ("scheduled", tomorrow)
    card = visit.http.get(f"/messages/{mail['id']}/card").text
    assert "Scheduled" in card
    assert ">Cancel</button>" in card


@pytest.mark.servers
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"to": "bob", "text": "x"}, "“bob” is not an e-mail address"),
        ({"to": BOB, "cc": "lea@, x", "text": "x"}, "is not an e-mail address"),
        ({"to": ",", "text": "x"}, "Say to whom the mail goes."),
        ({"to": BOB, "text": "  "}, "Write something first"),
        ({"to": "nobody@else.example", "text": "x"}, "nobody@else.example is no contact yet."),
        ({"to": BOB, "text": "x", "send_at": "tomorrow"}, "Choose a day and a time"),
        ({"to": BOB, "text": "x", "send_at": "2026-01-01T10:00:00Z"}, "has passed"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_plain_words(
    running: RunningApi, tenant: Tenant, visit: Visit, fields: dict[str, str], said: str
) -> None:
    tenant.contact(BOB)
    answer = visit.http.post(
        "/compose", data={"csrf": visit.csrf(), **fields}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert running.commands.given == []


@pytest.mark.servers
def test_an_answer_to_something_that_is_no_address_is_refused_too(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    message = inbound_mail(running, tenant, tenant.contact(BOB)["id"])
    conversation = tenant.api.get(f"/v1/messages/{message}").json()["conversation_id"]
    answer = visit.post(f"/conversations/{conversation}/reply", to="bob at client", text="x")
    assert answer.status_code == 422


@pytest.mark.servers
def test_s22_attachments_go_along_and_are_too_large_above_25_mb(tenant: Tenant, visit: Visit) -> None:
    tenant.contact(BOB)
    form = {"csrf": visit.csrf(), "to": BOB, "text": "x"}
    files = [("files", ("offer.pdf", b"%PDF-1", "application/pdf")), ("files", ("b.txt", b"b", "text/plain"))]
    mail = message_of(tenant, visit.http.post("/compose", data=form, files=files))
    assert [(f["filename"], f["size"]) for f in mail["attachments"]] == [("offer.pdf", 6), ("b.txt", 1)]
    large = [("files", ("large.bin", b"x" * (25 * 2**20 + 1), "application/octet-stream"))]
    assert visit.http.post("/compose", data=form, files=large).status_code == 413


@pytest.mark.servers
def test_s24_where_opens_are_recorded_the_page_says_so_and_the_mail_has_html(
    tenant: Tenant, visit: Visit
) -> None:
    tenant.contact(BOB)
    assert "Opens and clicks are not recorded" in visit.http.get("/compose").text
    tenant.api.patch(f"/v1/locations/{tenant.id}", json={"tracking": {"opens": True, "clicks": True}})
    assert "records opens and clicks on links" in visit.http.get("/compose").text
    mail = message_of(tenant, visit.post("/compose", to=BOB, text="See https://acme.example/a?b=1&c=2."))
    assert 'href="https://acme.example/a?b=1&amp;c=2"' in mail["html"]


@pytest.mark.servers
def test_contacts_are_listed_found_suggested_and_made(tenant: Tenant, user_id: str, visit: Visit) -> None:
    bob = tenant.contact(BOB, name="Bob Baker")["id"]
    tenant.contact("lea@client.example", name="Lea <b>Lindqvist</b>")
    page = visit.http.get("/contacts").text
    assert "Bob Baker" in page
    assert "Lea &lt;b&gt;Lindqvist" in page
    assert "Bob Baker" not in visit.http.get("/contacts", params={"q": "lind"}).text

    def suggested(q: str) -> list[str]:
        found = visit.http.get("/contacts/suggest", params={"q": q}).json()
        return [person["email"] for person in found]

    assert suggested("bak") == suggested("bob@") == [BOB]
    assert suggested("client") == suggested(" ") == []  # everybody's domain says nothing

    made = visit.post("/contacts", name="New One", email="new@client.example")
    contact = tenant.api.get(f"/v1{made.headers['location']}").json()
    assert (contact["emails"], contact["assigned_user_id"]) == (["new@client.example"], user_id)
    assert visit.post("/contacts", email=BOB).headers["location"] == f"/contacts/{bob}"
    assert visit.post("/contacts", email="nonsense").status_code == 422


@pytest.mark.servers
def test_s13_a_contacts_page_shows_every_mail_that_they_take_part_in(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    bob = tenant.contact(BOB, name="Bob Baker")["id"]
    inbound_mail(running, tenant, bob, subject="Garden house")
    tenant.contact("lea@client.example")
    visit.post("/compose", to="lea@client.example", cc=BOB, subject="You should know", text="x")
    page = visit.http.get(f"/contacts/{bob}").text
    assert "Garden house" in page
    assert "You should know" in page
    assert f"/compose?contact_id={bob}" in page


@pytest.mark.servers
def test_search_finds_contacts_and_mails(running: RunningApi, tenant: Tenant, visit: Visit) -> None:
    bob = tenant.contact(BOB, name="Bob Baker")["id"]
    message = inbound_mail(running, tenant, bob, subject="Garden house", text="twelve square metres")
    assert f"/contacts/{bob}" in visit.http.get("/search", params={"q": "baker"}).text
    page = visit.http.get("/search", params={"q": "square metres"}).text
    assert f"/messages/{message}" in page
    assert "Nothing fits" in visit.http.get("/search", params={"q": "zeppelin"}).text


@pytest.mark.servers
def test_the_contacts_of_another_location_are_not_mine(running: RunningApi, visit: Visit) -> None:
    other = running.tenant()
    bob = other.contact(BOB, name="Bob Baker")["id"]
    inbound_mail(running, other, bob, subject="Garden house")
    assert visit.http.get(f"/contacts/{bob}").status_code == 404
    assert visit.http.get("/compose", params={"contact_id": bob}).status_code == 404
    assert "Baker" not in visit.http.get("/contacts", params={"q": "baker"}).text
    assert "Garden" not in visit.http.get("/search", params={"q": "garden"}).text.replace("Found for", "")
    assert visit.http.get("/contacts/suggest", params={"q": "bob"}).json() == []


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ann@x.example", [("", "ann@x.example")]),
        (
            "Ann Archer <ann@x.example>, bob@x.example",
            [("Ann Archer", "ann@x.example"), ("", "bob@x.example")],
        ),
        (
            '"Archer, Ann" <ann@x.example>; bob@x.example',
            [("Archer, Ann", "ann@x.example"), ("", "bob@x.example")],
        ),
        ("ann@x.example\r\nbob@x.example,", [("", "ann@x.example"), ("", "bob@x.example")]),
        ("", []),
    ],
)
def test_addresses_are_read_as_people_write_them(text: str, pairs: list[tuple[str, str]]) -> None:
    assert [(found["name"], found["email"]) for found in addresses_in(text)] == pairs


def test_text_becomes_html_line_for_line_with_links() -> None:
    link = "https://x.example/?a=1&amp;b=2"
    made = html_of("a < b\r\nsee (https://x.example/?a=1&b=2), or\n<script>")
    lines = ["a &lt; b", f'see (<a href="{link}">{link}</a>), or', "&lt;script&gt;"]
    assert made == "<div>" + "<br>\n".join(lines) + "</div>"


def test_what_python_cannot_read_as_addresses_is_kept_to_be_complained_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.pages.writing.getaddresses", lambda _: [("", "")])  # as Python 3.13 says it
    assert addresses_in(" ann@example.com )bob@example.com;\n") == [
        {"name": "", "email": "ann@example.com )bob@example.com"}
    ]
    assert addresses_in(" ;\n") == []
