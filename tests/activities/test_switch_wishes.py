"""S4: a switch that was consented to while Temporal was away is made up for, once."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from sqlmodel import select
from temporalio.testing import ActivityEnvironment

from activities.waking import Waking
from crm import consents
from crm.consents import Purpose
from devstack.story import unique
from models import PendingConsent, User
from models.columns import now
from tests.activities.mailroom import Mailroom
from tests.api.running import RecordedCommands
from workflows.commands import Commands
from workflows.values import BatchInput, BatchReport, SwitchOutcome, SwitchStep, SwitchWish, WakeInput

pytestmark = pytest.mark.servers


def wished(room: Mailroom) -> SwitchWish:
    """A user with an active mailbox consents to another one; nobody is told."""
    old = room.connected()
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    with room.environment.database.session() as session:
        user = session.get_one(User, old.user_id)
        state = consents.create(session, user, Purpose.SWITCH, b"sealed")
    account_id = room.grant(old.user_id, mailbox, Purpose.SWITCH)
    with room.environment.database.session() as session:
        consent = consents.take(session, state)
        assert consent is not None
        consents.remember_switch(session, consent, account_id)
    return SwitchWish(user_id=old.user_id, account_id=account_id)


def some_minutes_later(room: Mailroom, wish: SwitchWish) -> BatchReport:
    with room.environment.database.session() as session:
        row = session.exec(
            select(PendingConsent).where(PendingConsent.account_id == wish.account_id)
        ).one_or_none()
        if row is not None:
            row.used_at = now() - timedelta(minutes=5)
            session.add(row)
        account = room.account(wish.account_id)
        account.state_changed_at -= timedelta(minutes=5)
        session.add(account)
    return room.reconciling.reconcile_batch(BatchInput(interval_s=300))


async def test_s4_reconciliation_tells_a_switch_that_nobody_was_told_of_and_only_once(room: Mailroom) -> None:
    wish = wished(room)
    assert wish not in room.reconciling.reconcile_batch(BatchInput(interval_s=300)).switches, (
        "it is under way"
    )
    report = some_minutes_later(room, wish)
    assert wish in report.switches
    assert wish.account_id not in report.consented, "it would be connected beside the active one, and paused"
    commands = RecordedCommands()
    waking = Waking(room.environment.database, cast(Commands, commands))
    value = WakeInput(account_ids=[], switches=[wish])
    await ActivityEnvironment().run(waking.wake_accounts, value)
    assert commands.named("switch") == [(wish.user_id, wish.account_id)]
    assert wish not in some_minutes_later(room, wish).switches


def test_s4_a_switch_that_was_done_is_not_told_again(room: Mailroom) -> None:
    wish = wished(room)
    step = SwitchStep(user_id=wish.user_id, account_id=wish.account_id)
    assert room.switching.switch(step).outcome is SwitchOutcome.DONE
    assert wish not in some_minutes_later(room, wish).switches


def test_s4_a_switch_that_was_refused_is_not_told_again(room: Mailroom) -> None:
    wish = wished(room)
    room.gmail.change_password(room.account(wish.account_id).email)
    step = SwitchStep(user_id=wish.user_id, account_id=wish.account_id)
    assert room.switching.switch(step).outcome is SwitchOutcome.REFUSED
    assert wish not in some_minutes_later(room, wish).switches
