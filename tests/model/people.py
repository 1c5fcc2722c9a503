"""The people of a life and what they do: each deed happens in the world and is told to the specification."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import getaddresses
from functools import partial
from typing import Self, TypeVar

import httpx

from devstack.gmail.control import GmailControl
from devstack.stack import Stack
from devstack.story import ContactInStory, Json, LocationInStory, Refused, Story, UserInStory, eventually
from tests.model.expectation import Answer, Box, Copy, Mail, Place, Specification, Thread
from tests.model.tables import Away, Tables
from tests.model.traces import SECRET, has_ended

T = TypeVar("T")

PATIENCE_S = float(os.environ.get("PATIENCE_S", "300"))
"""How long a condition is waited for; only a life that goes wrong takes so long, or a machine that is very busy."""


@dataclass(eq=False)
class Sent:
    """A mail that the CRM was asked to send."""

    message_id: str
    subject: str
    to: str
    cc: list[str]
    may_be_held: bool = False
    """The user disconnected after it was handed over (S5)."""
    mail: Mail | None = None


@dataclass(eq=False)
class Person:
    """A user of the CRM with one or two mailboxes."""

    user: UserInStory
    boxes: list[Box]
    active: Box | None = None
    sent: list[Sent] = field(default_factory=list)


class World:
    """A location with its people, and the specification that follows what they do."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.story = story = Story(stack)
        self.tables = Tables(stack.database_url)
        self.gmail: GmailControl = story.gmail
        self.name = f"{name}-{uuid.uuid4().hex[:6]}"
        self.location: LocationInStory = self.patient(lambda: story.location(self.name))
        self.spec = Specification()
        self.number = 0
        self.contacts: dict[str, ContactInStory] = {}
        for who in ("lea", "max"):
            email = f"{who}@{self.name}.lead.example"
            self.contacts[email] = self.location.contact(who.title(), email)
            self.spec.contacts.append(email)
        self.stranger = f"sam@{self.name}.else.example"
        self.ann = self._person("ann", 2)
        self.bob = self._person("bob", 1)
        self.people = (self.ann, self.bob)
        for person in self.people:
            self.connect(person, person.boxes[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Everybody disconnects, so that the lives that follow on the same stack cost no more."""
        for person in self.people:
            if person.active is not None:
                with suppress(httpx.TransportError, Refused):
                    self.location.api.post(f"/v1/accounts/{person.active.account_id}/disconnect")
        self.tables.close()

    def facts(self) -> list[str]:
        """Where each mailbox stands, for whoever has to understand a failure."""
        boxes = [box for person in self.people for box in person.boxes if box.account_id]
        told = [f"it is {datetime.now(UTC):%H:%M:%S} UTC"]
        for box in boxes:
            told += [f"{box} is", *self.patient(partial(self.tables.story_of, box.account_id))]
        return told

    def _person(self, who: str, boxes: int) -> Person:
        user = self.location.user(f"{who}@{self.name}.crm.example", who.title())
        self.spec.own_people.add(user.email)
        addresses = [f"{who}{n}.{self.name}@gmail.com" for n in range(boxes)]
        self.spec.not_yet_ours.update(addresses)
        for address in addresses:
            self.gmail.create_mailbox(address)
        return Person(user, [Box(address) for address in addresses])

    # Answers of the system

    def patient(self, ask: Callable[[], T]) -> T:
        """An answer, also while a part of the system is being started again."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except (httpx.TransportError, Refused, Away) as error:
                away = not isinstance(error, Refused) or error.status >= 500
                if not away or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until something is so."""
        return eventually(lambda: self.patient(look), what, patience_s=PATIENCE_S)

    def state(self, box: Box) -> str:
        return self.patient(lambda: self.tables.state(box.account_id))

    def wait_for_state(self, box: Box, *states: str) -> None:
        self.wait(lambda: self.state(box) in states, f"{box} is {states}")

    def decided(self, copy: Copy) -> bool:
        """Whether a copy is decided for good."""
        return copy.gmail_id in self.tables.decided(copy.box.account_id)

    def sync_now(self, box: Box) -> None:
        self.patient(lambda: self.location.api.post(f"/v1/accounts/{box.account_id}/sync"))

    # Connecting

    def _consent(self, person: Person, box: Box, ask: Callable[[], Json]) -> None:
        def once() -> str | None:
            try:
                outcome = person.user.consent(ask()["authorization_url"], box.address)
            except Refused as refused:
                if refused.status != 409:
                    raise
                return self._account_of(person, box)  # the answer to the consent was lost in a crash
            if outcome.get("error") == "already_connected":
                return self._account_of(person, box)
            assert outcome.get("error") in (None, "exchange_failed"), f"consent for {box}: {outcome}"
            return outcome.get("account_id")

        account_id = self.wait(once, f"a consent for {box}")
        assert box.account_id in ("", account_id), "one mailbox of one user is one account"
        box.account_id, box.alive = account_id, True
        self.spec.own_people.add(box.address)
        self.spec.not_yet_ours.discard(box.address)

    def _account_of(self, person: Person, box: Box) -> str | None:
        accounts = self.location.api.all("/v1/accounts", user_id=person.user.id)
        return next((one["id"] for one in accounts if one["email"] == box.address), None)

    def connect(self, person: Person, box: Box) -> None:
        """Connect, or connect again after a disconnect (S1, S5)."""
        api = self.location.api
        self._consent(person, box, lambda: api.post("/v1/accounts/connect", {"user_id": person.user.id}))
        self.wait_for_state(box, "active", "recovering")
        self._becomes_active(person, box)

    def _becomes_active(self, person: Person, box: Box | None, why: str = "S4") -> None:
        if person.active is not None and person.active is not box:
            person.active.collecting, person.active.pause = False, why
        person.active = box
        if box is not None:
            box.collecting = True

    def disconnect(self, person: Person) -> None:
        """S5."""
        box = person.active
        assert box is not None
        for sent in person.sent:
            sent.may_be_held = True
        self.patient(lambda: self.location.api.post(f"/v1/accounts/{box.account_id}/disconnect"))
        self.wait_for_state(box, "disconnected")
        box.alive = False
        self._becomes_active(person, None, "S5")

    def reauthorize(self, person: Person) -> None:
        """S6: consent again, with the same address."""
        box = person.active
        assert box is not None
        path = f"/v1/accounts/{box.account_id}/reauthorize"
        self._consent(person, box, lambda: self.location.api.post(path))
        self.wait_for_state(box, "active", "recovering")

    def ask_to_switch(self, person: Person, box: Box, *, consent: bool) -> None:
        """S4: to the other mailbox, with a new consent or by the grant that is still good."""
        path = f"/v1/users/{person.user.id}/switch"
        if consent or not box.alive:
            self._consent(person, box, lambda: self.location.api.post(path))
        else:
            self.patient(lambda: self.location.api.post(path, {"account_id": box.account_id}))

    def is_switched(self, person: Person, box: Box) -> None:
        """Wait until the mailboxes have changed places for good."""
        workflow_id = f"switch/{person.user.id}"
        self.wait(lambda: asyncio.run(has_ended(self.stack, workflow_id)), f"the switch to {box} is over")
        self.wait_for_state(box, "active", "recovering")
        self._becomes_active(person, box)

    def grant_dies(self, box: Box, *, password: bool) -> None:
        """The user changes the password, or takes the access back."""
        if password:
            self.gmail.change_password(box.address)
        else:
            self.gmail.revoke_grant(box.address)
        box.alive = False

    # Mail

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def box_of(self, address: str) -> Box | None:
        return next((b for person in self.people for b in person.boxes if b.address == address), None)

    def mail(
        self,
        author: str,
        to: list[str],
        *,
        cc: list[str] | None = None,
        answers: Mail | None = None,
        secret: bool = False,
        spam: bool = False,
        forward: bool = False,
        subject: str | None = None,
    ) -> Mail:
        """Somebody outside Gmail sends a mail."""
        number = self.next_number()
        words = f"{SECRET} {number}" if secret else f"mail {number}"
        subject = subject or f"{'Fwd: ' if forward else ''}{words} of {self.name}"
        fields: Json = {
            "from": author,
            "to": to,
            "cc": cc or [],
            "subject": subject,
            "text": f"This is {words}.",
            "message_id": f"<{number}.{uuid.uuid4().hex}@{author.partition('@')[2]}>",
        }
        chain: list[Mail] = answers.chain() if answers else []
        if answers:
            fields["in_reply_to"] = answers.message_id
            fields["references"] = [one.message_id for one in reversed(chain)]
        arrived = self.gmail.deliver_full(fields, spam=spam)
        mail = Mail(number, arrived["message_id"], author, to, cc or [], chain, forwards=forward)
        place = Place.ASIDE if spam else Place.THERE
        copies = []
        for address, gmail_id in arrived["ids"].items():
            box = self.box_of(address)
            assert box is not None
            copies.append(
                Copy(box, gmail_id, arrived["threads"][address], False, bool(box.account_id), place)
            )
        self.spec.arrived(mail, copies)
        return mail

    def writes_in_gmail(self, box: Box, to: list[str], cc: list[str], *, secret: bool = False) -> Mail:
        """A user writes in Gmail's own page (S10)."""
        words = f"{SECRET if secret else 'letter'} {self.next_number()}"
        fields = {"to": to, "cc": cc, "subject": f"{words} of {self.name}", "text": f"This is {words}."}
        return self._left_gmail(box, self.gmail.send_as_user(box.address, fields), None)

    def answers_in_gmail(self, copy: Copy, mail: Mail, *, everyone: bool) -> Mail:
        """A user answers in Gmail."""
        text = f"Answer {self.next_number()}"
        shown = self.gmail.reply(copy.box.address, copy.gmail_id, text, everyone=everyone)
        return self._left_gmail(copy.box, shown, mail)

    def forwards_in_gmail(self, copy: Copy, mail: Mail, to: str) -> Mail:
        """A user forwards in Gmail (S18)."""
        self.next_number()
        shown = self.gmail.forward(copy.box.address, copy.gmail_id, to, "For your information.")
        return self._left_gmail(copy.box, shown, mail, forwards=True)

    def _left_gmail(self, box: Box, shown: Json, answers: Mail | None, *, forwards: bool = False) -> Mail:
        raw = message_from_bytes(self.gmail.message(box.address, shown["id"])["raw"])
        to, cc = ([a for _, a in getaddresses([str(raw[name] or "")]) if a] for name in ("To", "Cc"))
        chain = answers.chain() if answers else []
        mail = Mail(self.number, shown["message_id"], box.address, to, cc, chain, forwards=forwards)
        copies = [Copy(box, shown["id"], shown["thread_id"], True, bool(box.account_id))]
        copies += self._received(mail, box)
        self.spec.arrived(mail, copies)
        return mail

    def _received(self, mail: Mail, sender: Box) -> list[Copy]:
        copies = []
        for address in mail.recipients:
            box = self.box_of(address)
            if box is None or box is sender:
                continue
            for seen in self.gmail.messages(address):
                if seen["message_id"] == mail.message_id:
                    copies.append(Copy(box, seen["id"], seen["thread_id"], False, bool(box.account_id)))
        return copies

    # Mail from the CRM

    def send(self, person: Person, to: str, cc: list[str]) -> Sent:
        """A user sends an individual mail from the CRM (S11, S27); handed over once, however often asked."""
        subject = f"Offer {self.next_number()} of {self.name}"
        body = {
            "user_id": person.user.id,
            "kind": "individual",
            "to": [to],
            "cc": cc,
            "subject": subject,
            "text": f"This is offer {self.number}.",
        }
        key = uuid.uuid4().hex

        def post() -> Json:
            answer = self.location.api.http.post("/v1/messages", json=body, headers={"Idempotency-Key": key})
            if answer.status_code >= 400:
                raise Refused(answer.status_code, {"text": answer.text})
            accepted: Json = answer.json()
            return accepted

        sent = Sent(self.patient(post)["id"], subject, to, cc)
        person.sent.append(sent)
        return sent

    def status(self, sent: Sent) -> str:
        found = self.patient(lambda: self.location.api.get(f"/v1/messages/{sent.message_id}"))
        return str(found["status"])

    def copies_of(self, person: Person, sent: Sent) -> list[tuple[Box, Json]]:
        """The mails in the user's mailboxes that this sending made."""
        return [
            (box, seen)
            for box in person.boxes
            for seen in self.gmail.messages(box.address)
            if seen["subject"] == sent.subject and "SENT" in seen["labels"]
        ]

    def as_mail(self, person: Person, sent: Sent) -> Mail:
        """The mail that was sent, once it has left: others can answer it."""
        if sent.mail is None:
            self.wait(lambda: self.tables.status(sent.message_id) == "sent", f"{sent.subject} is sent")
            ((box, seen),) = self.copies_of(person, sent)
            mail = Mail(self.number, seen["message_id"], box.address, [sent.to], sent.cc)
            copy = Copy(box, seen["id"], seen["thread_id"], True, True)
            self.spec.arrived(mail, [copy])
            copy.answer, copy.rule, copy.owner = Answer.YES, "S11", sent.to
            copy.thread = Thread(sent.to)
            sent.mail = mail
        return sent.mail

    # Moving mail

    def move(self, mail: Mail, copy: Copy, to: str, *, decided: bool) -> None:
        """The user throws a mail away, calls it spam, or deletes it for ever; `decided`: once it was decided."""
        if decided and copy.box.collecting and copy.box.alive:
            self.sync_now(copy.box)
            self.wait(lambda: self.decided(copy), f"a decision of {mail.number} in {copy.box}")
        else:
            copy.maybe(f"moved to {to} before anybody may have looked")
            self._unsettle(copy)
        self.gmail.move(copy.box.address, copy.gmail_id, to)
        copy.place = Place.GONE if to == "nowhere" else Place.ASIDE

    def _unsettle(self, moved: Copy) -> None:
        """Whether the rest of its thread was decided while it was there, nobody can say."""
        for mail in self.spec.mails:
            copy = mail.copies.get(moved.box)
            if copy is None or copy is moved or copy.gmail_thread != moved.gmail_thread:
                continue
            if copy.answer is Answer.YES and copy.rule.startswith("S8"):
                copy.owner = None
                if not {mail.author, *mail.recipients} & set(self.spec.contacts):
                    copy.maybe("S8 if its thread was there")

    def rescue(self, mail: Mail, copy: Copy) -> None:
        """The user takes a mail out of spam or trash (S31)."""
        self.gmail.move(copy.box.address, copy.gmail_id, "inbox")
        copy.place, copy.rescued = Place.THERE, True
        if not copy.box.collecting:
            if copy.answer is Answer.NO and copy.rule == "S31":
                copy.answer, copy.rule = Answer.MAYBE, "left spam while nothing was collected"
        elif copy.rule == "S31":
            self.spec.judge(mail, copy)
        elif copy.answer is Answer.MAYBE and copy.thread is not None:
            copy.answer, copy.rule = Answer.YES, "S31, came back"
            copy.owner = None
