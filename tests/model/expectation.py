"""A small model of the specification: which mail must be in the CRM, and in whose conversation.

Written from the rules, not from the code. Where the outcome honestly depends on who was faster (a mail that is
deleted while it is being looked at, a thread that begins in a colleague's mailbox), the answer is MAYBE.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Answer(StrEnum):
    """Is the mail to be in the CRM?"""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


class Place(StrEnum):
    """Where a mail lies in its mailbox."""

    THERE = "there"
    ASIDE = "aside"
    """In spam or trash (S31)."""
    GONE = "gone"


@dataclass(eq=False)
class Box:
    """A Gmail mailbox of a user; `collecting`: it is the user's active one, whether or not its grant lives (S6)."""

    address: str
    account_id: str = ""
    collecting: bool = False
    alive: bool = False
    pause: str = ""

    def __str__(self) -> str:
        return self.address.partition("@")[0]


@dataclass(eq=False)
class Thread:
    """A synced thread: its contact, and the mailboxes in which a colleague is seen to take part (S12)."""

    owner: str
    mixed_in: set[Box] = field(default_factory=set)


@dataclass(eq=False)
class Copy:
    """A mail in one mailbox. `owner` None: of several contacts any may be right."""

    box: Box
    gmail_id: str
    gmail_thread: str
    sent: bool
    counted: bool
    """It came after the mailbox was first connected, so that a decision is due (I1)."""
    place: Place = Place.THERE
    answer: Answer = Answer.NO
    rule: str = ""
    owner: str | None = None
    thread: Thread | None = None
    left: bool = False
    in_time: bool = False
    """It came while its mailbox was the user's active one: a switch that follows does not lose it (S4)."""
    rescued: bool = False
    """Taken out of spam or trash; nobody looks at it again where nothing is collected since."""

    def maybe(self, why: str) -> None:
        """Nobody can say any more."""
        if self.answer is Answer.YES:
            self.answer, self.rule = Answer.MAYBE, why


@dataclass(eq=False)
class Mail:
    """A mail that somebody wrote. `answers`: the mails of its References, nearest first."""

    number: int
    message_id: str
    author: str
    to: list[str]
    cc: list[str] = field(default_factory=list)
    answers: list[Mail] = field(default_factory=list)
    forwards: bool = False
    copies: dict[Box, Copy] = field(default_factory=dict)

    @property
    def recipients(self) -> list[str]:
        return [*self.to, *self.cc]

    def chain(self) -> list[Mail]:
        """What an answer to this one refers to, nearest first."""
        return [self, *self.answers]


@dataclass
class Found:
    """The thread that a mail belongs to, as far as it can be told."""

    thread: Thread | None = None
    unsure: bool = False
    left: bool = False
    several: bool = False


class Specification:
    """The rules of what syncs, for one location."""

    def __init__(self) -> None:
        self.contacts: list[str] = []
        self.own_people: set[str] = set()
        """Login addresses of the users, and their mailboxes once they were connected."""
        self.not_yet_ours: set[str] = set()
        """Mailboxes of the users that were never connected."""
        self.mails: list[Mail] = []

    def arrived(self, mail: Mail, copies: Iterable[Copy]) -> None:
        """A mail is in these mailboxes now: what is to become of each copy."""
        self.mails.append(mail)
        for copy in copies:
            mail.copies[copy.box] = copy
            copy.in_time = copy.box.collecting
        for copy in mail.copies.values():
            self.judge(mail, copy)
        for copy in mail.copies.values():
            others = (other for other in mail.copies.values() if other is not copy)
            synced_there = any(other.answer is not Answer.NO for other in others)
            if copy.answer is Answer.NO and copy.rule == "S9" and synced_there:
                copy.answer = Answer.MAYBE  # S21, if the other copy was first

    def judge(self, mail: Mail, copy: Copy) -> None:
        """What is to become of a copy, as far as that does not hang on when it is looked at."""
        self._judge(mail, copy)
        others = {mail.author, *mail.recipients} - {copy.box.address}
        if others & self.not_yet_ours and copy.rule not in ("S3", "S4", "S5", "S31"):
            copy.answer, copy.rule, copy.owner = (
                Answer.MAYBE,
                "S12 if that mailbox is connected by then",
                None,
            )

    def _judge(self, mail: Mail, copy: Copy) -> None:
        """The first rule that has an answer: S4 S5 S31 > S12 > S18 > S8 > S10 S7 > S9."""
        box = copy.box
        if not box.collecting:
            return self._no(copy, box.pause or "S3")
        if copy.place is not Place.THERE:
            return self._no(copy, "S31")
        parties = mail.recipients if copy.sent else [mail.author, *mail.recipients]
        outsiders = [one for one in parties if one not in self.own_people]
        colleagues = [one for one in parties if one in self.own_people and one != box.address]
        contacts = [one for one in outsiders if one in self.contacts]
        ours = copy.sent or mail.author in self.own_people
        addressed = [one for one in mail.recipients if one in contacts]
        found = self._thread(mail, copy, contacts)
        if not contacts:
            if not outsiders or colleagues:
                return self._no(copy, "S12")
            if found.thread is not None and box in found.thread.mixed_in:
                return self._no(copy, "S12")
            if found.thread is not None and found.thread.mixed_in:
                copy.answer, copy.rule = Answer.MAYBE, "S12 if the colleague's mail was first"
                return None
        if found.left:
            return self._no(copy, "S18", left=True)
        if mail.forwards and ours:
            if not addressed:
                return self._no(copy, "S18", left=True)
            same = found.thread if found.thread and found.thread.owner == addressed[0] else None
            return self._yes(copy, "S18", addressed[0], same, colleagues)
        by_itself = addressed[0] if ours and addressed else mail.author if mail.author in contacts else None
        if found.thread is not None and not found.unsure:
            owner = None if found.several else found.thread.owner
            return self._yes(copy, "S8", owner, found.thread, colleagues)
        if found.unsure:
            if by_itself is None:
                copy.answer, copy.rule = Answer.MAYBE, "S8 if its thread was first"
                return None
            return self._yes(copy, "S8 or S7", None, Thread(by_itself), colleagues)
        if by_itself is not None:
            return self._yes(copy, "S10" if ours else "S7", by_itself, None, colleagues)
        return self._no(copy, "S9")

    def _thread(self, mail: Mail, copy: Copy, contacts: list[str]) -> Found:
        """S15: with what it answers, and only then with Gmail's thread."""
        for answered in mail.answers:
            here = answered.copies.get(copy.box)
            if any(one.left for one in answered.copies.values()):
                return Found(left=True)
            if here and here.answer is Answer.YES and here.place is Place.THERE:
                return Found(here.thread, several=here.owner is None)
            if answered.forwards or any(
                one.answer is not Answer.NO or one.place is Place.ASIDE for one in answered.copies.values()
            ):
                return Found(unsure=True)
        threads: list[Copy] = []
        unsure = False
        for other in self.mails:
            seen = other.copies.get(copy.box)
            if seen is None or seen is copy or seen.gmail_thread != copy.gmail_thread:
                continue
            if seen.answer is Answer.YES and seen.place is Place.THERE:
                threads.append(seen)
            elif seen.answer is not Answer.NO or seen.place is Place.ASIDE:
                unsure = True
        distinct = list(dict.fromkeys(seen.thread for seen in threads if seen.thread))
        fitting = [thread for thread in distinct if thread.owner in contacts] or distinct
        several = len(distinct) > 1 or any(seen.owner is None for seen in threads)
        return Found(fitting[0] if fitting else None, unsure, several=several)

    @staticmethod
    def _no(copy: Copy, rule: str, *, left: bool = False) -> None:
        copy.answer, copy.rule, copy.left = Answer.NO, rule, left

    @staticmethod
    def _yes(copy: Copy, rule: str, owner: str | None, thread: Thread | None, colleagues: list[str]) -> None:
        copy.answer, copy.rule, copy.owner = Answer.YES, rule, owner
        copy.thread = thread or Thread(owner or "")
        if colleagues:
            copy.thread.mixed_in.add(copy.box)
