"""Does a message sync, by which rule, and in whose conversation: the rules of the product as one table.

`RULES` is read from top to bottom and the first rule that has an answer decides, which is the order of the
specification: S3 S4 S5 S31 > S12 > S16 > S18 > S8 > S7 S10 S14 > S9. Two stand before S12, since they are about
no conversation: the copy of a mail that the CRM itself sent (S11), and notices of mail servers (S20).
Everything here is pure: facts come in a `World`, and what follows goes out in a `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from crm.addresses import domain_of, email_key, is_internal, mailbox_key
from crm.headline import Headline
from crm.world import (
    NEW_CONTACT,
    NEW_THREAD,
    ContactRef,
    KnownMessage,
    ThreadRef,
    World,
    ancestors,
    author,
    author_key,
    stamp_of,
)
from mail import bounce, classify, forward
from mail.message import Address, Mail
from models.states import Direction, InboundScope, Outcome


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
        """The user whose auto-BCC address it carries, where one of the location's users wrote it (S16)."""
        if not (self.headline.sent or mailbox_key(self.author_key) in self.world.user_keys):
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


def s4_s5_paused(case: Case) -> Verdict | None:
    """S4, S5: what arrived while nothing was collected is not fetched afterwards."""
    for pause in case.world.pauses:
        if _within(case.headline.internal_date, pause.started_at, pause.ended_at):
            if pause.rule == "S4":
                return case.skip("S4", "arrived while another mailbox was the active one")
            return case.skip(pause.rule, "arrived while the mailbox was disconnected")
    return None


def _within(moment: datetime, start: datetime, end: datetime | None) -> bool:
    """Gmail often tells whole seconds: one that may have been before the start or after the end is outside."""
    return moment >= start and (end is None or _latest(moment) < end)


def _latest(moment: datetime) -> datetime:
    return moment if moment.microsecond else moment + timedelta(microseconds=999_999)


def s3_before_connection(case: Case) -> Verdict | None:
    """S3: mail received before the connection is never synced."""
    since = case.world.connected_at
    if since is not None and _latest(case.headline.internal_date) < since:
        return case.skip("S3", "received before the mailbox was connected")
    return None


def s31_placement(case: Case) -> Verdict | None:
    """S31: drafts and chats never sync; spam and trash do not while they are there."""
    for there, words in (
        (case.headline.draft, "a draft"),
        (case.headline.chat, "a chat"),
        (case.headline.spam, "in spam"),
        (case.headline.trash, "in the trash"),
    ):
        if there:
            return case.skip("S31", words)
    return None


def s11_sent_from_crm(case: Case) -> Verdict | None:
    """S11: the copy of a mail that the CRM sent belongs to that mail, whoever it went to."""
    stamp = stamp_of(case.mail)
    ours = case.world.stamped.get(stamp) if stamp else None
    if ours is None or not ours.outbound or not (case.headline.sent or case.author_key == ours.author):
        return None
    return case.sync("S11", "sent from the CRM", ours.thread.contact_id, ours.thread)


def s20_notice(case: Case) -> Verdict | None:
    """S9, S19, S20: a mail server's notice is read whoever sends it, and kept only if it is about mail of ours."""
    if case.headline.sent:
        return None
    obvious = classify.headers_suffice_notice(case.headline.mail)
    if case.body is None:
        return case.read("S20", "a mail server's notice") if obvious else None
    kind = case.kind
    if kind not in _WORDS:
        return None
    notice = bounce.read(case.body)
    ids = (*(notice.original_message_ids if notice else ()), *ancestors(case.mail))
    about = next((known for one in ids if (known := case.world.message(one)) and known.outbound), None)
    recipients = [email_key(one) for one in notice.recipients] if notice else []
    if recipients and all(domain_of(one) == case.world.auto_bcc_domain for one in recipients):
        detail = "a notice about the auto-BCC copy; the mail itself is not affected"
        return case.skip("S19", detail, about=about.id if about else None)
    detail = f"{_WORDS[kind]} about a mail of ours"
    if about is not None:
        return case.sync("S20", detail, about.thread.contact_id, about.thread, about=about.id)
    if kind == "limit_notice":
        return case.skip("S20", "Gmail's notice that its sending limit is reached")
    if recipients and all(case.internal(one) for one in recipients):
        return case.skip("S12", "a notice about internal mail")
    if any(case.world.has_left(one) for one in ids):
        return case.skip("S18", "a notice about a forward that left the thread")
    if (thread := case.gmail_thread) is not None:
        return case.sync("S20", detail, thread.contact_id, thread)
    return case.skip("S9", "a notice about a mail that is not in the CRM") if obvious else None


_WORDS = {"bounce": "a failure notice", "delay": "a delay notice", "limit_notice": "a limit notice"}


def s12_internal(case: Case) -> Verdict | None:
    """S12: mail between the location's own people stays out; of a mixed thread what a contact sends or gets syncs."""
    if case.contacts or (case.auto_bcc_user and case.first_external_to):
        return None
    if not case.external:
        if case.colleagues:
            return case.skip("S12", _internal_words(case, case.colleagues[0]))
        if case.recipients and not case.auto_bcc_user:
            return case.skip("S12", "only you take part in it")
        return None
    if case.colleagues and (case.outbound or case.thread is not None):
        words = _internal_words(case, case.colleagues[0]) + ", and no contact takes part"
        return case.skip("S12", words, left_thread=case.leaves)
    if case.thread is not None and case.world.is_mixed(case.thread):
        words = "colleagues take part in the thread, and no contact sends or gets this message"
        return case.skip("S12", words, left_thread=case.leaves)
    return None


def _internal_words(case: Case, address: Address) -> str:
    who = "a user" if mailbox_key(address.email) in case.world.user_keys else "an internal address"
    return f"{address.email} is {who} of this location"


def s16_auto_bcc(case: Case) -> Verdict | None:
    """S16: a mail of ours with an auto-BCC address is filed, and its first external recipient becomes a contact."""
    user = case.auto_bcc_user
    if user is None:
        return None
    target = case.first_external_to
    if target is None:
        target = forward.original_sender(case.body) if case.body is not None and case.is_forward else None
        if case.body is None:
            # Only the body tells whether it is a forward without a recipient, and of whose mail.
            return case.read("S16", "carries an auto-BCC address")
        if target is None or case.internal(email_key(target.email)) or case.is_auto_bcc(target):
            return None
    made = None
    contact = case.world.contact(email_key(target.email))
    if contact is None:
        made = NewContact(NEW_CONTACT + case.headline.gmail_id, target.email, target.name, user)
    owner = contact.id if contact is not None else NEW_CONTACT + case.headline.gmail_id
    detail = "carries an auto-BCC address"
    if case.thread is not None and (not case.is_forward or case.thread.contact_id == owner):
        return case.sync("S16", detail, case.thread.contact_id, case.thread, made)
    return case.sync("S16", detail, owner, None, made)


def s18_forward(case: Case) -> Verdict | None:
    """S18: a forward belongs to the contact whom it goes to, or who sent it; one to a stranger leaves the thread."""
    if case.answers_left and (case.gmail_thread is not None or _an_older_one_is_known(case)):
        return case.skip("S18", "answers a forward that left the thread", left_thread=True)
    if not case.is_forward or case.same_mail is not None:
        return None
    if case.outbound:
        if case.addressed_contacts:
            owner = case.addressed_contacts[0].id
            return case.sync("S18", "forwarded to a contact", owner, _if_of(case.thread, owner))
        if case.thread is not None and case.external:
            return case.skip("S18", "forwarded to somebody who is no contact", left_thread=True)
        return None
    sender = case.sending_contact
    if sender is not None and case.thread is not None and case.thread.contact_id != sender.id:
        return case.sync("S18", "forwarded to you by a contact", sender.id, None)
    return None


def _an_older_one_is_known(case: Case) -> bool:
    return any(case.world.message(one) is not None for one in ancestors(case.mail))


def _if_of(thread: ThreadRef | None, owner: str) -> ThreadRef | None:
    return thread if thread is not None and thread.contact_id == owner else None


def s8_synced_thread(case: Case) -> Verdict | None:
    """S8, S21: every later message of a synced thread syncs, whoever in it wrote it, and every copy of a message."""
    if case.same_mail is not None:
        return case.sync("S21", "the same mail is in the CRM", case.same_mail.thread.contact_id, case.thread)
    if case.thread is not None:
        return case.sync("S8", "belongs to a synced thread", case.thread.contact_id, case.thread)
    return None


def s10_sent_from_gmail(case: Case) -> Verdict | None:
    """S10: a mail that a user writes to a contact appears in that contact's conversation."""
    if case.outbound and case.addressed_contacts:
        return case.sync("S10", "sent to a contact", case.addressed_contacts[0].id, None)
    return None


def s7_s14_from_contact(case: Case) -> Verdict | None:
    """S7, S14: mail of a contact to the user, or to somebody else with the user included."""
    contact = case.sending_contact
    if contact is None:
        return None
    to_user = any(mailbox_key(address.email) in case.world.own_keys for address in case.mail.to)
    included = any(mailbox_key(a.email) in case.world.own_keys for a in (*case.mail.cc, *case.mail.bcc))
    rule = "S14" if included and not to_user else "S7"
    if (
        case.world.inbound_scope == InboundScope.ASSIGNED_TO_ME
        and case.world.user_id is not None
        and contact.assigned_user_id != case.world.user_id
    ):
        return case.skip(
            rule, "the contact is not assigned to you, and only assigned contacts' mail syncs here"
        )
    return case.sync(rule, "from a contact", contact.id, None)


def s9_stranger(case: Case) -> Verdict:
    """S9: no contact writes it or gets it from us, and it belongs to no synced thread."""
    if case.outbound:
        words = "no contact is addressed, and it belongs to no synced thread"
        return case.skip("S9", words, left_thread=case.leaves)
    return case.skip("S9", "not from a contact, and it belongs to no synced thread")


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    s4_s5_paused,
    s3_before_connection,
    s31_placement,
    s11_sent_from_crm,
    s20_notice,
    s12_internal,
    s16_auto_bcc,
    s18_forward,
    s8_synced_thread,
    s10_sent_from_gmail,
    s7_s14_from_contact,
)


def decide(headline: Headline, world: World, body: Mail | None = None) -> Verdict:
    """What becomes of one message; the first rule of `RULES` that has an answer, else S9.

    Args:
        body: the whole mail, once it was fetched; without it a verdict may ask for it (`wants_body`).
    """
    case = Case(headline, world, body)
    for rule in RULES:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    return s9_stranger(case)


def decide_page(
    headlines: Iterable[Headline], world: World, bodies: Mapping[str, Mail] | None = None
) -> dict[str, Verdict]:
    """Verdicts by Gmail id, each knowing what the messages before it in time brought; `world` stays as it is."""
    learning = world.copy()
    verdicts: dict[str, Verdict] = {}
    for headline in sorted(headlines, key=lambda one: (one.internal_date, one.gmail_id)):
        verdict = decide(headline, learning, (bodies or {}).get(headline.gmail_id))
        learning.learn(headline, verdict)
        verdicts[headline.gmail_id] = verdict
    return verdicts


def gone(outbound: bool = False) -> Verdict:
    """S31: the id was deleted before we could look at it."""
    direction = Direction.OUTBOUND if outbound else Direction.INBOUND
    return Verdict(Outcome.SKIPPED, "S31", "gone before we could look at it", direction)
