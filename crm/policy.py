"""Does a message sync, by which rule, and in whose conversation: the rules of the product as one table.

`RULES` is read from top to bottom and the first rule that has an answer decides, which is the order of the
specification: S3 S4 S5 S31 > S12 > S16 > S18 > S8 > S7 S10 S14 > S9. Two stand before S12, since they are about
no conversation: the copy of a mail that the CRM itself sent (S11), and notices of mail servers (S20).
Everything here is pure: facts come in a `World`, and what follows goes out in a `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from crm.addresses import domain_of, email_key, mailbox_key
from crm.case import Case, NewContact, Verdict
from crm.headline import Headline
from crm.world import NEW_CONTACT, ThreadRef, World, ancestors, stamp_of
from mail import authenticity, bounce, classify, forward
from mail.message import Address, Mail
from models.states import Direction, InboundScope, Outcome


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
    if kind == "limit_notice" and authenticity.is_doubted(case.body, case.author_key):
        return case.skip(
            "S20", "looks like Gmail's limit notice, but Gmail doubts its sender: without effect"
        )
    notice = bounce.read(case.body)
    ids = (*bounce.original_ids(case.body, notice), *ancestors(case.mail))
    about = next((known for one in ids if (known := case.world.message(one)) and known.outbound), None)
    recipients = [email_key(one) for one in notice.recipients] if notice else []
    if recipients and all(domain_of(one) == case.world.auto_bcc_domain for one in recipients):
        detail = "a notice about the auto-BCC copy; the mail itself is not affected"
        return case.skip("S19", detail, about=about.id if about else None)
    detail = f"{_WORDS[kind]} about a mail of ours"
    if about is not None:
        return case.sync("S20", detail, about.thread.contact_id, about.thread, about=about.id)
    if recipients and all(case.internal(one) for one in recipients):
        return case.skip("S12", "a notice about internal mail")
    if any(case.world.has_left(one) for one in ids):
        return case.skip("S18", "a notice about a forward that left the thread")
    if (thread := case.gmail_thread) is not None:
        return case.sync("S20", detail, thread.contact_id, thread)
    if kind == "limit_notice":
        return case.skip("S20", "Gmail's notice that its sending limit is reached")
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
