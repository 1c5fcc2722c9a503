"""S4, S5: what came before a switch or a disconnect still syncs; what came from that moment on does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities import last_look, outcomes
from crm import accounts, timeline
from crm.consents import Purpose
from devstack.story import unique
from models import Account
from models.columns import now
from tests.activities.mailroom import Mailroom
from workflows.values import AccountInput, GapInput, SwitchStep

pytestmark = pytest.mark.servers


def deliver(room: Mailroom, sender: str, mailbox: str, subject: str) -> str:
    fields = {"from": sender, "to": mailbox, "subject": subject, "text": "Hello."}
    return next(iter(room.gmail.deliver(fields).values()))


def decided(room: Mailroom, account_id: str, gmail_id: str) -> tuple[str, str] | None:
    decision = room.decision(account_id, gmail_id)
    return (decision.outcome, decision.rule) if decision else None


def told(room: Mailroom, account_id: str, kind: str) -> list[str]:
    with room.environment.database.session() as session:
        return [one.detail for one in timeline.listing(session, account_id, 100).items if one.kind == kind]


def switched_away(room: Mailroom, old: Account) -> str:
    """The user switches to a new mailbox; its account's id."""
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    new = room.grant(old.user_id, mailbox, Purpose.SWITCH)
    room.switching.switch(SwitchStep(user_id=old.user_id, account_id=new))
    return new


@pytest.fixture
def no_latecomers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gmail shows each mail at once."""
    monkeypatch.setattr(accounts, "LATECOMERS", timedelta(0))


def test_s4_what_came_before_a_switch_syncs_and_what_came_after_does_not(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = room.connected()
    lead = room.contact(old.location_id)
    before = deliver(room, lead, old.email, "Before")
    switched_away(room, old)
    after = deliver(room, lead, old.email, "After")
    report = room.connecting.settle(AccountInput(account_id=old.id))
    assert (report.state, report.finishing, report.next_action) == ("paused", True, outcomes.FINISHING)
    report = room.sync(old.id)
    assert report.finishing, "Gmail may show a mail some seconds after it came"
    assert report.retry_at is not None
    assert decided(room, old.id, before) == ("synced", "S7")
    assert decided(room, old.id, after) == ("skipped", "S4")
    monkeypatch.setattr(accounts, "LATECOMERS", timedelta(seconds=0.3))
    while room.sync(old.id).finishing:
        pass
    report = room.connecting.settle(AccountInput(account_id=old.id))
    assert (report.finishing, report.state, report.next_action) == (False, "paused", accounts.SWITCH_BACK)
    later = deliver(room, lead, old.email, "Later")
    room.sync(old.id)
    assert decided(room, old.id, later) is None, "nothing is collected any more"


def test_s4_a_gap_that_was_open_at_a_switch_is_filled(room: Mailroom) -> None:
    old = room.connected()
    lead = room.contact(old.location_id)
    before = deliver(room, lead, old.email, "Before")
    room.gmail.expire_history(old.email)
    switched_away(room, old)
    report = room.sync(old.id)
    assert report.gap is not None
    assert report.retry_at is not None
    assert report.retry_at > now(), "filling the gap has its turn"
    room.recovering.fill(GapInput(account_id=old.id, gap=report.gap))
    assert decided(room, old.id, before) == ("synced", "S7")
    assert room.account(old.id).state == "paused"


def test_s4_what_had_failed_before_a_switch_is_tried_again(room: Mailroom, no_latecomers: None) -> None:
    old = room.connected()
    before = deliver(room, room.contact(old.location_id), old.email, "Before")
    room.gmail.fault("gmail.users.messages.get", mailbox=old.email, times=1, status=500)
    room.sync(old.id)
    assert decided(room, old.id, before) == ("failed", "")
    switched_away(room, old)
    assert room.sync(old.id).finishing
    room.hurry(old.id)
    report = room.sync(old.id)
    assert (report.finishing, report.next_action) == (False, accounts.SWITCH_BACK)
    assert decided(room, old.id, before) == ("synced", "S7")


def test_s4_a_dead_grant_ends_the_reading_and_says_so(room: Mailroom) -> None:
    old = room.connected()
    lead = room.contact(old.location_id)
    before = deliver(room, lead, old.email, "Before")
    new = switched_away(room, old)
    room.gmail.change_password(old.email)
    report = room.sync(old.id)
    assert (report.state, report.finishing, report.retry_at) == ("paused", False, None)
    assert told(room, old.id, "retry")[0].startswith(outcomes.NOT_READ)
    room.disconnect(new)
    room.grant(old.user_id, old.email)
    room.connecting.connect(AccountInput(account_id=old.id))
    room.sync_to_the_end(old.id)
    assert decided(room, old.id, before) == ("synced", "S7")


def test_s5_a_paused_mailbox_that_is_to_be_disconnected_begins_no_more_looks(room: Mailroom) -> None:
    old = room.connected()
    before = deliver(room, room.contact(old.location_id), old.email, "Before")
    switched_away(room, old)
    room.ask_to_disconnect(old.id)
    report = room.sync(old.id)
    assert (report.finishing, report.retry_at) == (False, None)
    room.connecting.disconnect(AccountInput(account_id=old.id))
    assert decided(room, old.id, before) == ("synced", "S7")


def test_s4_a_paused_mailbox_shows_no_trouble_that_is_over(room: Mailroom, no_latecomers: None) -> None:
    old = room.connected()
    switched_away(room, old)
    room.gmail.fault("gmail.users.stop", mailbox=old.email, times=1, status=503)
    failed = room.connecting.settle(AccountInput(account_id=old.id))
    assert (failed.failed_step, failed.next_action) == (True, outcomes.BY_ITSELF)
    report = room.connecting.settle(AccountInput(account_id=old.id))
    assert (report.state, report.reason, report.next_action) == ("paused", None, outcomes.FINISHING)
    assert room.sync(old.id).next_action == accounts.SWITCH_BACK


def test_s4_of_two_mailboxes_that_work_one_is_active(room: Mailroom) -> None:
    """The grant of the first was dead when the user wanted to switch back; then Google honours it again."""
    old = room.connected()
    new = switched_away(room, old)
    room.connecting.connect(AccountInput(account_id=new))
    with room.environment.database.session() as session:
        row = session.get_one(Account, old.id)
        accounts.transition(session, row, accounts.S.REAUTHORIZATION_REQUIRED, "refused")
    assert room.sync(old.id).state == "paused"
    assert [room.account(one).state for one in (old.id, new)] == ["paused", "active"]


def test_s4_a_watch_that_is_renewed_during_a_switch_changes_no_state(room: Mailroom) -> None:
    old = room.connected()
    switched_away(room, old)
    room.watching.ensure(old, room.environment.mailboxes.of(old))
    row = room.account(old.id)
    assert (row.state, row.watch_expires_at) == ("paused", None)


def test_s5_what_came_before_a_disconnect_syncs_and_what_came_after_does_not(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    before = deliver(room, lead, account.email, "Before")
    room.ask_to_disconnect(account.id)
    after = deliver(room, lead, account.email, "After")
    room.connecting.disconnect(AccountInput(account_id=account.id))
    assert decided(room, account.id, before) == ("synced", "S7")
    assert decided(room, account.id, after) == ("skipped", "S5")
    assert told(room, account.id, "disconnect") == []


def test_s5_what_had_failed_is_tried_once_more_before_the_grant_is_forgotten(room: Mailroom) -> None:
    account = room.connected()
    before = deliver(room, room.contact(account.location_id), account.email, "Before")
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=1, status=500)
    room.sync(account.id)
    room.disconnect(account.id)
    assert decided(room, account.id, before) == ("synced", "S7")


@pytest.mark.parametrize("trouble", ["Gmail is away", "Gmail is slow"])
def test_s5_no_last_look_holds_a_disconnect_up(
    room: Mailroom, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what was not read; that is read where the mailbox is connected again."""
    account = room.connected()
    before = deliver(room, room.contact(account.location_id), account.email, "Before")
    monkeypatch.setattr(last_look, "LAST_LOOK_S", 2.0)
    fault = {"status": 503} if trouble == "Gmail is away" else {"latency_s": 3.0}
    room.gmail.fault("gmail.users.messages.list", mailbox=account.email, times=20, **fault)
    begun = now()
    report = room.disconnect(account.id)
    assert now() - begun < timedelta(seconds=15)
    room.gmail.clear_faults()
    assert report.state == "disconnected"
    assert told(room, account.id, "disconnect")[-1].startswith("What came after ")
    room.grant(account.user_id, account.email)
    room.connecting.connect(AccountInput(account_id=account.id))
    room.sync_to_the_end(account.id)
    assert decided(room, account.id, before) == ("synced", "S7")
