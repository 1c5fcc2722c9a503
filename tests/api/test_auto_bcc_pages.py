"""S16, S17, S19: what a user sees of auto-BCC: the address, how a mail was filed, who vouches for its author."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from models import Contact, Conversation, InboundMail, Message, RetiredAutoBcc
from models.columns import now
from models.states import ContactSource
from tests.api.builders import inbound_mail
from tests.api.running import RunningApi, Tenant
from tests.api.test_pages import Visit

pytestmark = pytest.mark.servers

PASSED = {"domain": "acme.example", "spf": "pass", "dkim": "none", "dmarc": "pass", "aligned": ["spf"]}
FAILED = {"domain": "acme.example", "spf": "fail", "dkim": "none", "dmarc": "fail", "aligned": []}
WORDS = {
    "proven": "checked: it really came from acme.example",
    "trusted": "handed over by a mail server of yours",
    "unproven": "acme.example does not vouch for that",
    "unknown": "could not be checked",
    "not_checked": "was not checked",
}


@pytest.fixture
def user(tenant: Tenant) -> dict[str, Any]:
    return tenant.user()


@pytest.fixture
def visit(running: RunningApi, tenant: Tenant, user: dict[str, Any]) -> Visit:
    return Visit(running, tenant, str(user["id"]))


def filed(running: RunningApi, tenant: Tenant, user_id: str, authentication: dict[str, Any]) -> str:
    """A message whose copy came to the listener; its id."""
    contact = str(tenant.contact("bob@client.example")["id"])
    message_id = inbound_mail(running, tenant, contact)
    with running.database.session() as session:
        session.add(
            InboundMail(
                location_id=tenant.id,
                user_id=user_id,
                purpose="auto_bcc",
                received_at=now(),
                blob="blob",
                size=1,
                digest=message_id,
                authentication=authentication,
                filed_at=now(),
                message_id=message_id,
            )
        )
    return message_id


def page_of(running: RunningApi, visit: Visit, message_id: str) -> str:
    with running.database.session() as session:
        conversation = session.get_one(Conversation, session.get_one(Message, message_id).conversation_id)
    return html.unescape(visit.http.get(f"/conversations/{conversation.id}").text)


@pytest.mark.parametrize("conclusion", WORDS)
def test_s16_the_message_shows_who_vouches_for_its_author(
    running: RunningApi, tenant: Tenant, visit: Visit, user: dict[str, Any], conclusion: str
) -> None:
    results = {"proven": PASSED, "not_checked": {}}.get(conclusion, FAILED)
    kept = {**results, "conclusion": conclusion} if results else {}
    message_id = filed(running, tenant, user["id"], kept)
    shown = tenant.api.get(f"/v1/messages/{message_id}").json()["authentication"]
    assert shown["conclusion"] == conclusion
    assert (shown["spf"], shown["dmarc"]) == (results.get("spf"), results.get("dmarc"))
    assert shown["received_at"].endswith("Z")
    page = page_of(running, visit, message_id)
    assert WORDS[conclusion] in page
    assert ("Author not proven" in page) is (conclusion == "unproven")


def test_s16_a_message_that_the_listener_never_saw_shows_nothing_of_it(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    message_id = inbound_mail(running, tenant, str(tenant.contact("bob@client.example")["id"]))
    assert tenant.api.get(f"/v1/messages/{message_id}").json()["authentication"] is None
    assert "auto-BCC address;" not in page_of(running, visit, message_id)


def test_s19_the_details_say_that_an_undelivered_copy_does_no_harm(
    running: RunningApi, tenant: Tenant, visit: Visit
) -> None:
    message_id = inbound_mail(running, tenant, str(tenant.contact("bob@client.example")["id"]))
    with running.database.session() as session:
        session.get_one(Message, message_id).auto_bcc_notice_at = now()
    shown = tenant.api.get(f"/v1/messages/{message_id}").json()
    assert (shown["bounce"], shown["auto_bcc_notice_at"] is not None) == (None, True)
    page = page_of(running, visit, message_id)
    assert "That does no harm" in page
    assert "Came back" not in page


@pytest.mark.parametrize(
    ("source", "words"),
    [(ContactSource.AUTO_BCC, "Added by a mail with an auto-BCC address"), (ContactSource.CRM, None)],
)
def test_s16_a_contact_made_by_auto_bcc_says_so(
    running: RunningApi, tenant: Tenant, visit: Visit, source: ContactSource, words: str | None
) -> None:
    contact_id = str(tenant.contact("bob@client.example")["id"])
    message_id = inbound_mail(running, tenant, contact_id)
    with running.database.session() as session:
        session.get_one(Contact, contact_id).source = source
    assert tenant.api.get(f"/v1/contacts/{contact_id}").json()["source"] == source
    page = page_of(running, visit, message_id)
    assert (words in page) if words else ("Added by" not in page)


def test_s16_the_settings_page_shows_the_address_and_how_to_point_mx(
    visit: Visit, user: dict[str, Any]
) -> None:
    page = html.unescape(visit.http.get("/settings/email").text)
    assert f'value="{user["auto_bcc_address"]}"' in page
    assert user["auto_bcc_address"].endswith("@bcc.localhost")
    assert re.search(r"bcc\.localhost\.\s+MX\s+10", page)
    assert "does no harm" in page


def test_s16_the_address_is_replaced_at_the_press_of_a_button(
    running: RunningApi, tenant: Tenant, visit: Visit, user: dict[str, Any]
) -> None:
    old = user["auto_bcc_address"]
    answer = visit.post("/settings/email/auto-bcc/rotate")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/email#auto-bcc")
    page = visit.http.get("/settings/email").text
    new = tenant.api.get(f"/v1/users/{user['id']}").json()["auto_bcc_address"]
    assert new != old
    assert new in page
    assert old not in page
    with running.database.session() as session:
        assert session.get(RetiredAutoBcc, old.partition("@")[0]) is not None
