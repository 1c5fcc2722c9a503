"""A random life: deeds drawn from a seed, whatever the system does meanwhile, so that a seed replays it."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress

from devstack.process import PartError
from devstack.stack import Stack
from tests.model.expectation import Answer, Box, Copy, Mail, Place
from tests.model.people import Person, World
from tests.model.traces import SECRET

KILLED = ("worker", "worker", "api", "postgres", "temporal")
FAULTS = (
    ("gmail.users.messages.get", {"status": 500}),
    ("gmail.users.messages.get", {"cut": 20}),
    ("gmail.users.messages.get", {"drop": True}),
    ("gmail.users.history.list", {"status": 503}),
    ("gmail.users.drafts.send", {"status": 500}),
    ("gmail.users.drafts.send", {"drop": True}),
    ("gmail.users.drafts.create", {"drop": True}),
)

DEEDS = {
    "contact_writes": 10,
    "outsider_writes": 5,
    "colleague_writes": 3,
    "somebody_copies_others": 3,
    "spam_arrives": 2,
    "user_writes": 7,
    "somebody_answers": 9,
    "user_answers": 7,
    "user_forwards": 5,
    "crm_sends": 8,
    "crm_mail_is_answered": 4,
    "mail_is_moved": 5,
    "mail_is_rescued": 4,
    "grant_dies": 4,
    "user_reauthorizes": 4,
    "user_disconnects": 3,
    "user_connects": 9,
    "user_switches": 6,
    "user_switches_to_and_fro": 2,
    "history_expires": 3,
    "google_fails": 3,
    "push_is_doubled": 2,
    "user_asks_to_sync": 2,
}
"""How often each is done, among the others; pushes are lost and disordered all the time."""


class Life:
    """Draws deeds and does them; `story` is what was done, for whoever has to understand a failure."""

    def __init__(self, world: World, seed: str, *, stack: Stack, kills: float) -> None:
        """`kills`: how often parts of the stack are killed; as the weights of `DEEDS`."""
        self.world = world
        self.random = random.Random(seed)
        self.stack = stack
        self.kills = kills
        self.story: list[str] = []
        self.done: Counter[str] = Counter()
        """Deeds by name."""
        self.took_s: dict[str, float] = defaultdict(float)

    def live(self, deeds: int) -> None:
        """So many deeds."""
        names, weights = [*DEEDS, "part_is_killed"], [*DEEDS.values(), self.kills]
        while self.done.total() < deeds:
            (name,) = self.random.choices(names, weights)
            started = time.monotonic()
            if getattr(self, name)() is not None:
                self.done[name] += 1
                self.took_s[name] += time.monotonic() - started

    def _tell(self, words: str) -> str:
        self.story.append(words)
        return words

    # Who

    def _person(self) -> Person:
        return self.random.choice((self.world.ann, self.world.ann, self.world.bob))

    def _contact(self) -> str:
        return self.random.choice(self.world.spec.contacts)

    def _box(self) -> Box:
        """Mostly one that collects."""
        person = self._person()
        if person.active is not None and self.random.random() < 0.8:
            return person.active
        return self.random.choice(person.boxes)

    def _there(self, wanted: Callable[[Mail, Copy], bool]) -> list[tuple[Mail, Copy]]:
        return [
            (mail, copy)
            for mail in self.world.spec.mails
            for copy in mail.copies.values()
            if copy.place is Place.THERE and wanted(mail, copy)
        ]

    # Mail from outside

    def contact_writes(self) -> str:
        contact, boxes = self._contact(), [self._box()]
        bob = self.world.bob.active
        if self.random.random() < 0.25 and bob is not None and boxes[0] is not bob:
            boxes.append(bob)
        spare = [one for one in self.world.spec.contacts if one != contact]
        cc = self.random.choice(([], [], [], [self.world.stranger], spare))
        forward = self.random.random() < 0.1
        mail = self.world.mail(contact, [box.address for box in boxes], cc=cc, forward=forward)
        return self._tell(f"{mail.number}: {contact} writes to {[str(box) for box in boxes]}, cc {cc}")

    def outsider_writes(self) -> str:
        box, number = self._box(), self.world.number
        author = f"who{number}@{SECRET}.example"
        mail = self.world.mail(author, [box.address], secret=True)
        return self._tell(f"{mail.number}: an outsider writes to {box}")

    def colleague_writes(self) -> str:
        box = self._box()
        other = self.world.bob if box in self.world.ann.boxes else self.world.ann
        secret = bool(box.account_id)
        mail = self.world.mail(other.user.email, [box.address], secret=secret)
        return self._tell(f"{mail.number}: a colleague writes to {box}")

    def somebody_copies_others(self) -> str:
        """S9, S14: the user is in Cc of a contact's mail, or a contact in Cc of a stranger's."""
        box, contact = self._box(), self._contact()
        if self.random.random() < 0.5:
            mail = self.world.mail(contact, [self.world.stranger], cc=[box.address])
        else:
            mail = self.world.mail(self.world.stranger, [box.address], cc=[contact])
        return self._tell(f"{mail.number}: {mail.author} writes to {mail.to}, cc {mail.cc}")

    def spam_arrives(self) -> str:
        box, contact = self._box(), self._contact()
        mail = self.world.mail(contact, [box.address], spam=True)
        return self._tell(f"{mail.number}: {contact} writes to {box}, into spam")

    def somebody_answers(self) -> str | None:
        """A contact or a stranger answers a mail in which they take part, to the mailbox where it lies."""
        world = self.world
        outside = {*world.spec.contacts, world.stranger}
        known = self._there(lambda mail, copy: bool(outside & {mail.author, *mail.recipients}))
        known = [(mail, copy) for mail, copy in known if copy.rule != "S11"]
        if not known:
            return None
        mail, copy = self.random.choice(known)
        left = any(one.left or mail.forwards for one in mail.copies.values())
        parties = [one for one in (mail.author, *mail.recipients) if one in outside]
        if left:
            parties = [one for one in parties if one == world.stranger]
        if not parties:
            return None
        return self._answer(mail, copy.box, self.random.choice(parties))

    def _answer(self, mail: Mail, box: Box, author: str) -> str:
        subject = next(
            seen["subject"]
            for seen in self.world.gmail.messages(box.address)
            if seen["id"] == mail.copies[box].gmail_id
        )
        subject = subject if subject.startswith("Re: ") else f"Re: {subject}"
        others = [one for one in mail.recipients if one in self.world.spec.contacts and one != author]
        cc = others if self.random.random() < 0.3 else []
        answer = self.world.mail(author, [box.address], cc=cc, answers=mail, subject=subject)
        return self._tell(f"{answer.number}: {author} answers {mail.number} to {box}, cc {cc}")

    # Mail of the users, in Gmail

    def user_writes(self) -> str:
        box = self._box()
        kind = self.random.randrange(6)
        contact = self._contact()
        other = self.world.bob if box in self.world.ann.boxes else self.world.ann
        if kind < 3:
            mail = self.world.writes_in_gmail(box, [contact], [])
        elif kind == 3:
            mail = self.world.writes_in_gmail(box, [contact], [self.world.stranger])
        elif kind == 4 and other.active is not None:
            mail = self.world.writes_in_gmail(box, [contact], [other.active.address])
        else:
            number = self.world.number
            mail = self.world.writes_in_gmail(box, [f"who{number}@{SECRET}.example"], [], secret=True)
        return self._tell(f"{mail.number}: {box} writes in Gmail to {mail.to}, cc {mail.cc}")

    def user_answers(self) -> str | None:
        known = self._there(
            lambda mail, copy: not copy.sent and mail.author not in self.world.spec.own_people
        )
        if not known:
            return None
        mail, copy = self.random.choice(known)
        answer = self.world.answers_in_gmail(copy, mail, everyone=self.random.random() < 0.4)
        return self._tell(
            f"{answer.number}: {copy.box} answers {mail.number} in Gmail to {answer.recipients}"
        )

    def user_forwards(self) -> str | None:
        known = self._there(lambda mail, copy: SECRET not in mail.author and copy.answer is Answer.YES)
        known = [(mail, copy) for mail, copy in known if SECRET not in "".join(mail.recipients)]
        known = [(mail, copy) for mail, copy in known if copy.rule != "S11"]
        if not known:
            return None
        mail, copy = self.random.choice(known)
        to = self.random.choice([self._contact(), self.world.stranger])
        forward = self.world.forwards_in_gmail(copy, mail, to)
        return self._tell(f"{forward.number}: {copy.box} forwards {mail.number} in Gmail to {to}")

    # Mail from the CRM

    def crm_sends(self) -> str | None:
        person = self._person()
        if person.active is None:
            return None
        to = self._contact()
        cc = [self.world.stranger] if self.random.random() < 0.3 else []
        sent = self.world.send(person, to, cc)
        return self._tell(f"{sent.subject!r} goes from {person.active} by the CRM to {to}, cc {cc}")

    def crm_mail_is_answered(self) -> str | None:
        ways = [
            (person, sent)
            for person in self.world.people
            for sent in person.sent
            if sent.mail is not None or (person.active and person.active.alive and not sent.may_be_held)
        ]
        if not ways:
            return None
        person, sent = self.random.choice(ways)
        author = self.random.choice([sent.to, *sent.cc])
        mail = self.world.as_mail(person, sent)
        (box,) = mail.copies
        return self._answer(mail, box, author)

    # Where mail lies

    def mail_is_moved(self) -> str | None:
        known = self._there(lambda mail, copy: copy.rule != "S11")
        if not known:
            return None
        mail, copy = self.random.choice(known)
        to, decided = self.random.choice(["trash", "spam", "nowhere"]), self.random.random() < 0.5
        self.world.move(mail, copy, to, decided=decided)
        return self._tell(
            f"{mail.number} of {copy.box} is moved to {to}{', once it was decided' if decided else ''}"
        )

    def mail_is_rescued(self) -> str | None:
        aside = [
            (mail, copy)
            for mail in self.world.spec.mails
            for copy in mail.copies.values()
            if copy.place is Place.ASIDE
        ]
        if not aside:
            return None
        mail, copy = self.random.choice(aside)
        self.world.rescue(mail, copy)
        return self._tell(f"{mail.number} of {copy.box} is moved to the inbox again")

    # The connection

    def grant_dies(self) -> str | None:
        box = self.random.choice(self._person().boxes)
        if not box.alive:
            return None
        password = self.random.random() < 0.5
        self.world.grant_dies(box, password=password)
        return self._tell(f"{box}: {'the password is changed' if password else 'the access is revoked'}")

    def user_reauthorizes(self) -> str | None:
        person = self._person()
        if person.active is None or person.active.alive:
            return None
        self.world.reauthorize(person)
        return self._tell(f"{person.active} is authorised again")

    def user_disconnects(self) -> str | None:
        person = self._person()
        if person.active is None:
            return None
        told = self._tell(f"{person.active} is disconnected")
        self.world.disconnect(person)
        return told

    def user_connects(self) -> str | None:
        person = self._person()
        if person.active is not None:
            return None
        box = self.random.choice(person.boxes)
        told = self._tell(f"{box} is connected")
        self.world.connect(person, box)
        return told

    def user_switches(self) -> str | None:
        person = self.world.ann
        if person.active is None:
            return None
        (box,) = [one for one in person.boxes if one is not person.active]
        consent = self.random.random() < 0.3
        told = self._tell(f"switch from {person.active} to {box}{' with consent' if consent else ''}")
        self.world.ask_to_switch(person, box, consent=consent)
        if self.random.random() < 0.5:
            self._mail_meanwhile(person)
        self.world.is_switched(person, box)
        return told

    def user_switches_to_and_fro(self) -> str | None:
        """S4: of several wishes the last one counts, also where a switch is under way."""
        person = self.world.ann
        if person.active is None or not all(box.alive for box in person.boxes):
            return None
        wishes = [self.random.choice(person.boxes) for _ in range(self.random.randint(2, 4))]
        told = self._tell(f"switch from {person.active} to {' to '.join(map(str, wishes))}, all at once")
        for box in wishes:
            self.world.ask_to_switch(person, box, consent=False)
        self._mail_meanwhile(person)
        self.world.is_switched(person, wishes[-1])
        return told

    def _mail_meanwhile(self, person: Person) -> None:
        """To either mailbox, while nobody can say which of them is the active one (S4)."""
        contact = self._contact()
        for box in person.boxes:
            mail = self.world.mail(contact, [box.address])
            for copy in mail.copies.values():
                copy.answer, copy.rule = Answer.MAYBE, "S4 while the mailboxes change places"
                copy.in_time = False
            self._tell(f"{mail.number}: {contact} writes to {box} meanwhile")

    def user_asks_to_sync(self) -> str | None:
        person = self._person()
        if person.active is None:
            return None
        self.world.sync_now(person.active)
        return self._tell(f"{person.active} is synced on demand")

    # What breaks

    def history_expires(self) -> str:
        box = self._box()
        self.world.gmail.expire_history(box.address)
        return self._tell(f"{box}: Gmail forgets its history")

    def google_fails(self) -> str:
        box = self._box()
        method, what = self.random.choice(FAULTS)
        times = self.random.randint(1, 2)
        self.world.gmail.fault(method, mailbox=box.address, times=times, **what)
        return self._tell(f"{box}: {method} fails {times} times with {what}")

    def push_is_doubled(self) -> str:
        box = self._box()
        for _ in range(2):
            self.world.gmail.publish(box.address)
        return self._tell(f"{box}: two pushes about nothing")

    def part_is_killed(self) -> str:
        part = self.random.choice(KILLED)
        told = self._tell(f"kill -9 {part}")
        with suppress(PartError):  # it is down already, being started again
            self.stack.kill(part)
        return told
