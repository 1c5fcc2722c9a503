"""A random life: deeds drawn from a seed, whatever the system does meanwhile, so that a seed replays it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

from devstack.process import PartError
from devstack.stack import Stack
from tests.model.expectation import Answer, Box, Copy, Mail, Place
from tests.model.people import SECRET, Person, World

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


class Life:
    """Draws deeds and does them; `story` is what was done, for whoever has to understand a failure."""

    def __init__(self, world: World, seed: str, *, stack: Stack | None = None) -> None:
        """`stack`: its parts are killed now and then."""
        self.world = world
        self.random = random.Random(seed)
        self.stack = stack
        self.story: list[str] = []

    def live(self, deeds: int) -> None:
        """So many deeds."""
        choices: list[tuple[int, Callable[[], str | None]]] = [
            (10, self.contact_writes),
            (5, self.outsider_writes),
            (3, self.colleague_writes),
            (3, self.somebody_copies_others),
            (2, self.spam_arrives),
            (7, self.user_writes),
            (9, self.somebody_answers),
            (7, self.user_answers),
            (5, self.user_forwards),
            (8, self.crm_sends),
            (4, self.crm_mail_is_answered),
            (5, self.mail_is_moved),
            (4, self.mail_is_rescued),
            (4, self.grant_dies),
            (4, self.user_reauthorizes),
            (3, self.user_disconnects),
            (9, self.user_connects),
            (6, self.user_switches),
            (2, self.history_expires),
            (3, self.google_fails),
            (2, self.push_is_doubled),
            (2, self.user_asks_to_sync),
        ]
        if self.stack is not None:
            choices.append((6, self.part_is_killed))
        weights = [weight for weight, _ in choices]
        done = 0
        while done < deeds:
            (_, deed) = self.random.choices(choices, weights)[0]
            told = deed()
            if told is not None:
                done += 1

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
        self.world.switch(person, box, consent=consent)
        return told

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
        self.world.catch_up(box)
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
        assert self.stack is not None
        part = self.random.choice(KILLED)
        told = self._tell(f"kill -9 {part}")
        with suppress(PartError):  # it is down already, being started again
            self.stack.kill(part)
        return told
