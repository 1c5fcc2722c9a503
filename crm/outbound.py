"""Mail that is handed to us to send: accepted with everything that can be checked before it leaves (S25)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from crm import answering, campaigns, events, senders, threads, timeline
from crm.suppressions import DISCARDED
from mail.message import Address
from models import (
    Account,
    AccountAlias,
    Attachment,
    Contact,
    ContactAddress,
    Conversation,
    LedgerEntry,
    Location,
    Message,
    Participant,
    Thread,
    User,
)
from models.columns import now
from models.ids import new_id
from models.states import Direction, MessageStatus, RecipientState, Role

MOST_RECIPIENTS = 500
"""Gmail takes no more in one message (Gmail API: sending limits)."""
STAMP_HEADER = "X-CRM-Send-Id"
"""Opaque; survives in the SENT copy, and finds it again after an unknown outcome (S27)."""


class RefusedDraft(Exception):
    """The mail cannot be accepted; the text says why and what to do.

    Attributes:
        pointer: the JSON pointer of the field at fault.
    """

    def __init__(self, reason: str, pointer: str) -> None:
        super().__init__(reason)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address as the caller gave it."""

    email: str
    name: str = ""

    @property
    def key(self) -> str:
        return self.email.strip().lower()


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """An attachment whose bytes are in the blob store already."""

    filename: str
    content_type: str
    size: int
    blob: str


@dataclass(frozen=True, slots=True)
class OutboundDraft:
    """What `POST /v1/messages` asks for, checked for shape."""

    kind: str
    to: Sequence[Recipient]
    subject: str
    cc: Sequence[Recipient] = ()
    bcc: Sequence[Recipient] = ()
    text: str | None = None
    html: str | None = None
    reply_to_message_id: str | None = None
    from_email: str | None = None
    from_name: str = ""
    send_at: datetime | None = None
    attachments: Sequence[OutgoingFile] = field(default=())


def queue(
    session: Session,
    location: Location,
    user: User,
    draft: OutboundDraft,
    *,
    undo_window: timedelta = timedelta(0),
) -> Message:
    """Accept a mail: its row, participants, attachments and place in the conversation. It leaves later.

    Raises:
        RefusedDraft: no recipient, too many, an unknown one to answer, a From that is not the mailbox's.
    """
    everyone = [*draft.to, *draft.cc, *draft.bcc]
    if not draft.to:
        raise RefusedDraft("at least one address in `to` is needed", "/to")
    if len(everyone) > MOST_RECIPIENTS:
        raise RefusedDraft(
            f"a mail may have at most {MOST_RECIPIENTS} recipients; this one has {len(everyone)}", "/to"
        )
    account = _mailbox(session, user) if draft.kind == "individual" else None
    from_email = _from(session, account, draft.from_email) if account is not None else None
    answered = _answered(session, location, draft.reply_to_message_id)
    conversation, thread = _place(session, location, draft, everyone, answered)
    if from_email is not None:
        sender: Address | None = Address(draft.from_name or user.name, from_email)
    else:
        name = draft.from_name or (user.name if draft.kind == "individual" else "")
        asked = Address(name, draft.from_email) if draft.from_email else None
        sender = senders.person_of(session, user, draft.kind, conversation.contact_id, asked)
    at = now()
    leaves_at = max(draft.send_at or at, at + undo_window)
    message = Message(
        location_id=location.id,
        conversation_id=conversation.id,
        thread_id=thread.id,
        contact_id=conversation.contact_id,
        direction=Direction.OUTBOUND,
        kind=draft.kind,
        status=MessageStatus.SCHEDULED if leaves_at > at else MessageStatus.QUEUED,
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        sent_at=at,
        read=True,
        user_id=user.id,
        account_id=account.id if account else None,
        from_email=sender.email if sender is not None else None,
        reply_to_message_id=answered.id if answered else None,
        in_reply_to=[answered.message_id_header] if answered and answered.message_id_header else [],
        references=answering.references_to(answered) if answered else [],
        send_at=leaves_at if leaves_at > at else None,
        leaves_at=leaves_at,
        stamp=secrets.token_urlsafe(18),
    )
    session.add(message)
    session.flush()
    _add_participants(session, message, sender or senders.of_user(user), draft)
    for position, attached in enumerate(draft.attachments):
        session.add(
            Attachment(
                message_id=message.id,
                position=position,
                filename=attached.filename,
                content_type=attached.content_type,
                size=attached.size,
                blob=attached.blob,
            )
        )
    threads.count_message(session, thread, at)
    events.emit(session, location.id, events.MESSAGE_CREATED, message.id)
    events.emit(session, location.id, events.CONVERSATION_UPDATED, conversation.id)
    return message


def recipients_of(session: Session, message_id: str) -> list[Participant]:
    """To, Cc and Bcc of a message, in their order."""
    rows = session.exec(
        select(Participant)
        .where(Participant.message_id == message_id, col(Participant.role).in_([Role.TO, Role.CC, Role.BCC]))
        .order_by(col(Participant.position))
    ).all()
    return sorted(rows, key=lambda p: (Role.TO, Role.CC, Role.BCC).index(Role(p.role)))


_STORY = {
    MessageStatus.WAITING_FOR_LIMIT: "waits for Gmail's daily limit{until}",
    MessageStatus.HELD: "is held; the mail says why",
    MessageStatus.FAILED: "was not sent; the mail says why",
    MessageStatus.DELAYED: "is delayed on its way; the mail says why",
    MessageStatus.BOUNCED: "came back; the mail says why",
}


def note_in_story(session: Session, message: Message, status: MessageStatus) -> None:
    """The timeline of the mailbox tells of a mail that does not simply leave (S30), before its status changes."""
    if message.account_id is None or message.status == status or status not in _STORY:
        return
    until = f" until {message.leaves_at:%Y-%m-%d %H:%M} UTC" if message.leaves_at else ""
    words = _STORY[status].format(until=until)
    timeline.note(session, message.account_id, "sending", f"Mail {message.id} {words}")


def set_status(session: Session, message: Message, status: MessageStatus, detail: str | None = None) -> None:
    """Move an outbound message on, telling the listeners where something changed."""
    if message.status == status and message.status_detail == detail:
        return
    note_in_story(session, message, status)
    message.status, message.status_detail, message.updated_at = status, detail, now()
    session.add(message)
    events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)


class TooLate(Exception):
    """The message has left, or is leaving; the text says which."""


CANCELLABLE = frozenset(
    {
        MessageStatus.QUEUED,
        MessageStatus.WAITING_FOR_LIMIT,
        MessageStatus.SCHEDULED,
        MessageStatus.HELD,
        MessageStatus.SENDING,
    }
)
"""As long as it was not asked to be sent."""


def is_cancellable(message: Message) -> bool:
    """Whether it has certainly not left, for anybody, and may be told not to."""
    untouched = message.campaign_id is None and message.send_asked_at is None and not message.untaken
    return untouched and message.status in CANCELLABLE


_NEXT = {
    MessageStatus.QUEUED: "Leaves by itself",
    MessageStatus.SCHEDULED: "Leaves at its time",
    MessageStatus.WAITING_FOR_LIMIT: "Leaves when the daily limit allows",
    MessageStatus.SENDING: "Leaves by itself",
}


def next_action(message: Message) -> str | None:
    """What a mail of ours does next, in words; `leaves_at` says when. None where nothing follows."""
    if message.status != MessageStatus.HELD:
        return _NEXT.get(MessageStatus(message.status))
    if message.send_asked_at is not None and message.account_id is not None:
        return "Looked for in Gmail, or decided on by a person"
    return "Waits for a person to decide"


def cancel(session: Session, message_id: str) -> Message:
    """Cancel a message that has not left; again changes nothing. A draft of it is taken back afterwards.

    Raises:
        TooLate: it has left, may have, or leaves with a campaign.
    """
    message = _locked(session, message_id)
    if message.status == MessageStatus.CANCELLED:
        return message
    if message.campaign_id is not None:
        raise TooLate("the message leaves with its campaign: cancel that one")
    if message.untaken:
        raise TooLate("the message can no longer be cancelled: it has left for some of its recipients")
    if not is_cancellable(message):
        raise TooLate(f"the message can no longer be cancelled: it is {message.status}")
    set_status(session, message, MessageStatus.CANCELLED)
    _free_place(session, message)
    return message


MARKED_AS_SENT = "marked as sent by a person"


class NotHeld(Exception):
    """Only a held message can be resolved."""


class LeavesOnlyFromThere(Exception):
    """The mail was held since its mailbox was disconnected, and that is not the one that sends now (S5)."""


def resolve(session: Session, message_id: str, action: str) -> Message:
    """A person decides on a held message: `look_again`, `mark_sent` or `discard`.

    Raises:
        NotHeld: it is not held.
        LeavesOnlyFromThere: to look again is of no use; the text says what to do.
    """
    message = _locked(session, message_id)
    if message.status != MessageStatus.HELD:
        raise NotHeld(f"only a held message can be resolved; this one is {message.status}")
    if action == "mark_sent":
        set_status(session, message, MessageStatus.SENT, MARKED_AS_SENT)
        campaigns.settle_by_hand(session, message.id, RecipientState.SENT, MARKED_AS_SENT)
    elif action == "discard":
        set_status(session, message, MessageStatus.CANCELLED, DISCARDED)
        campaigns.settle_by_hand(session, message.id, RecipientState.FAILED, DISCARDED)
        _free_place(session, message)
    elif message.campaign_id is not None:
        return message  # nobody can be asked what became of it
    elif message.send_asked_at is not None:
        message.lookups = 0
        set_status(session, message, MessageStatus.SENDING, "looking for it in Gmail again")
    else:
        _check_mailbox(session, message)
        set_status(session, message, MessageStatus.QUEUED)
        message.leaves_at = max(message.send_at or now(), now())
    return message


def _check_mailbox(session: Session, message: Message) -> None:
    if message.account_id is None:
        return
    active = session.get_one(User, message.user_id).active_account_id
    if active == message.account_id:
        return
    email = session.get_one(Account, message.account_id).email
    other = "" if active is None else f" It does not leave from {session.get_one(Account, active).email}."
    raise LeavesOnlyFromThere(
        f"This mail waited in {email}, which no longer sends for you.{other} "
        f"Make {email} the connected mailbox again and then choose Try again, or discard the mail and write it anew."
    )


def waiting_of(session: Session, user_id: str) -> list[str]:
    """The user's messages that have not left: a change of account, limit or grant wakes them.

    Those that were given up follow while a draft may lie in Gmail that could not be taken back.
    """
    waiting = session.exec(
        select(Message.id)
        .where(
            Message.user_id == user_id,
            Message.direction == Direction.OUTBOUND,
            col(Message.campaign_id).is_(None),
            col(Message.status).in_(
                [
                    MessageStatus.QUEUED,
                    MessageStatus.WAITING_FOR_LIMIT,
                    MessageStatus.SCHEDULED,
                    MessageStatus.HELD,
                    MessageStatus.SENDING,
                ]
            ),
        )
        .order_by(col(Message.created_at))
    )
    left_behind = session.exec(
        select(Message.id).where(
            col(Message.account_id).in_(select(Account.id).where(Account.user_id == user_id)),
            Message.status == MessageStatus.CANCELLED,
            col(Message.draft_asked_at).is_not(None) | col(Message.draft_id).is_not(None),
        )
    )
    return [*waiting, *left_behind]


STARTS_AHEAD = timedelta(minutes=2)
"""The sweep comes every minute."""


def overdue(session: Session, before: datetime, limit: int = 500) -> list[str]:
    """Messages that should have moved by `before`: their workflow was never started or was lost.

    Held ones of which nobody knows yet whether they left are among them, for Gmail is asked again and again.
    """
    to_leave = col(Message.status).in_(
        [
            MessageStatus.QUEUED,
            MessageStatus.SENDING,
            MessageStatus.SCHEDULED,
            MessageStatus.WAITING_FOR_LIMIT,
        ]
    ) & (col(Message.leaves_at) < before)
    # The workflow of a mail that Gmail took and then refused (S20) has ended: it starts again in time.
    soon = (col(Message.status) == MessageStatus.WAITING_FOR_LIMIT) & (
        col(Message.leaves_at) < now() + STARTS_AHEAD
    )
    to_be_found = (col(Message.status) == MessageStatus.HELD) & col(Message.send_asked_at).is_not(None)
    return list(
        session.exec(
            select(Message.id)
            .where(
                Message.direction == Direction.OUTBOUND,
                col(Message.campaign_id).is_(None),
                to_leave | soon | to_be_found,
                col(Message.updated_at) < before,
            )
            .order_by(col(Message.leaves_at).nulls_last(), col(Message.created_at))
            .limit(limit)
        )
    )


def _locked(session: Session, message_id: str) -> Message:
    return session.exec(select(Message).where(Message.id == message_id).with_for_update()).one()


def _free_place(session: Session, message: Message) -> None:
    entry = session.exec(select(LedgerEntry).where(LedgerEntry.message_id == message.id)).first()
    if entry is not None and entry.state in ("waiting", "reserved"):
        entry.state, entry.at = "released", None


def _mailbox(session: Session, user: User) -> Account | None:
    """The account that sends for the user: one `active_account_id` decides (S4)."""
    return session.get(Account, user.active_account_id) if user.active_account_id else None


def _from(session: Session, account: Account, asked: str | None) -> str:
    if asked is None or asked.strip().lower() == account.email_key:
        return account.email
    alias = session.get(AccountAlias, (account.id, asked.strip().lower()))
    if alias is None or not alias.verified:
        raise RefusedDraft(
            f"{asked} is no verified address of the connected mailbox: Gmail would rewrite it. "
            "Verify it in Gmail under Settings > Accounts > Send mail as, then let the mailbox sync now "
            "(the address is known within a minute), or leave `from` out",
            "/from",
        )
    return alias.email


def _answered(session: Session, location: Location, message_id: str | None) -> Message | None:
    if message_id is None:
        return None
    message = session.get(Message, message_id)
    if message is None or message.location_id != location.id:
        raise RefusedDraft("`reply_to_message_id` names no message of this location", "/reply_to_message_id")
    return message


def _place(
    session: Session,
    location: Location,
    draft: OutboundDraft,
    everyone: Sequence[Recipient],
    answered: Message | None,
) -> tuple[Conversation, Thread]:
    """Where the mail is filed: with what it answers, else with the first contact in To, Cc, Bcc (S15)."""
    if answered is not None:
        conversation = session.get_one(Conversation, answered.conversation_id)
        return conversation, session.get_one(Thread, answered.thread_id)
    owners = _contacts(session, location.id, [recipient.key for recipient in everyone])
    for recipient in everyone:
        if recipient.key in owners:
            conversation = threads.conversation_of(session, location.id, owners[recipient.key])
            return conversation, threads.open_thread(session, conversation, draft.subject)
    raise RefusedDraft(
        "none of the recipients is a contact: create the contact first (POST /v1/contacts)", "/to"
    )


def _contacts(session: Session, location_id: str, keys: Sequence[str]) -> dict[str, str]:
    """Address to contact id; of several contacts with one address the first created (S15)."""
    rows = session.exec(
        select(ContactAddress.email_key, Contact.id)
        .join(Contact, col(Contact.id) == col(ContactAddress.contact_id))
        .where(
            ContactAddress.location_id == location_id,
            col(ContactAddress.email_key).in_(list(keys)),
            col(Contact.deleted_at).is_(None),
        )
        .order_by(col(Contact.created_at).desc(), col(Contact.id).desc())
    ).all()
    return dict(rows)


def _add_participants(session: Session, message: Message, sender: Address, draft: OutboundDraft) -> None:
    by_role = {
        Role.FROM: [Recipient(sender.email, sender.name)],
        Role.TO: draft.to,
        Role.CC: draft.cc,
        Role.BCC: draft.bcc,
    }
    owners = _contacts(session, message.location_id, [r.key for people in by_role.values() for r in people])
    for role, people in by_role.items():
        for position, person in enumerate(people):
            session.add(
                Participant(
                    id=new_id("par"),
                    message_id=message.id,
                    location_id=message.location_id,
                    role=role,
                    position=position,
                    name=person.name,
                    email=person.email.strip(),
                    email_key=person.key,
                    contact_id=owners.get(person.key),
                )
            )
