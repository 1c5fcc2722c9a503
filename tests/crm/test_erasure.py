"""S29: what goes when a contact or a mailbox is erased, what stays, and what an export holds."""

from __future__ import annotations

import json

import pytest
from sqlmodel import func, select

from crm import address_book, erasure, exporting, leaving, outbound
from crm.address_book import Person
from crm.keeping import Item, file_page
from crm.leaving import Way
from crm.ledger import Limits
from crm.outbound import OutboundDraft, Recipient
from mail.parse import parse
from models import (
    Account,
    Contact,
    Conversation,
    Decision,
    Erasure,
    Location,
    Message,
    Participant,
    Thread,
    User,
)
from tests.crm.builders import BCC_DOMAIN, Crm, headline, raw_mail

pytestmark = pytest.mark.servers

IN, SENT = ("INBOX",), ("SENT",)


def test_s29_a_contact_goes_with_its_conversation_and_what_it_wrote_and_is_not_synced_again(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl, dora = crm.contact("carl@lead.com", name="Carl"), crm.contact("dora@lead.com", name="Dora")
    to_both = raw_mail(
        "alice@acme.com", ["dora@lead.com"], cc=["Carl C <carl@lead.com>"], message_id="<d@acme.com>"
    )
    own, to_dora, from_carl, of_dora = crm.arrive(
        alice,
        (raw_mail("carl@lead.com", "alice@acme.com"), IN, "t1"),
        (to_both, SENT, "t2"),
        (raw_mail("carl@lead.com", ["dora@lead.com", "alice@acme.com"], answers=["<d@acme.com>"]), IN, "t2"),
        (raw_mail("dora@lead.com", "alice@acme.com"), IN, "t3"),
    )
    with crm.database.session() as session:
        receipt = erasure.erase_contact(session, session.get_one(Contact, carl.id))
        assert receipt.counts == {
            "contacts": 1,
            "addresses": 1,
            "messages": 2,
            "attachments": 0,
            "blobs": 2,
            "participations": 1,
        }
    with crm.session() as session:
        assert session.get(Contact, carl.id) is None
        assert session.exec(select(Conversation).where(Conversation.contact_id == carl.id)).first() is None
        left = session.exec(select(Message).where(Message.location_id == crm.location.id)).all()
        assert {m.id for m in left} == {to_dora.message_id, of_dora.message_id}
        names = session.exec(
            select(Participant.email).where(
                Participant.message_id == to_dora.message_id, Participant.role == "cc"
            )
        ).all()
        assert names == [erasure.HIDDEN]
        kept = session.get_one(Message, to_dora.message_id)
        assert (kept.raw_blob, kept.contact_id) == (None, dora.id)
        thread = session.get_one(Thread, kept.thread_id)
        assert (thread.message_count, thread.last_message_at) == (1, kept.sent_at)
        for gone in (own, from_carl):
            decision = session.get_one(Decision, (alice.id, gone.gmail_id))
            assert (decision.outcome, decision.rule, decision.message_id) == ("skipped", "S29", None)
        assert session.get_one(Erasure, receipt.id).subject_id == carl.id
        doomed = erasure.doomed(session, 10_000)
        assert {f"blob/{one.gmail_id}" for one in (own, from_carl, to_dora)} <= set(doomed)
        assert f"blob/{of_dora.gmail_id}" not in doomed


def test_s29_a_blob_that_another_message_has_stays(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    crm.contact("dora@lead.com")
    mails = [raw_mail(f"{name}@lead.com", "alice@acme.com") for name in ("carl", "dora")]
    items = [
        Item(headline(mail, thread=f"t{n}", at=crm.tick()), parse(mail), raw_blob=f"{crm.location.id}/shared")
        for n, mail in enumerate(mails)
    ]
    with crm.database.session() as session:
        file_page(session, session.get_one(Account, alice.id), items, BCC_DOMAIN)
    with crm.database.session() as session:
        receipt = erasure.erase_contact(session, session.get_one(Contact, carl.id))
        assert receipt.counts["blobs"] == 0
        assert f"{crm.location.id}/shared" not in erasure.doomed(session, 10_000)


def test_s29_a_mailbox_goes_with_what_no_other_mailbox_has(crm: Crm) -> None:
    alice, bob = crm.mailbox("alice@acme.com"), crm.mailbox("bob@acme.com")
    crm.contact("carl@lead.com")
    shared = raw_mail("carl@lead.com", ["alice@acme.com", "bob@acme.com"])
    (both,) = crm.arrive(alice, (shared, IN, "t1"))
    crm.arrive(bob, (shared, IN, "t1"))
    (alone,) = crm.arrive(alice, (raw_mail("carl@lead.com", "alice@acme.com"), IN, "t2"))
    with crm.database.session() as session:
        receipt = erasure.erase_account(session, session.get_one(Account, alice.id))
        assert (receipt.counts["messages"], receipt.counts["decisions"]) == (1, 2)
    with crm.session() as session:
        assert session.get(Account, alice.id) is None
        assert session.get(Message, alone.message_id) is None
        assert session.get_one(Message, both.message_id).contact_id is not None
        decisions = select(func.count()).select_from(Decision).where(Decision.account_id == alice.id)
        assert session.exec(decisions).one() == 0


def test_s29_an_export_holds_every_message_of_the_contact_with_the_mails_as_they_came(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com", name="Carl")
    (one,) = crm.arrive(alice, (raw_mail("carl@lead.com", "alice@acme.com", subject="Grüße"), IN, "t1"))
    crm.contact("dora@lead.com")
    crm.arrive(alice, (raw_mail("dora@lead.com", "alice@acme.com"), IN, "t2"))
    with crm.session() as session:
        files = {f.name: f for f in exporting.contact_files(session, session.get_one(Contact, carl.id))}
        assert json.loads(files["contact.json"].content)["emails"] == ["carl@lead.com"]
        assert [m["subject"] for m in json.loads(files["messages.json"].content)] == ["Grüße"]
        assert files[f"mails/{one.message_id}.eml"].blob == f"blob/{one.gmail_id}"
    with crm.session() as session:
        account = session.get_one(Account, alice.id)
        files = {f.name: f for f in exporting.account_files(session, account, Limits())}
        assert len(json.loads(files["decisions.json"].content)) == 2
        assert len(json.loads(files["messages.json"].content)) == 2
        assert "account.json" in files
        assert "timeline.json" in files


def test_s29_a_mail_that_waited_to_leave_when_its_contact_was_erased_ends(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = crm.contact("carl@lead.com")
    with crm.database.session() as session:
        user = session.get_one(User, alice.user_id)
        draft = OutboundDraft(kind="individual", to=[Recipient("carl@lead.com")], subject="Hi", text="Hello")
        queued = outbound.queue(session, session.get_one(Location, crm.location.id), user, draft)
    with crm.database.session() as session:
        erasure.erase_contact(session, session.get_one(Contact, carl.id))
    with crm.database.session() as session:
        assert leaving.next_step(session, queued.id, Limits()).way is Way.DONE


def test_s29_an_erased_person_does_not_come_back_from_an_address_book(crm: Crm) -> None:
    alice = crm.mailbox("alice@acme.com")
    carl = Person("people/c1", "Carl", ["carl@lead.com"])
    renamed = Person("people/c2", "Carl", ["carl@lead.com"], previous_resource_names=["people/c1"])

    def read(*people: Person) -> list[str]:
        with crm.database.session() as session:
            address_book.apply(session, session.get_one(Account, alice.id), address_book.CONNECTIONS, people)
        with crm.session() as session:
            named = select(Contact).where(Contact.location_id == crm.location.id)
            return [contact.name for contact in session.exec(named)]

    assert read(carl) == ["Carl"]
    with crm.database.session() as session:
        contact = session.exec(select(Contact).where(Contact.location_id == crm.location.id)).one()
        erasure.erase_contact(session, contact)
    assert read(carl) == []
    assert read(renamed) == []
    assert read(renamed, Person("people/d", "Dora", ["dora@lead.com"])) == ["Dora"]
    by_hand = crm.contact("carl@lead.com", name="C")
    assert sorted(read(renamed)) == ["C", "Dora"], "who is made anew by hand is not named by the address book"
    assert by_hand.name == "C"
