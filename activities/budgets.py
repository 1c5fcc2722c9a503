"""The budget of a Gmail address over all processes: units of the running minute, and requests in flight.

Each process keeps order among its own calls (`gmail.budget.LocalBudget`) and takes what they need from the
database in small leases, so that most calls cost no query. A lease lasts some seconds: what a process that died held
comes back by itself, and a pause that Google asked of one process reaches the others.

Units are counted over a sliding minute, estimated from two fixed ones: what was spent in the minute before counts
with the share of it that is still within the last 60 s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from sqlalchemy import Engine, create_engine, event, text

from gmail.budget import LONGEST_PAUSE_S, RESERVED, WINDOW_S, LocalBudget, Priority
from gmail.errors import Throttled, ThrottleScope
from models.ids import new_id
from storage.database import dialect_url, must_be_alive

LEASE_S = 5.0
SLOT_S = 4.0
"""A request in flight longer than its lease is not counted any more; the next one takes a new lease."""
SLOT_MARGIN_S = 1.0
"""By so much a process lets its own leases lapse earlier than the others do."""
FIRST_LEASE_UNITS = 62
"""What one message that syncs alone costs with its history page, and a little more."""
LARGEST_LEASE_SHARE = 1 / 15
"""Of a minute's units: 400 of 6000."""
PATIENCE_S = 5.0
SLOT_WAIT_S = 0.1
WISH_S = 1.0
WISH = "wish/"
"""Ids of wishes: who waits for a place in flight says so, and who holds many gives some up."""
PROJECT = "*"
"""The row of limits that the whole project shares."""

_ROW = text(
    "INSERT INTO mailbox_budgets (email_key, units, units_before, refilled_at) VALUES (:key, 0, 0, now())"
    " ON CONFLICT (email_key) DO UPDATE SET email_key = excluded.email_key"
    " RETURNING units, units_before, extract(epoch FROM clock_timestamp() - refilled_at),"
    " extract(epoch FROM blocked_until - clock_timestamp())"
)
"""Holds the mailbox's row: what is read after it is nobody else's to change."""
_AROUND = text(
    "SELECT extract(epoch FROM (SELECT blocked_until FROM mailbox_budgets WHERE email_key = :project)"
    "                        - clock_timestamp()),"
    " ARRAY(SELECT id FROM requests_in_flight WHERE email_key = :key AND expires_at > clock_timestamp())"
)
_SPEND = text(
    "WITH lapsed AS ("
    "  DELETE FROM requests_in_flight WHERE email_key = :key AND expires_at <= clock_timestamp()"
    "     AND id <> ALL(:slots)"
    "), taken AS ("
    "  INSERT INTO requests_in_flight (id, email_key, expires_at)"
    "  SELECT id, :key, clock_timestamp() + make_interval(secs => :lasts)"
    "    FROM unnest(CAST(:slots AS text[])) AS s(id)"
    "  ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at"
    ")"
    " UPDATE mailbox_budgets SET units = :units, units_before = :before,"
    " refilled_at = clock_timestamp() - make_interval(secs => :elapsed) WHERE email_key = :key"
)
_WISH = text(
    "INSERT INTO requests_in_flight (id, email_key, expires_at)"
    " VALUES (:id, :key, clock_timestamp() + make_interval(secs => :lasts))"
    " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at"
)
_BLOCK = text(
    "INSERT INTO mailbox_budgets (email_key, units, units_before, refilled_at, blocked_until)"
    " VALUES (:key, 0, 0, now(), clock_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (email_key) DO UPDATE SET"
    " blocked_until = greatest(mailbox_budgets.blocked_until, excluded.blocked_until)"
)


@dataclass(slots=True)
class _Leases:
    """What this process holds of one mailbox.

    slots: lease id to the moment when it lapses. peak: the most requests in flight since they were renewed.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    units: float = 0.0
    good_until: float = 0.0
    next_units: float = FIRST_LEASE_UNITS
    slots: dict[str, float] = field(default_factory=dict)
    in_flight: int = 0
    peak: int = 0


class SharedBudget:
    """Implements `gmail.budget.Budget` over all processes that share a database. Thread-safe.

    Its connections are its own: a call of Gmail's must not wait for a connection that waits for a call of Gmail's.
    """

    def __init__(
        self,
        database_url: str,
        *,
        units_per_minute: int = 6000,
        requests_in_flight: int = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine: Engine = create_engine(
            dialect_url(database_url),
            pool_size=4,
            max_overflow=12,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 5, "options": "-c timezone=UTC"},
        )
        event.listen(self._engine, "checkout", must_be_alive)
        self._wish = f"{WISH}{new_id('rif')}/"
        self._units_per_minute = units_per_minute
        self._largest_lease = units_per_minute * LARGEST_LEASE_SHARE
        self._requests_in_flight = requests_in_flight
        self._clock = clock
        self._local = LocalBudget(units_per_minute, requests_in_flight, PATIENCE_S)
        self._held: dict[str, _Leases] = {}

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def acquire(self, mailbox: str, units: int, priority: Priority) -> None:
        """See `gmail.budget.Budget`."""
        self._local.acquire(mailbox, units, priority)
        try:
            self._take(mailbox, units, priority)
        except BaseException:
            self._local.release(mailbox)
            raise

    def release(self, mailbox: str) -> None:
        """See `gmail.budget.Budget`. The lease stays for the next call, until it lapses."""
        held = self._held[mailbox]
        with held.lock:
            held.in_flight -= 1
        self._local.release(mailbox)

    def throttled(self, mailbox: str, seconds: float, scope: ThrottleScope) -> None:
        """See `gmail.budget.Budget`. All processes obey within the length of a lease."""
        self._local.throttled(mailbox, seconds, scope)
        if scope in (ThrottleScope.SENDING, ThrottleScope.OWN_BUDGET):
            return
        project = scope in (ThrottleScope.PROJECT, ThrottleScope.PROJECT_DAY)
        with self._engine.begin() as connection:
            connection.execute(
                _BLOCK,
                {"key": PROJECT if project else mailbox, "seconds": min(seconds, LONGEST_PAUSE_S)},
            )

    def _take(self, mailbox: str, units: int, priority: Priority) -> None:
        held = self._held.get(mailbox) or self._held.setdefault(mailbox, _Leases())
        deadline = self._clock() + PATIENCE_S
        while True:
            with held.lock:
                wait = self._try(mailbox, held, units, priority)
            if wait <= 0:
                return
            if self._clock() + wait > deadline:
                raise Throttled(
                    "Our own budget for this mailbox is used up for now.",
                    mailbox=mailbox,
                    retry_after=wait,
                    scope=ThrottleScope.OWN_BUDGET,
                )
            time.sleep(wait)

    def _try(self, mailbox: str, held: _Leases, units: int, priority: Priority) -> float:
        """Seconds to wait; 0 where the call may go, and is counted."""
        at = self._clock()
        live = sum(1 for lapses in held.slots.values() if lapses > at)
        if held.in_flight >= live or held.units < units or at >= held.good_until:
            wait = self._lease(mailbox, held, units, priority, needs_slot=held.in_flight >= live)
            if wait > 0:
                return wait
        held.units -= units
        held.in_flight += 1
        held.peak = max(held.peak, held.in_flight)
        return 0.0

    def _lease(
        self, mailbox: str, held: _Leases, units: int, priority: Priority, *, needs_slot: bool
    ) -> float:
        """Take units for some seconds, and a place in flight where one is needed, in one transaction."""
        with self._engine.begin() as connection:
            spent, before, elapsed, blocked = map(_number, connection.execute(_ROW, {"key": mailbox}).one())
            of_project, ids = connection.execute(_AROUND, {"key": mailbox, "project": PROJECT}).one()
            pause = max(blocked, _number(of_project))
            if pause > 0:
                return pause
            slots = self._slots(held, set(ids), self._wish + mailbox) if needs_slot else []
            if needs_slot and len(slots) <= held.in_flight:
                wish = {"id": self._wish + mailbox, "key": mailbox, "lasts": WISH_S}
                connection.execute(_WISH, wish)
                return SLOT_WAIT_S
            spent, before, elapsed, wait = self._lease_units(held, units, priority, spent, before, elapsed)
            connection.execute(
                _SPEND,
                {
                    "key": mailbox,
                    "units": spent,
                    "before": before,
                    "elapsed": elapsed,
                    "slots": slots,
                    "lasts": SLOT_S,
                },
            )
        if slots:
            lapses = self._clock() + SLOT_S - SLOT_MARGIN_S
            held.slots = dict.fromkeys(slots, lapses)
            held.peak = held.in_flight
        return wait

    def _slots(self, held: _Leases, there: set[str], own_wish: str) -> list[str]:
        """The places to hold from now on: those that are in use, and one more where all together have room.

        While another process wishes for one, each keeps to its share, and the others of its own lapse.
        """
        taken = {one for one in there if not one.startswith(WISH)}
        rivals = len(there - taken - {own_wish})
        share = ceil(self._requests_in_flight / (1 + rivals))
        used = min(share, max(held.peak, held.in_flight + 1))
        slots = [one for one in held.slots if one in taken][:used]
        room = self._requests_in_flight - len(taken)
        lacking = min(share, held.in_flight + 1) - len(slots)
        return slots + [new_id("rif") for _ in range(min(room, lacking))]

    def _lease_units(
        self, held: _Leases, units: int, priority: Priority, spent: float, before: float, elapsed: float
    ) -> tuple[float, float, float, float]:
        """What is spent now, was spent in the minute before, how old this one is, and how long to wait for room."""
        if elapsed >= WINDOW_S:
            minutes = int(elapsed // WINDOW_S)
            before, spent, elapsed = (spent if minutes == 1 else 0.0), 0.0, elapsed - minutes * WINDOW_S
        elif self._clock() - (held.good_until - LEASE_S) <= elapsed:
            spent = max(0.0, spent - held.units)  # leased in this minute and not used: it goes back
        held.units = 0.0
        allowed = max(self._units_per_minute * (1 - RESERVED[priority]), units)
        room = allowed - spent - before * (1 - elapsed / WINDOW_S)
        if room < units:
            return spent, before, elapsed, _until_there_is_room(allowed - units, spent, before, elapsed)
        granted = min(max(units, held.next_units), room)
        held.next_units = min(self._largest_lease, max(held.next_units, units) * 2)
        held.units, held.good_until = granted, self._clock() + LEASE_S
        return spent + granted, before, elapsed, 0.0


def _until_there_is_room(room: float, spent: float, before: float, elapsed: float) -> float:
    """Seconds until what counts of the two minutes has fallen to `room`."""
    if spent <= room:
        return max(0.05, WINDOW_S * (1 - (room - spent) / before) - elapsed)
    return (WINDOW_S - elapsed) + WINDOW_S * max(0.0, 1 - room / spent) + 0.05


def _number(value: Any) -> float:
    return float(value) if value is not None else 0.0
