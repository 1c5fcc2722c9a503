"""Random lives of a user with two mailboxes, against a small model of the specification (I1, I2).

The model: a mail syncs if it came while its mailbox was the user's active one (also with a dead grant, S6) and a
contact wrote it; everything else has a decision that says why not, or none yet where nothing is collected.
Hypothesis prints a failing life as the steps that replay it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    precondition,
    rule,
)
from sqlmodel import col, select

from crm.consents import Purpose
from devstack.story import unique
from models import Decision, Message
from tests.activities.mailroom import Mailroom
from workflows.values import AccountInput, GapInput, ProofInput, SwitchOutcome, SwitchStep

pytestmark = pytest.mark.servers


class Killed(Exception):
    """Stands for a worker that dies before its transaction is committed."""


@contextmanager
def killed_before_the_commit() -> Iterator[None]:
    """The worker dies before a page of mail is committed, if there is one."""
    with mock.patch("activities.collecting.keeping.file_page", side_effect=Killed), suppress(Killed):
        yield


@dataclass
class Expected:
    """A mail in a mailbox, and whether it must be in the CRM in the end."""

    mailbox: str
    gmail_id: str
    subject: str
    syncs: bool


class TwoMailboxes(RuleBasedStateMachine):
    """Two mailboxes of one user, one of them active at most."""

    room: Mailroom

    @initialize()
    def begin(self) -> None:
        self.location = self.room.location()
        self.user = self.room.user(self.location)
        self.lead = self.room.contact(self.location)
        self.mailboxes = [f"{unique(word)}@gmail.com" for word in ("ann", "sales")]
        for mailbox in self.mailboxes:
            self.room.gmail.create_mailbox(mailbox)
        self.accounts: dict[str, str] = {}
        self.alive: set[str] = set()
        self.active: str | None = None
        self.mails: list[Expected] = []
        self.number = 0
        self._connect(self.mailboxes[0], Purpose.CONNECT)
        self.active = self.mailboxes[0]

    # What the world does

    @rule(to=st.sampled_from(["first", "second", "both"]), known=st.booleans(), times=st.integers(1, 4))
    def somebody_writes(self, to: str, known: bool, times: int) -> None:
        targets = {"first": self.mailboxes[:1], "second": self.mailboxes[1:], "both": self.mailboxes}[to]
        for _ in range(times):
            self.number += 1
            sender = self.lead if known else f"{unique('who')}@nowhere.example"
            subject = f"Mail {self.number}"
            fields = {"from": sender, "to": targets, "subject": subject, "text": "Hello."}
            for mailbox, gmail_id in self.room.gmail.deliver(fields).items():
                syncs = known and mailbox == self.active
                self.mails.append(Expected(mailbox, gmail_id, subject, syncs))

    @precondition(lambda self: self.active is not None)
    @rule()
    def the_user_writes_in_gmail(self) -> None:
        assert self.active is not None
        self.number += 1
        fields = {"to": self.lead, "subject": f"Mail {self.number}", "text": "Hello."}
        sent = self.room.gmail.send_as_user(self.active, fields)
        self.mails.append(Expected(self.active, sent["id"], f"Mail {self.number}", True))

    @rule(which=st.integers(0, 1))
    def the_password_changes(self, which: int) -> None:
        self.room.gmail.change_password(self.mailboxes[which])
        self.alive.discard(self.mailboxes[which])

    @rule(which=st.integers(0, 1))
    def history_expires(self, which: int) -> None:
        self.room.gmail.expire_history(self.mailboxes[which])

    # What the user does

    @precondition(lambda self: self.active is not None and self.active not in self.alive)
    @rule()
    def consents_again(self) -> None:
        assert self.active is not None
        self._connect(self.active, Purpose.REAUTHORIZE)

    @precondition(lambda self: self.active is not None)
    @rule()
    def disconnects(self) -> None:
        assert self.active is not None
        self.room.disconnect(self.accounts[self.active])
        self.alive.discard(self.active)
        self.active = None

    @precondition(lambda self: self.active is None)
    @rule(which=st.integers(0, 1))
    def connects(self, which: int) -> None:
        self._connect(self.mailboxes[which], Purpose.CONNECT)
        self.active = self.mailboxes[which]

    @precondition(lambda self: self.active is not None)
    @rule(consent=st.booleans())
    def switches(self, consent: bool) -> None:
        (other,) = [mailbox for mailbox in self.mailboxes if mailbox != self.active]
        if consent or other not in self.accounts:
            self.accounts[other] = self.room.grant(self.user, other, Purpose.SWITCH)
            self.alive.add(other)
        report = self.room.switching.switch(SwitchStep(user_id=self.user, account_id=self.accounts[other]))
        assert (report.outcome is SwitchOutcome.DONE) == (other in self.alive)
        if report.outcome is SwitchOutcome.DONE:
            for account_id in report.tell:
                self.room.connecting.settle(AccountInput(account_id=account_id))
            self.active = other

    # What the system does

    @precondition(lambda self: self.active is not None)
    @rule(trouble=st.sampled_from(["none", "none", "pushed twice", "killed", "killed", "500", "cut"]))
    def syncs(self, trouble: str) -> None:
        """A push whose sync nobody draws is one that was lost."""
        assert self.active is not None
        account_id = self.accounts[self.active]
        if trouble == "killed":
            with killed_before_the_commit():
                self.room.sync(account_id)
            return
        if trouble == "pushed twice":
            self.room.sync(account_id)
        fault: dict[str, Any] = {"500": {"status": 500}, "cut": {"cut": 20}}.get(trouble, {})
        if fault:
            self.room.gmail.fault("gmail.users.messages.get", mailbox=self.active, times=2, **fault)
        self.room.sync(account_id)
        self.room.gmail.clear_faults()

    @precondition(lambda self: self.active is not None)
    @rule(killed=st.booleans())
    def fills_a_gap(self, killed: bool) -> None:
        assert self.active is not None
        account_id = self.accounts[self.active]
        report = self.room.sync(account_id)
        if report.gap is None:
            return
        with killed_before_the_commit() if killed else nullcontext():
            self.room.recovering.fill(GapInput(account_id=account_id, gap=report.gap))

    @precondition(lambda self: self.accounts)
    @rule(data=st.data())
    def repeats_a_disconnect_that_is_done(self, data: st.DataObject) -> None:
        """As after a crash between the commit and the answer; it must not end what was connected since."""
        account_id = data.draw(st.sampled_from(sorted(self.accounts.values())))
        self.room.connecting.disconnect(AccountInput(account_id=account_id))

    @precondition(lambda self: self.active is not None)
    @rule()
    def proves(self) -> None:
        assert self.active is not None
        self.room.proving.prove(ProofInput(account_id=self.accounts[self.active], full=True))

    def _connect(self, mailbox: str, purpose: Purpose) -> None:
        account_id = self.room.grant(self.user, mailbox, purpose, self.accounts.get(mailbox))
        self.accounts[mailbox] = account_id
        self.alive.add(mailbox)
        assert self.room.connecting.connect(AccountInput(account_id=account_id)).state == "active"

    # What must hold in the end

    def teardown(self) -> None:
        if not hasattr(self, "location"):
            return
        if self.active is not None:
            if self.active not in self.alive:
                self._connect(self.active, Purpose.REAUTHORIZE)
            self.room.sync_to_the_end(self.accounts[self.active])
        decisions = self._decisions()
        for mail in self.mails:
            decision = decisions.get((self.accounts.get(mail.mailbox, ""), mail.gmail_id))
            if mail.mailbox == self.active:
                assert decision is not None, f"{mail} has no decision"
            if decision is not None and decision.outcome != "failed":
                synced = decision.outcome == "synced"
                assert synced == mail.syncs, f"{mail}: {decision.outcome} {decision.rule}"
        with self.room.environment.database.session() as session:
            rows = session.exec(select(Message.subject).where(Message.location_id == self.location))
            counted = Counter(rows)
        assert set(counted.values()) <= {1}, "a mail is two messages"
        expected = {mail.subject for mail in self.mails if mail.syncs and mail.mailbox == self.active}
        assert expected <= set(counted), "a mail is lost"

    def _decisions(self) -> dict[tuple[str, str], Decision]:
        with self.room.environment.database.session() as session:
            rows = session.exec(
                select(Decision).where(col(Decision.account_id).in_(list(self.accounts.values())))
            ).all()
        return {(row.account_id, row.gmail_id): row for row in rows}


def lives(room: Mailroom, number: int, steps: int, drawn_by: int | None) -> None:
    """So many lives, those of a seed, or the same each time."""
    machine = type("Machine", (TwoMailboxes,), {"room": room})
    how = settings(
        max_examples=number,
        stateful_step_count=steps,
        deadline=None,
        derandomize=drawn_by is None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    test = get_state_machine_test(machine, settings=how)
    (seed(drawn_by)(test) if drawn_by is not None else test)()


def test_i1_i2_a_sample_of_random_lives(room: Mailroom) -> None:
    lives(room, 5, 15, None)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_i1_i2_a_thousand_random_lives(room: Mailroom) -> None:
    """`SEED=n` draws the lives; the same number draws the same ones."""
    drawn_by = int(os.environ.get("SEED", "20261128"))
    print(f"SEED={drawn_by}")
    lives(room, int(os.environ.get("LIVES", "1000")), 40, drawn_by)
