"""Bulk mail on the whole running system: through the SMTP provider, each recipient once or shown as unknown (S25)."""

from __future__ import annotations

import os
import re
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import httpx
import pytest

from devstack.catcher import CatcherClient
from devstack.stack import Stack
from devstack.story import Json, LocationInStory, Refused, Story, UserInStory, eventually, unique
from models import Contact, ContactAddress
from models.ids import new_id
from storage.database import Database

pytestmark = pytest.mark.servers

ENDED = ("done", "cancelled")


@dataclass
class Post:
    """A location with a user, contacts, and the provider that catches what leaves."""

    acme: LocationInStory
    ann: UserInStory
    catcher: CatcherClient

    def contacts(self, count: int, domain: str | None = None) -> list[Json]:
        domain = domain or f"{unique('lead')}.example"
        return [
            self.acme.api.post("/v1/contacts", {"name": f"Lead {n}", "emails": [f"lead{n}@{domain}"]})
            for n in range(count)
        ]

    def campaign(self, contacts: list[Json], **more: Any) -> Json:
        body: Json = {
            "user_id": self.ann.id,
            "subject": "News",
            "html": "<p>Hello</p>",
            "contact_ids": [contact["id"] for contact in contacts],
            **more,
        }
        made: Json = self.acme.api.post("/v1/campaigns", body)
        return made

    def read(self, campaign: Json) -> Json:
        found: Json = self.acme.api.get(f"/v1/campaigns/{campaign['id']}")
        return found

    def act(self, campaign: Json, what: str) -> Json:
        found: Json = self.acme.api.post(f"/v1/campaigns/{campaign['id']}/{what}")
        return found

    def until(
        self, campaign: Json, condition: Callable[[Json], Any], what: str, patience_s: float = 60
    ) -> Json:
        def look() -> Json | None:
            found = self.read(campaign)
            return found if condition(found) else None

        return eventually(look, what, patience_s=patience_s)

    def done(self, campaign: Json, patience_s: float = 60) -> Json:
        return self.until(campaign, lambda found: found["state"] in ENDED, "campaign done", patience_s)

    def recipients(self, campaign: Json, **params: Any) -> dict[str, Json]:
        items = self.acme.api.all(f"/v1/campaigns/{campaign['id']}/recipients", **params)
        return {item["contact_id"]: item for item in items}

    def caught(self, contact: Json) -> list[Any]:
        return self.catcher.messages(to=contact["emails"][0])


def many_contacts(stack: Stack, acme: LocationInStory, count: int) -> dict[str, str]:
    """Contacts as rows, since thousands over HTTP take long; addresses by id."""
    domain = f"{unique('lead')}.example"
    contacts = {new_id("con"): f"lead{number}@{domain}" for number in range(count)}
    database = Database(stack.database_url, pool_size=2)
    with database.session() as session:
        for contact_id in contacts:
            session.add(Contact(id=contact_id, location_id=acme.id, name="Lead"))
        session.flush()
        for contact_id, email in contacts.items():
            session.add(
                ContactAddress(contact_id=contact_id, location_id=acme.id, email=email, email_key=email)
            )
    database.close()
    return contacts


@pytest.fixture
def post(stack: Stack) -> Post:
    return open_post(stack)


def open_post(stack: Stack) -> Post:
    acme = Story(stack).location("Acme")
    return Post(acme, acme.user(name="Ann Archer"), CatcherClient(stack.catcher_url))


def test_s25_each_contact_gets_its_own_mail_shown_in_its_conversation(post: Post) -> None:
    contacts = post.contacts(3)
    made = post.campaign(contacts)
    assert (made["total"], made["sent"], made["failed"], made["unknown"]) == (3, 0, 0, 0)
    found = post.done(made)
    assert (found["state"], found["sent"], found["total"]) == ("done", 3, 3)
    for contact in contacts:
        (mail,) = post.caught(contact)
        assert mail.rcpt_tos == (contact["emails"][0],)
        headers = dict(mail.headers)
        assert parseaddr(headers["From"]) == ("Ann Archer", post.ann.email)
        assert parseaddr(headers["To"])[1] == contact["emails"][0]
        recipient = post.recipients(made)[contact["id"]]
        assert recipient["state"] == "sent"
        (message,) = post.acme.api.all(f"/v1/contacts/{contact['id']}/messages")
        assert (message["id"], message["kind"], message["status"]) == (
            recipient["message_id"],
            "bulk",
            "sent",
        )
        assert message["gmail"] == []
        assert message["message_id_header"] == headers["Message-ID"]


@pytest.fixture
def quiet(stack: Stack) -> Iterator[None]:
    """The provider refuses nothing any more afterwards."""
    yield
    CatcherClient(stack.catcher_url).refuse()


def test_s25_the_campaigns_own_from_goes_before_the_users(post: Post) -> None:
    contacts = post.contacts(1)
    post.done(post.campaign(contacts, **{"from": "Acme News <news@acme.example>"}))
    (mail,) = post.caught(contacts[0])
    assert dict(mail.headers)["From"] == "Acme News <news@acme.example>"


def test_s25_without_a_from_of_its_own_the_assigned_user_writes(post: Post) -> None:
    bob = post.acme.user(name="Bob Baker")
    email = f"{unique('lea')}@lead.example"
    contact = post.acme.contact("Lea", email, assigned_to=bob)
    post.done(post.campaign([{"id": contact.id}]))
    (mail,) = post.catcher.messages(to=email)
    assert parseaddr(dict(mail.headers)["From"]) == ("Bob Baker", bob.email)


def test_s25_a_campaign_never_touches_gmail_or_its_ledger(post: Post) -> None:
    post.ann.connect()
    contacts = post.contacts(2)
    post.done(post.campaign(contacts))
    assert len(post.caught(contacts[0])) == 1
    assert post.ann.gmail.messages(post.ann.mailbox) == []
    sends = post.ann.account()["sends"]
    assert (sends["used_24h"], sends["queued"]) == (0, 0)


def test_who_cannot_be_mailed_is_shown_at_once_with_the_reason(post: Post) -> None:
    good, gone, silent = post.contacts(3)
    nobody = post.acme.api.post("/v1/contacts", {"name": "No address", "emails": []})
    twin = post.acme.api.post("/v1/contacts", {"name": "Twin", "emails": good["emails"]})
    post.acme.api.delete(f"/v1/contacts/{gone['id']}")
    post.acme.api.post("/v1/suppressions", {"email": silent["emails"][0]})
    made = post.done(post.campaign([good, gone, silent, nobody, twin]))
    assert (made["total"], made["sent"], made["failed"], made["suppressed"]) == (5, 1, 2, 2)
    states = {key: (item["state"], item["reason"]) for key, item in post.recipients(made).items()}
    assert states[gone["id"]] == ("failed", "the contact was deleted")
    assert states[nobody["id"]] == ("failed", "the contact has no address")
    assert states[silent["id"]] == ("suppressed", "added by hand")
    assert states[twin["id"]][0] == "suppressed"
    assert len(post.caught(good)) == 1
    assert post.caught(silent) == []


def test_a_contact_of_another_location_is_refused(post: Post, stack: Stack) -> None:
    (stranger,) = open_post(stack).contacts(1)
    with pytest.raises(Refused) as refused:
        post.campaign([stranger])
    assert refused.value.status == 422
    assert refused.value.problem["errors"][0]["pointer"] == "#/contact_ids/0"


def test_one_click_unsubscribe_keeps_the_next_campaign_away(post: Post) -> None:
    (contact,) = post.contacts(1)
    post.done(post.campaign([contact]))
    (mail,) = post.caught(contact)
    headers = dict(mail.headers)
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (url,) = re.findall(r"<([^>]+)>", headers["List-Unsubscribe"].replace("\r\n ", ""))
    assert url in (post.catcher.parsed(mail.id).get_body(("html",)) or pytest.fail("no html")).get_content()
    assert httpx.get(url, timeout=30).status_code == 200
    assert post.acme.api.all("/v1/suppressions") == [], "looking at the page changes nothing"
    assert httpx.post(url[:-1] + ("A" if url[-1] != "A" else "B"), timeout=30).status_code == 404
    one_click = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=30)
    assert one_click.status_code == 200
    (suppressed,) = post.acme.api.all("/v1/suppressions")
    assert (suppressed["email"], suppressed["reason"]) == (contact["emails"][0], "unsubscribed")
    second = post.done(post.campaign([contact]))
    assert (second["suppressed"], second["sent"]) == (1, 0)
    assert len(post.caught(contact)) == 1


def test_an_address_that_does_not_exist_fails_and_gets_no_more_mail(post: Post, quiet: None) -> None:
    good, bad = post.contacts(2)
    post.catcher.refuse(recipients=bad["emails"])
    made = post.done(post.campaign([good, bad]))
    assert (made["sent"], made["failed"]) == (1, 1)
    assert post.recipients(made)[bad["id"]]["reason"].startswith("550 5.1.1")
    assert [one["email"] for one in post.acme.api.all("/v1/suppressions")] == bad["emails"]
    assert post.acme.api.all(f"/v1/contacts/{bad['id']}/messages") == []


def test_s20_a_notice_to_the_return_path_marks_recipient_and_message(post: Post, stack: Stack) -> None:
    (contact,) = post.contacts(1)
    made = post.done(post.campaign([contact]))
    (mail,) = post.caught(contact)
    host, port = stack.smtp_inbound
    with smtplib.SMTP(host, port, timeout=30) as smtp:
        smtp.sendmail("", [mail.mail_from], a_bounce(contact["emails"][0]))

    def look() -> Json | None:
        item = post.recipients(made)[contact["id"]]
        return item if item["state"] == "bounced" else None

    recipient = eventually(look, "the recipient is bounced")
    (message,) = post.acme.api.all(f"/v1/contacts/{contact['id']}/messages")
    assert (message["id"], message["status"]) == (recipient["message_id"], "bounced")
    assert post.read(made)["bounced"] == 1
    assert [one["email"] for one in post.acme.api.all("/v1/suppressions")] == contact["emails"]


def a_bounce(recipient: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: bounce\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n\r\n--b--\r\n"
    ).encode()


def test_pause_resume_and_cancel_take_effect_within_a_batch(post: Post, stack: Stack) -> None:
    contacts = many_contacts(stack, post.acme, 400)
    made = post.campaign([{"id": contact_id} for contact_id in contacts])
    post.until(made, lambda found: found["sent"] >= 5, "some are sent")
    post.act(made, "pause")
    paused = post.until(made, settled_counts(), "no mail is under way")
    assert paused["state"] == "paused"
    assert 0 < paused["sent"] < 400
    assert len(caught_of(post, contacts)) == paused["sent"]
    post.act(made, "resume")
    post.until(made, lambda found: found["sent"] > paused["sent"] + 5, "it goes on")
    post.act(made, "cancel")
    cancelled = post.until(made, settled_counts(), "no mail is under way")
    assert cancelled["state"] == "cancelled"
    assert cancelled["sent"] < 400
    assert cancelled["pending"] == 400 - cancelled["sent"]
    assert len(caught_of(post, contacts)) == cancelled["sent"]
    with pytest.raises(Refused) as refused:
        post.act(made, "resume")
    assert refused.value.status == 409


def settled_counts() -> Callable[[Json], bool]:
    """Nobody is being mailed right now: the provider has as many as the counters say, twice in a row."""
    last: list[int] = []

    def settled(found: Json) -> bool:
        last.append(found["sent"])
        return len(last) > 3 and len(set(last[-3:])) == 1

    return settled


def at_least(count: int) -> Callable[[Json], bool]:
    """So many are sent."""
    return lambda found: bool(found["sent"] >= count)


def caught_of(post: Post, contacts: dict[str, str]) -> Counter[str]:
    ours = set(contacts.values())
    return Counter(to for mail in post.catcher.messages() for to in mail.rcpt_tos if to in ours)


def test_s25_without_a_provider_it_says_so_waits_and_goes_on_once_there_is_one(
    post: Post, stack: Stack
) -> None:
    location = f"/v1/locations/{post.acme.id}"
    post.acme.api.patch(location, {"smtp_provider_url": "smtp://127.0.0.1:1"})
    contacts = post.contacts(1)
    made = post.campaign(contacts)
    waiting = post.until(made, lambda found: found["reason"], "a reason")
    assert "cannot be reached" in waiting["reason"]
    assert waiting["state"] == "sending"
    post.acme.api.patch(location, {"smtp_provider_url": None})
    assert post.done(made)["sent"] == 1
    assert post.read(made)["reason"] is None


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.soak)])
def test_s25_every_recipient_once_or_unknown_through_refusals_and_two_kills(
    post: Post, stack: Stack, quiet: None, count: int
) -> None:
    contacts = many_contacts(stack, post.acme, count)
    seed = int(os.environ.get("SEED", "1"))
    post.catcher.refuse(temporary_rate=0.01, permanent_rate=0.01, seed=seed)
    made = post.campaign([{"id": contact_id} for contact_id in contacts])
    reached = 0
    for _ in range(2):
        goal = reached + count // 6
        found = post.until(made, at_least(goal), f"{goal} are sent", 60 + count / 5)
        stack.kill("worker")
        reached = found["sent"]
    found = post.done(made, patience_s=120 + count / 5)
    print(f"seed {seed}: {found}")
    assert found["state"] == "done"
    assert found["total"] == count == found["sent"] + found["failed"] + found["unknown"]
    caught = caught_of(post, contacts)
    by_state: dict[str, list[int]] = {}
    for contact_id, recipient in post.recipients(made).items():
        by_state.setdefault(recipient["state"], []).append(caught[contacts[contact_id]])
    assert set(by_state["sent"]) == {1}
    assert set(by_state.get("failed", [0])) == {0}
    assert set(by_state.get("unknown", [0])) <= {0, 1}
    assert found["unknown"] <= 2 * stack.settings.campaign_connections
    assert max(caught.values()) == 1, "nobody got it twice"
