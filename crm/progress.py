"""What was asked of Gmail for one message: written before each call, and only by who has read the newest (S27).

Two tries of one message may run at the same time: a worker that lost Temporal for a while was given up and goes
on all the same. So whoever writes must find the row as it was read; else the other one goes on, and this one looks
anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from crm import answering, outbound
from crm.leaving import OPEN
from models import Message
from models.states import MessageStatus


class Overtaken(Exception):
    """The row has changed since it was read: nothing may follow from what was read."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the row said, copied out of its transaction. Moments are in UTC.

    With a `draft_id` and no `draft_asked_at` the draft is to be taken back.
    """

    message_id: str
    account_id: str
    stamp: str
    draft_asked_at: datetime | None
    draft_id: str | None
    send_asked_at: datetime | None
    sent_gmail_id: str | None
    gmail_thread_id: str | None
    answers_in: str | None
    """The Gmail thread of what it answers, in the sending mailbox."""

    @property
    def to_be_taken_back(self) -> bool:
        return self.draft_id is not None and self.draft_asked_at is None and self.sent_gmail_id is None

    def is_of(self, message: Message) -> bool:
        """Whether the row still says so."""
        return (
            message.account_id,
            message.stamp,
            message.draft_asked_at,
            message.draft_id,
            message.send_asked_at,
            message.sent_gmail_id,
        ) == (
            self.account_id,
            self.stamp,
            self.draft_asked_at,
            self.draft_id,
            self.send_asked_at,
            self.sent_gmail_id,
        )


def read(session: Session, message_id: str) -> Progress:
    """How far a message has come that leaves, or left, through Gmail."""
    return _of(session, session.get_one(Message, message_id))


def _of(session: Session, message: Message) -> Progress:
    assert message.account_id is not None
    assert message.stamp is not None
    return Progress(
        message_id=message.id,
        account_id=message.account_id,
        stamp=message.stamp,
        draft_asked_at=message.draft_asked_at,
        draft_id=message.draft_id,
        send_asked_at=message.send_asked_at,
        sent_gmail_id=message.sent_gmail_id,
        gmail_thread_id=message.gmail_thread_id,
        answers_in=answering.gmail_thread_to_answer_in(session, message),
    )


def locked(session: Session, progress: Progress, *, unsettled: bool = False) -> Message:
    """The row, for this transaction alone, as it was read.

    Args:
        unsettled: also that it has neither left nor been given up meanwhile.

    Raises:
        Overtaken: it is not.
    """
    message = session.exec(
        select(Message).where(Message.id == progress.message_id).with_for_update()
    ).one_or_none()  # None: erased meanwhile (S29)
    if message is None or not progress.is_of(message) or (unsettled and _is_settled(message)):
        raise Overtaken
    return message


def _is_settled(message: Message) -> bool:
    """It has ended, or its mailbox was disconnected before it was asked to be sent."""
    held = message.status == MessageStatus.HELD and message.send_asked_at is None
    return held or message.status not in OPEN


Fact = datetime | str | int | None


def note(
    session: Session, progress: Progress, facts: Mapping[str, Fact], *, unsettled: bool = False
) -> Progress:
    """Write facts down; what the row says then.

    Args:
        unsettled: as for `locked`; of what is only about to be asked.

    Raises:
        Overtaken: nothing was written.
    """
    message = locked(session, progress, unsettled=unsettled)
    was_unknown = message.status == MessageStatus.HELD and message.send_asked_at is not None
    for name, value in facts.items():
        setattr(message, name, value)
    if was_unknown and message.send_asked_at is None:
        outbound.set_status(session, message, MessageStatus.SENDING)  # Gmail has answered: it has not left
    session.add(message)
    return _of(session, message)
