"""The daily limit of a Gmail address: what has left, what waits, and when each may leave (S26).

The ledger belongs to the Gmail address: what we send and what its owner sends in Gmail (seen in SENT) both count.
Places are handed out strictly in order, so that no mail overtakes another and every estimate is true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from crm import events
from models import Account, LedgerEntry, Location, Message
from models.columns import now as clock
from models.ids import new_id
from models.states import AccountState, LedgerState, MessageStatus

NOTICEABLE = timedelta(minutes=1)
"""An estimate that moves by less wakes nobody."""
CONSUMER_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Recipients that may leave within the window; told apart by the address's domain (S26)."""

    consumer: int = 500
    workspace: int = 2000
    window: timedelta = timedelta(hours=24)

    def of(self, email_key: str, own: int | None) -> int:
        """The limit of one address; a location's own setting goes before."""
        if own is not None:
            return own
        return self.consumer if email_key.rpartition("@")[2] in CONSUMER_DOMAINS else self.workspace


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that waits for its place."""

    id: str
    recipients: int


def schedule(
    left: Sequence[tuple[datetime, int]],
    waiting: Sequence[Waiting],
    *,
    limit: int,
    window: timedelta,
    now: datetime,
    blocked_until: datetime | None = None,
) -> list[tuple[str, datetime | None]]:
    """When each waiting mail may leave, in order; None for one with more recipients than the limit.

    Args:
        left: (when, recipients) of everything that left or holds a place.
        waiting: in the order in which they leave.
    """
    used = deque(sorted((at, recipients) for at, recipients in left if at > now - window))
    total = sum(recipients for _, recipients in used)
    moment = max(now, blocked_until) if blocked_until else now
    times: list[tuple[str, datetime | None]] = []
    for mail in waiting:
        if mail.recipients > limit:
            times.append((mail.id, None))
            continue
        while used and (used[0][0] + window <= moment or total + mail.recipients > limit):
            at, recipients = used.popleft()
            total -= recipients
            moment = max(moment, at + window)
        times.append((mail.id, moment))
        used.append((moment, mail.recipients))
        total += mail.recipients
    return times


@dataclass(frozen=True, slots=True)
class Place:
    """What the queue answers a mail: leave now, or come back at `leaves_at`."""

    granted: bool
    leaves_at: datetime | None
    """None where the mail alone is over the limit and can never leave."""
    overtook: bool = False
    """Others wait, and leave later now."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The numbers that an account shows: `sends` of the contract."""

    limit: int
    used: int
    queued: int
    next_slot_at: datetime | None


class Ledger:
    """The queue of one Gmail address within the caller's transaction; one caller at a time."""

    def __init__(
        self,
        session: Session,
        email_key: str,
        *,
        limits: Limits,
        own_limit: int | None,
        now: datetime | None = None,
    ) -> None:
        self._session = session
        self._email_key = email_key
        self._window = limits.window
        self._limit = limits.of(email_key, own_limit)
        self._now = now or clock()

    @classmethod
    def of_account(
        cls, session: Session, account: Account, *, limits: Limits, now: datetime | None = None
    ) -> Ledger:
        """The ledger of the address that an account is connected to."""
        own = session.exec(
            select(Location.daily_recipient_limit).where(Location.id == account.location_id)
        ).one()
        return cls(session, account.email_key, limits=limits, own_limit=own, now=now)

    def enter(self, message_id: str, recipients: int, *, priority: int = 5) -> None:
        """Queue a mail; again changes nothing but brings a released one back to its old place."""
        entry = self._entry(message_id)
        if entry is None:
            self._session.add(
                LedgerEntry(
                    email_key=self._email_key,
                    message_id=message_id,
                    recipients=recipients,
                    priority=priority,
                    queued_at=self._now,
                )
            )
            self._session.flush()
        elif entry.state == LedgerState.RELEASED:
            entry.state, entry.at = LedgerState.WAITING, None
        elif entry.email_key != self._email_key and entry.state == LedgerState.WAITING:
            entry.email_key = self._email_key

    def ask(self, message_id: str) -> Place:
        """A place for a queued mail: reserved at once where it is its turn, else when it will be."""
        self._lock()
        mine = self._entry(message_id)
        if mine is None:
            raise LookupError(f"message {message_id} is not in the send queue")
        if mine.state in (LedgerState.RESERVED, LedgerState.USED):
            return Place(True, self._now)
        times = self._schedule()
        for entry_id, leaves_at in times:
            if entry_id != mine.id:
                continue
            if leaves_at is not None and leaves_at <= self._now:
                mine.state, mine.at = LedgerState.RESERVED, self._now
                return Place(True, self._now, overtook=len(times) > 1)
            return Place(False, leaves_at)
        raise LookupError(f"message {message_id} does not wait in the queue of its address")

    def used(self, message_id: str, gmail_id: str | None, at: datetime) -> None:
        """The mail has left."""
        entry = self._entry(message_id)
        if entry is None:
            return
        if gmail_id is not None:  # the sync may have counted the SENT copy before we heard of it
            for seen in self._session.exec(
                select(LedgerEntry).where(
                    LedgerEntry.email_key == entry.email_key,
                    LedgerEntry.gmail_id == gmail_id,
                    LedgerEntry.id != entry.id,
                )
            ):
                self._session.delete(seen)
            self._session.flush()
        entry.state, entry.gmail_id, entry.at = LedgerState.USED, gmail_id, at

    def release(self, message_id: str) -> None:
        """The mail will not leave, or not now: its place goes to the next."""
        entry = self._entry(message_id)
        if entry is not None and entry.state in (LedgerState.WAITING, LedgerState.RESERVED):
            entry.state, entry.at = LedgerState.RELEASED, None

    def usage(self) -> Usage:
        """What the address has used, and when the next mail could leave."""
        left = self._left()
        queued = self._waiting()
        probe = Waiting("", 1)
        next_slot = self._times(left, [*queued, probe])[-1][1]
        used = sum(recipients for _, recipients in left)
        return Usage(
            self._limit, used, len(queued), next_slot if next_slot and next_slot > self._now else None
        )

    def estimates(self) -> list[tuple[str, datetime | None]]:
        """(message id, when it leaves) for all that wait, in order."""
        by_entry = dict(
            self._session.exec(
                select(LedgerEntry.id, LedgerEntry.message_id).where(
                    LedgerEntry.email_key == self._email_key, LedgerEntry.state == LedgerState.WAITING
                )
            ).all()
        )
        return [(by_entry[i] or "", at) for i, at in self._schedule() if by_entry.get(i)]

    def tell_estimates(self) -> list[str]:
        """Write into every mail that waits when it leaves, and tell the listeners where that moved noticeably.

        A mail that another transaction holds is passed over: that one asks for a place, or gives it up, itself.

        Returns:
            Ids of those that may leave earlier than they were told: they wait until then unless somebody wakes them.
        """
        leaves_at = {message_id: at for message_id, at in self.estimates() if at is not None}
        if not leaves_at:
            return []
        waiting = self._session.exec(
            select(Message)
            .where(col(Message.id).in_(list(leaves_at)), Message.status == MessageStatus.WAITING_FOR_LIMIT)
            .order_by(col(Message.id))
            .with_for_update(skip_locked=True)
        )
        earlier = []
        for message in waiting:
            before, at = message.leaves_at, leaves_at[message.id]
            moved = at - before if before is not None else None
            message.leaves_at = at
            if moved is None or abs(moved) >= NOTICEABLE:
                events.emit(self._session, message.location_id, events.MESSAGE_UPDATED, message.id)
            if moved is None or moved <= -NOTICEABLE or (moved < timedelta(0) and at <= self._now):
                earlier.append(message.id)
        return earlier

    def _lock(self) -> None:
        self._session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 26))"), {"key": self._email_key}
        )

    def _entry(self, message_id: str) -> LedgerEntry | None:
        return self._session.exec(
            select(LedgerEntry).where(LedgerEntry.message_id == message_id).with_for_update()
        ).first()

    def _left(self) -> list[tuple[datetime, int]]:
        rows = self._session.exec(
            select(LedgerEntry.at, LedgerEntry.recipients).where(
                LedgerEntry.email_key == self._email_key,
                col(LedgerEntry.state).in_([LedgerState.RESERVED, LedgerState.USED]),
                col(LedgerEntry.at) > self._now - self._window,
            )
        ).all()
        return [(at, recipients) for at, recipients in rows if at is not None]

    def _waiting(self) -> list[Waiting]:
        rows = self._session.exec(
            select(LedgerEntry.id, LedgerEntry.recipients)
            .join(Message, col(Message.id) == col(LedgerEntry.message_id))
            .where(
                LedgerEntry.email_key == self._email_key,
                LedgerEntry.state == LedgerState.WAITING,
            )
            .order_by(col(LedgerEntry.priority), col(LedgerEntry.queued_at), col(LedgerEntry.id))
        ).all()
        return [Waiting(entry_id, recipients) for entry_id, recipients in rows]

    def _schedule(self) -> list[tuple[str, datetime | None]]:
        return self._times(self._left(), self._waiting())

    def _times(
        self, left: list[tuple[datetime, int]], waiting: list[Waiting]
    ) -> list[tuple[str, datetime | None]]:
        blocked = self._session.exec(
            select(func.max(Account.sends_blocked_until)).where(Account.email_key == self._email_key)
        ).one()
        return schedule(
            left, waiting, limit=self._limit, window=self._window, now=self._now, blocked_until=blocked
        )


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail seen in SENT; `stamp`: the value of our own header, where it carries one."""

    gmail_id: str
    recipients: int
    at: datetime
    stamp: str | None = None


def count_sent(session: Session, email_key: str, mails: Sequence[SentMail]) -> int:
    """Count mails seen in SENT, whoever wrote them and whether or not they sync; again changes nothing.

    Returns:
        How many were not ours and are counted for the first time: what waits leaves later now.
    """
    stamps = {mail.stamp: mail for mail in mails if mail.stamp}
    ours: set[str] = set()
    if stamps:
        for entry, stamp in session.exec(
            select(LedgerEntry, Message.stamp)
            .join(Message, col(Message.id) == col(LedgerEntry.message_id))
            .where(col(Message.stamp).in_(list(stamps)), LedgerEntry.email_key == email_key)
            .with_for_update(of=LedgerEntry)
        ):
            mail = stamps[str(stamp)]
            entry.state, entry.gmail_id, entry.at = LedgerState.USED, mail.gmail_id, mail.at
            ours.add(mail.gmail_id)
        session.flush()
    rows = [
        {
            "id": new_id("led"),
            "email_key": email_key,
            "gmail_id": mail.gmail_id,
            "recipients": max(mail.recipients, 1),
            "priority": 0,
            "state": LedgerState.USED,
            "queued_at": mail.at,
            "at": mail.at,
        }
        for mail in mails
        if mail.gmail_id not in ours
    ]
    if not rows:
        return 0
    counted = session.execute(
        insert(LedgerEntry)
        .on_conflict_do_nothing(constraint="uq_send_ledger_gmail_id")
        .returning(col(LedgerEntry.id)),
        rows,
    )
    return len(counted.all())


def postpone(session: Session, email_key: str, until: datetime) -> None:
    """Nothing leaves the address until then, and what waits says so."""
    waiting = session.exec(
        select(Message)
        .join(LedgerEntry, col(LedgerEntry.message_id) == col(Message.id))
        .where(
            LedgerEntry.email_key == email_key,
            LedgerEntry.state == LedgerState.WAITING,
            Message.status == MessageStatus.WAITING_FOR_LIMIT,
            col(Message.leaves_at) < until,
        )
        .order_by(col(Message.id))
        .with_for_update(of=Message, skip_locked=True)
    )
    for message in waiting:
        message.leaves_at = until
        events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)


def uncounted(session: Session) -> list[str]:
    """Accounts whose mail waits until what they sent in the last 24 h is counted (S26)."""
    waits = (
        select(Message.id)
        .where(col(Message.account_id) == col(Account.id), Message.status == MessageStatus.QUEUED)
        .exists()
    )
    return list(
        session.exec(
            select(Account.id).where(
                col(Account.state).in_([AccountState.ACTIVE, AccountState.RECOVERING]),
                col(Account.sends_counted_at).is_(None),
                waits,
            )
        )
    )
