"""One message before the rules: its people told apart, the thread that it belongs to, and the verdicts it can get."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from crm.addresses import domain_of, email_key, is_internal, mailbox_key
from crm.headline import Headline
from crm.world import (
    NEW_THREAD,
    ContactRef,
    KnownMessage,
    ThreadRef,
    World,
    ancestors,
    author,
    author_key,
)
from mail import authenticity, classify, forward
from mail.message import Address, Mail
from models.states import Direction, Outcome


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact that the mail makes (S16); `id` is provisional."""

    id: str
    email: str
    name: str
    assigned_user_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided of one message.

    detail: plain words; of addresses only those of the location's own people. owner: the contact in whose
    conversation it goes (S15), thread_id: the thread; either may be provisional. answers: the message that it
    answers. mixes: colleagues take part beside the mailbox's owner. needs_body: the headers do not suffice,
    decide again with the whole mail. left_thread: its answers do not sync either (S18). about: the mail that a
    notice is about (S19, S20). kind: as `mail.classify` tells it, where the body was here.
    """

    outcome: Outcome
    rule: str
    detail: str
    direction: Direction = Direction.INBOUND
    owner: str | None = None
    thread_id: str | None = None
    new_contact: NewContact | None = None
    answers: str | None = None
    forwarded: bool = False
    mixes: bool = False
    needs_body: bool = False
    left_thread: bool = False
    about: str | None = None
    kind: str | None = None

    @property
    def synced(self) -> bool:
        return self.outcome is Outcome.SYNCED

    @property
    def wants_body(self) -> bool:
        """Is the whole mail to be fetched? Never for a stranger's (S9)."""
        return self.synced or self.needs_body


class Case:
    """One message before the rules, its people told apart once."""

    def __init__(self, headline: Headline, world: World, body: Mail | None) -> None:
        self.headline = headline
        self.world = world
        self.body = body
        self.mail = body or headline.mail

    @cached_property
    def author_key(self) -> str:
        return author_key(self.mail)

    @cached_property
    def outbound(self) -> bool:
        """Did one of us write it? The SENT label tells of the mailbox's owner, the address of colleagues."""
        return self.headline.sent or self.internal(self.author_key)

    @property
    def direction(self) -> Direction:
        return Direction.OUTBOUND if self.outbound else Direction.INBOUND

    @cached_property
    def recipients(self) -> tuple[Address, ...]:
        """To, then Cc, then Bcc (the order of S15), auto-BCC addresses left out."""
        everyone = (*self.mail.to, *self.mail.cc, *self.mail.bcc)
        return tuple(address for address in everyone if not self.is_auto_bcc(address))

    @cached_property
    def parties(self) -> tuple[Address, ...]:
        """The author, unless it is the mailbox's owner by label, and the recipients."""
        writer = author(self.mail)
        return self.recipients if self.headline.sent or writer is None else (writer, *self.recipients)

    @cached_property
    def external(self) -> tuple[Address, ...]:
        return tuple(address for address in self.parties if not self.internal(email_key(address.email)))

    @cached_property
    def colleagues(self) -> tuple[Address, ...]:
        """Internal people other than the mailbox's owner."""
        return tuple(
            address
            for address in self.parties
            if self.internal(email_key(address.email))
            and mailbox_key(address.email) not in self.world.own_keys
        )

    @cached_property
    def contacts(self) -> tuple[ContactRef, ...]:
        """Contacts that send it or are addressed in it, in the order of S15."""
        found = (self.contact(address) for address in self.external)
        return tuple(dict.fromkeys(ref for ref in found if ref is not None))

    @cached_property
    def addressed_contacts(self) -> tuple[ContactRef, ...]:
        found = (self.contact(address) for address in self.recipients)
        return tuple(dict.fromkeys(ref for ref in found if ref is not None))

    @cached_property
    def sending_contact(self) -> ContactRef | None:
        writer = author(self.mail)
        return None if self.outbound or writer is None else self.contact(writer)

    @cached_property
    def kind(self) -> str | None:
        return classify.kind(self.body) if self.body is not None else None

    @cached_property
    def is_forward(self) -> bool:
        return forward.is_forward(self.mail)

    @cached_property
    def first_external_to(self) -> Address | None:
        for address in self.mail.to:
            if not self.is_auto_bcc(address) and not self.internal(email_key(address.email)):
                return address
        return None

    @cached_property
    def auto_bcc_user(self) -> str | None:
        """The user whose auto-BCC address it carries, where one of the location's users wrote it (S16).

        A From line alone says little: what comes in as a colleague's mail counts unless Gmail doubts its author.
        """
        if not self.headline.sent:
            if mailbox_key(self.author_key) not in self.world.user_keys:
                return None
            if not self.headline.vouched and authenticity.is_doubted(self.mail, self.author_key):
                return None
        for address in (*self.mail.to, *self.mail.cc, *self.mail.bcc):
            user = self.world.auto_bcc.get(email_key(address.email))
            if user is not None:
                return user
        return None

    @cached_property
    def same_mail(self) -> KnownMessage | None:
        """The message that this is a copy of, known from another mailbox (S21)."""
        known = self.world.message(self.mail.message_id) if self.mail.message_id else None
        return known if known is not None and known.author == self.author_key else None

    @cached_property
    def answered(self) -> KnownMessage | None:
        """The nearest message that it answers, unless that one has left its thread."""
        for message_id in ancestors(self.mail):
            if self.world.has_left(message_id):
                return None
            if (known := self.world.message(message_id)) is not None:
                return known
        return None

    @cached_property
    def answers_left(self) -> bool:
        """Is the nearest message that it answers one that left its thread (S18)?"""
        for message_id in ancestors(self.mail):
            if self.world.has_left(message_id):
                return True
            if self.world.message(message_id) is not None:
                return False
        return False

    @cached_property
    def gmail_thread(self) -> ThreadRef | None:
        """The thread that Gmail's thread stands for; where it holds several, one whose contact takes part."""
        refs = self.world.threads.get(self.headline.gmail_thread_id, ())
        taking_part = {ref.id for ref in self.contacts}
        return next((ref for ref in refs if ref.contact_id in taking_part), refs[0] if refs else None)

    @cached_property
    def thread(self) -> ThreadRef | None:
        """Where it belongs: with its copy, with what it answers, only then with Gmail's thread (S15)."""
        if self.same_mail is not None:
            return self.same_mail.thread
        if self.answered is not None:
            return self.answered.thread
        return self.gmail_thread

    def internal(self, key: str) -> bool:
        return mailbox_key(key) in self.world.own_keys or is_internal(key, self.world)

    def is_auto_bcc(self, address: Address) -> bool:
        return bool(self.world.auto_bcc_domain) and domain_of(address.email) == self.world.auto_bcc_domain

    def contact(self, address: Address) -> ContactRef | None:
        key = email_key(address.email)
        return None if self.internal(key) or self.is_auto_bcc(address) else self.world.contact(key)

    # Verdicts
    def skip(self, rule: str, detail: str, *, left_thread: bool = False, about: str | None = None) -> Verdict:
        return Verdict(
            Outcome.SKIPPED,
            rule,
            detail,
            self.direction,
            left_thread=left_thread,
            about=about,
            kind=self.kind,
        )

    def sync(
        self,
        rule: str,
        detail: str,
        owner: str,
        thread: ThreadRef | None,
        new_contact: NewContact | None = None,
        about: str | None = None,
    ) -> Verdict:
        return Verdict(
            Outcome.SYNCED,
            rule,
            detail,
            self.direction,
            owner=owner,
            thread_id=thread.id if thread is not None else NEW_THREAD + self.headline.gmail_id,
            new_contact=new_contact,
            answers=self.answered.id if self.answered else None,
            forwarded=self.is_forward,
            mixes=bool(self.colleagues),
            about=about,
            kind=self.kind,
        )

    def read(self, rule: str, detail: str) -> Verdict:
        """Decide again once the whole mail is here."""
        return Verdict(Outcome.SKIPPED, rule, detail, self.direction, needs_body=True)

    @cached_property
    def leaves(self) -> bool:
        """A forward of ours that reaches no contact: whatever answers it is between strangers (S18)."""
        return self.outbound and bool(self.external) and not self.contacts and self.is_forward
