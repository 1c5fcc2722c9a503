"""How far an outbound message has come and what is next: read from its row, written first (S27)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, select

from crm import answering, events, following, threads
from crm.following import give_place_up, may_have_a_draft
from crm.ledger import Ledger, Limits, postpone
from crm.outbound import recipients_of, set_status
from models import (
    Account,
    AccountAlias,
    Decision,
    GmailMessage,
    LedgerEntry,
    Message,
    Participant,
    TimelineEntry,
    User,
)
from models.columns import now as clock
from models.states import AccountState, LedgerState, MessageStatus, Outcome, Role

OPEN = frozenset(
    {
        MessageStatus.QUEUED,
        MessageStatus.WAITING_FOR_LIMIT,
        MessageStatus.SCHEDULED,
        MessageStatus.HELD,
        MessageStatus.SENDING,
    }
)
INTERACTIVE_PRIORITY, OTHER_PRIORITY = 1, 5
"""In the queue of an address an answer to somebody goes before the rest (S26)."""
SENDING_STATES = frozenset({AccountState.ACTIVE, AccountState.RECOVERING})
"""Of an account that mail may leave through."""
WHILE_CONNECTING = timedelta(seconds=5)
WHILE_COUNTING = timedelta(seconds=1)
"""At first; where counting takes longer it is looked for less often, and the sweep starts it anew."""
LONGEST_UNWOKEN = timedelta(minutes=1)
"""Who waits for another mail is woken by it; should that get lost, it looks by itself."""


class Way(StrEnum):
    """What a message does next."""

    GMAIL = "gmail"
    WITHDRAW = "withdraw"
    """Its draft is to go: the mailbox is no longer the sender, or a person discarded the mail."""
    SMTP = "smtp"
    WAIT = "wait"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Next:
    """The next step of a message; `until` None: until its row changes."""

    way: Way
    until: datetime | None = None
    why: str = ""
    wake: list[str] = field(default_factory=list)
    refused: str | None = None
    """The account whose grant Google refused just now."""


def locked(session: Session, message_id: str) -> Message:
    """The message's row, for this transaction alone."""
    return session.exec(select(Message).where(Message.id == message_id).with_for_update()).one()


def next_step(session: Session, message_id: str, limits: Limits) -> Next:
    """Decide what a message does now; takes its place, and writes `sending` before anything is done."""
    if session.exec(select(Message.id).where(Message.id == message_id)).first() is None:
        return Next(Way.DONE)  # erased while it waited (S29)
    message = locked(session, message_id)
    if message.campaign_id is not None:
        return Next(Way.DONE)  # it leaves with its campaign
    if message.status not in OPEN:
        return _given_up(session, message, limits)
    if message.status == MessageStatus.HELD and message.send_asked_at is None:
        return Next(Way.WAIT, why=message.status_detail or "held for a person")
    if message.send_asked_at is not None:
        return Next(Way.GMAIL if message.account_id else Way.SMTP)
    elsewhere = _from_the_mailbox_of_its_user(session, message) if message.account_id else None
    if elsewhere is not None:
        return elsewhere
    if message.send_at is not None and message.send_at > clock():
        set_status(session, message, MessageStatus.SCHEDULED)
        message.leaves_at = message.send_at
        return Next(Way.WAIT, message.send_at, "its time to leave")
    if not may_have_a_draft(message):
        first = answering.leaves_first(session, message)
        if first is not None:
            return _after(session, message, first)
        answering.name_answered(session, message)
    if message.account_id is None:
        set_status(session, message, MessageStatus.SENDING)
        return Next(Way.SMTP)
    return _through_gmail(session, message, limits)


def _after(session: Session, message: Message, first: Message) -> Next:
    """It answers a mail of ours: that one leaves first, and then wakes it."""
    give_place_up(session, message)
    set_status(session, message, MessageStatus.QUEUED, "Leaves after the mail that it answers.")
    until = max(clock() + LONGEST_UNWOKEN, first.leaves_at or clock())
    message.leaves_at = until
    return Next(Way.WAIT, until, "the mail that it answers leaves first")


def _given_up(session: Session, message: Message, limits: Limits) -> Next:
    """It has ended; what a discarded one left among the drafts is taken out, or found to have left after all."""
    followers = who_follows(session, message, limits)
    if message.status == MessageStatus.CANCELLED and may_have_a_draft(message):
        account = session.get_one(Account, message.account_id)
        if account.state in SENDING_STATES or account.state == AccountState.PAUSED:
            return Next(Way.WITHDRAW, wake=followers)
    return Next(Way.DONE, wake=followers)


def _from_the_mailbox_of_its_user(session: Session, message: Message) -> Next | None:
    """The mailbox it is to leave from: the active one, and no other where its own was disconnected (S4, S5)."""
    active = session.get_one(User, message.user_id).active_account_id
    if active == message.account_id:
        return None
    account = session.get_one(Account, message.account_id)
    if active is None or account.state == AccountState.DISCONNECTED:
        following.hold(session, message, account)
        return Next(Way.WAIT, why="held: its mailbox is disconnected")
    if may_have_a_draft(message):
        return Next(Way.WITHDRAW)
    following.move(session, message, session.get_one(Account, active))
    return None


def _through_gmail(session: Session, message: Message, limits: Limits) -> Next:
    account = session.get_one(Account, message.account_id)
    if account.state == AccountState.CONNECTING:
        return Next(Way.WAIT, clock() + WHILE_CONNECTING, "the mailbox is being connected")
    if account.state not in SENDING_STATES:
        give_place_up(session, message)
        set_status(
            session, message, MessageStatus.QUEUED, "Waits until the connection to Gmail is authorised again."
        )
        message.leaves_at = None
        return Next(Way.WAIT, why="the mailbox needs a new consent")
    if account.sends_counted_at is None:
        waited = clock() - max(account.state_changed_at, message.created_at)
        pause = min(max(WHILE_COUNTING, waited / 4), LONGEST_UNWOKEN)
        return Next(Way.WAIT, clock() + pause, "what the mailbox has sent today is counted")
    ledger = Ledger.of_account(session, account, limits=limits)
    priority = INTERACTIVE_PRIORITY if message.reply_to_message_id else OTHER_PRIORITY
    ledger.enter(message.id, len(recipients_of(session, message.id)), priority=priority)
    place = ledger.ask(message.id)
    if place.granted:
        if message.status != MessageStatus.SENDING:  # else it is tried again, and says why
            set_status(session, message, MessageStatus.SENDING)
            message.leaves_at = clock()
        return Next(Way.GMAIL, wake=ledger.tell_estimates() if place.overtook else [])
    if place.leaves_at is None:
        fail(session, message, "It has more recipients than the mailbox may send to in a day.")
        return Next(Way.DONE, wake=who_follows(session, message, limits))
    message.leaves_at = place.leaves_at
    set_status(session, message, MessageStatus.WAITING_FOR_LIMIT, "Waits for Gmail's daily limit.")
    wake = ledger.tell_estimates()
    return Next(Way.WAIT, place.leaves_at, "a place within Gmail's daily limit", wake=wake)


def who_follows(session: Session, message: Message, limits: Limits) -> list[str]:
    """Who goes on now that this message has ended: what answers it, and those whose place moved forward."""
    answers = answering.answers_that_wait(session, message)
    if message.status == MessageStatus.SENT or message.account_id is None:
        return answers
    account = session.get(Account, message.account_id)
    if account is None:
        return answers
    ledger = Ledger.of_account(session, account, limits=limits)
    ledger.release(message.id)
    session.flush()
    due = [message_id for message_id, at in ledger.estimates() if at is not None and at <= clock()]
    return list(dict.fromkeys([*answers, *due, *ledger.tell_estimates()]))


def fail(session: Session, message: Message, reason: str) -> None:
    """It will not leave; its place goes to the next."""
    set_status(session, message, MessageStatus.FAILED, reason)
    message.leaves_at = None
    give_place_up(session, message)


def queue_again(session: Session, message: Message) -> None:
    """It has not left and may try anew: back to its old place in the queue."""
    _back_to_waiting(session, message)
    set_status(session, message, MessageStatus.QUEUED)


def _back_to_waiting(session: Session, message: Message) -> None:
    entry = _entry_of(session, message)
    if entry is not None:
        entry.state, entry.at = LedgerState.WAITING, None


def _entry_of(session: Session, message: Message) -> LedgerEntry | None:
    return session.exec(select(LedgerEntry).where(LedgerEntry.message_id == message.id)).first()


def _really_from(session: Session, message: Message, account: Account, email: str) -> None:
    """Gmail sent it from another address than was asked for: the message shows that one."""
    alias = (
        session.get(AccountAlias, (account.id, message.from_email.lower())) if message.from_email else None
    )
    if alias is not None:
        alias.verified = False  # until Gmail's list is read again
    message.from_email = email
    for sender in session.exec(
        select(Participant).where(Participant.message_id == message.id, Participant.role == Role.FROM)
    ):
        sender.email, sender.email_key = email, email.lower()


def wait_for_limit(session: Session, message: Message, until: datetime, reason: str) -> None:
    """Gmail says that the limit is reached: the address's whole queue waits until then (S20, S26)."""
    block_sends(session, session.get_one(Account, message.account_id), until)
    _back_to_waiting(session, message)
    message.leaves_at = until
    set_status(session, message, MessageStatus.WAITING_FOR_LIMIT, reason)


def block_sends(session: Session, account: Account, until: datetime) -> None:
    """Nothing leaves the address until then, whoever connected it."""
    for same_mailbox in session.exec(select(Account).where(Account.email_key == account.email_key)):
        if same_mailbox.sends_blocked_until is None or same_mailbox.sends_blocked_until < until:
            same_mailbox.sends_blocked_until = until
            session.add(
                TimelineEntry(
                    account_id=same_mailbox.id,
                    kind="sending_limit",
                    detail=f"Gmail's sending limit is reached; mail waits until {until:%Y-%m-%d %H:%M} UTC.",
                )
            )
    postpone(session, account.email_key, until)


def record_sent(
    session: Session,
    message: Message,
    *,
    gmail_id: str,
    gmail_thread_id: str,
    message_id_header: str | None,
    from_email: str | None,
    at: datetime,
) -> None:
    """It has left: status, real Message-ID, ledger, the SENT copy and its decision."""
    account = session.get_one(Account, message.account_id)
    detail = None
    if from_email and message.from_email and from_email.lower() != message.from_email.lower():
        detail = f"Gmail sent it from {from_email}, since {message.from_email} is not verified there."
        _really_from(session, message, account, from_email)
    if message.status not in (MessageStatus.BOUNCED, MessageStatus.DELAYED):
        set_status(session, message, MessageStatus.SENT, detail)
    message.message_id_header = message_id_header or message.message_id_header
    message.sent_at, message.leaves_at, message.sent_gmail_id = at, None, gmail_id
    message.gmail_thread_id = gmail_thread_id
    Ledger.of_account(session, account, limits=Limits()).used(message.id, gmail_id, at)
    session.execute(
        insert(GmailMessage)
        .values(
            account_id=account.id,
            gmail_id=gmail_id,
            message_id=message.id,
            gmail_thread_id=gmail_thread_id,
            internal_date=at,
            sent=True,
            unread=False,
            deleted=False,
        )
        .on_conflict_do_nothing()
    )
    threads.link_gmail_thread(session, account.id, gmail_thread_id, message.thread_id)
    session.execute(
        insert(Decision)
        .values(
            account_id=account.id,
            gmail_id=gmail_id,
            at=clock(),
            outcome=Outcome.SYNCED,
            rule="S11",
            detail="sent from the CRM",
            message_id=message.id,
            gmail_thread_id=gmail_thread_id,
            internal_date=at,
            attempts=0,
            left_thread=False,
        )
        .on_conflict_do_nothing()
    )
    events.emit(session, message.location_id, events.CONVERSATION_UPDATED, message.conversation_id)
