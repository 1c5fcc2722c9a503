"""Connecting, disconnecting, switching, proving and reconciling, one step at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from activities import outcomes
from crm import connections, timeline
from crm.consents import Purpose
from devstack.story import unique
from models import Account, AccountAlias, AccountPause
from models.columns import now
from tests.activities.mailroom import TOO_FAST, Mailroom
from workflows.values import (
    AccountInput,
    BatchInput,
    ContactsInput,
    GapInput,
    ProofInput,
    SwitchOutcome,
    SwitchStep,
)

pytestmark = pytest.mark.servers


def test_s1_connecting_takes_cursor_aliases_and_watch(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox, aliases=[f"sales+{mailbox}"])
    account_id = room.grant(room.user(room.location()), mailbox)
    report = room.connecting.connect(AccountInput(account_id=account_id))
    assert report.state == "active"
    assert report.gap is not None, "mail since the consent is listed once"
    account = room.account(account_id)
    assert account.history_id is not None
    with room.environment.database.session() as session:
        aliases = session.exec(select(AccountAlias).where(AccountAlias.account_id == account_id)).all()
    assert {alias.email_key for alias in aliases} == {mailbox, f"sales+{mailbox}"}


def test_s1_mail_between_consent_and_connecting_is_not_lost(room: Mailroom) -> None:
    location = room.location()
    lead = room.contact(location)
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    account_id = room.grant(room.user(location), mailbox)
    room.gmail.deliver({"from": lead, "to": mailbox, "subject": "In between", "text": "Hello."})
    report = room.connecting.connect(AccountInput(account_id=account_id))
    assert report.gap is not None
    room.recovering.fill(GapInput(account_id=account_id, gap=report.gap))
    assert [message.subject for message in room.messages(location)] == ["In between"]


def test_a_refused_topic_does_not_hold_a_connection_up(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    account_id = room.grant(room.user(room.location()), mailbox)
    room.gmail.fault(
        "gmail.users.watch",
        mailbox=mailbox,
        times=5,
        status=403,
        reason="forbidden",
        message="Error sending test message to Cloud PubSub: User not authorized to perform this action.",
    )
    report = room.connecting.connect(AccountInput(account_id=account_id))
    room.gmail.clear_faults()
    assert report.state == "active"
    assert "we look by ourselves" in (report.reason or "")


def test_a_watch_of_another_topic_is_stopped_first(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    account_id = room.grant(room.user(room.location()), mailbox)
    room.gmail.fault(
        "gmail.users.watch",
        mailbox=mailbox,
        times=1,
        status=400,
        reason="invalidArgument",
        message="Only one user push notification client allowed per developer (call /stop then try again)",
    )
    report = room.connecting.connect(AccountInput(account_id=account_id))
    assert (report.state, report.reason) == ("active", None)
    assert room.gmail.usage(mailbox=mailbox, method="stop")["count"] == 1


def test_s5_stop_and_revoke_are_counted_over_connections_of_a_mailbox(room: Mailroom) -> None:
    first = room.connected()
    other = room.grant(room.user(room.location()), first.email)
    room.connecting.connect(AccountInput(account_id=other))
    room.disconnect(first.id)
    assert room.account(first.id).refresh_token_encrypted is None
    assert room.gmail.usage(mailbox=first.email, method="stop")["count"] == 0
    assert room.sync(other).state == "active", "the grant lives on"
    room.disconnect(other)
    assert room.gmail.usage(mailbox=first.email, method="stop")["count"] == 1


def test_s5_disconnect_twice_changes_nothing(room: Mailroom) -> None:
    account = room.connected()
    assert room.disconnect(account.id).state == "disconnected"
    assert room.connecting.disconnect(AccountInput(account_id=account.id)).state == "disconnected"
    with room.environment.database.session() as session:
        pauses = session.exec(select(AccountPause).where(AccountPause.account_id == account.id)).all()
    assert [(pause.rule, pause.ended_at) for pause in pauses] == [("S5", None)]
    assert room.user_of(account).active_account_id is None


def test_s5_a_disconnect_that_is_repeated_after_a_crash_spares_the_connection_made_since(
    room: Mailroom,
) -> None:
    account = room.connected()
    room.disconnect(account.id)
    assert room.grant(account.user_id, account.email) == account.id
    assert room.connecting.disconnect(AccountInput(account_id=account.id)).state == "connecting"
    assert room.connecting.connect(AccountInput(account_id=account.id)).state == "active"


def test_s5_a_disconnect_is_awaited_whatever_the_account_does_meanwhile(room: Mailroom) -> None:
    account = room.connected()
    with room.environment.database.session() as session:
        connections.ask_to_disconnect(session, session.get_one(Account, account.id))
    room.sync(account.id)
    with room.environment.database.session() as session:
        assert connections.being_released(session, account.user_id)
    room.connecting.disconnect(AccountInput(account_id=account.id))
    with room.environment.database.session() as session:
        assert not connections.being_released(session, account.user_id)


@pytest.mark.parametrize("before", ["paused", "reauthorization_required"])
def test_s5_a_mailbox_that_is_connected_again_collects_from_the_consent_on(
    room: Mailroom, before: str
) -> None:
    old = room.connected()
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    new = room.grant(old.user_id, mailbox, Purpose.SWITCH)
    room.switching.switch(SwitchStep(user_id=old.user_id, account_id=new))
    if before == "reauthorization_required":
        room.gmail.change_password(old.email)
        room.switching.switch(SwitchStep(user_id=old.user_id, account_id=old.id))
    assert room.account(old.id).state == before
    lead = room.contact(old.location_id)
    (away,) = room.gmail.deliver({"from": lead, "to": old.email, "subject": "Away", "text": "."}).values()
    room.disconnect(new)
    room.grant(old.user_id, old.email)
    (back,) = room.gmail.deliver({"from": lead, "to": old.email, "subject": "Back", "text": "."}).values()
    assert room.account(old.id).state == "connecting"
    assert room.connecting.connect(AccountInput(account_id=old.id)).state == "active"
    room.sync_to_the_end(old.id)
    first, second = room.decision(old.id, away), room.decision(old.id, back)
    assert first is not None
    assert (first.outcome, first.rule) == ("skipped", "S4")
    assert second is not None
    assert second.outcome == "synced"


def test_s4_a_switch_changes_both_or_neither(room: Mailroom) -> None:
    old = room.connected()
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    new = room.grant(old.user_id, mailbox, Purpose.SWITCH)
    room.gmail.fault("gmail.users.getProfile", mailbox=mailbox, times=3, status=503)
    step = SwitchStep(user_id=old.user_id, account_id=new)
    assert room.switching.switch(step).outcome is SwitchOutcome.LATER
    assert (room.account(old.id).state, room.user_of(old).active_account_id) == ("active", old.id)
    for _ in range(2):
        report = room.switching.switch(step)
        assert report.outcome is SwitchOutcome.DONE
        assert report.tell == [old.id, new]
    assert (room.account(old.id).state, room.account(new).state) == ("paused", "active")
    assert room.user_of(old).active_account_id == new


def test_s4_a_switch_to_a_dead_grant_is_refused(room: Mailroom) -> None:
    old = room.connected()
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    new = room.grant(old.user_id, mailbox, Purpose.SWITCH)
    room.gmail.change_password(mailbox)
    report = room.switching.switch(SwitchStep(user_id=old.user_id, account_id=new))
    assert report.outcome is SwitchOutcome.REFUSED
    assert room.account(new).state == "reauthorization_required"
    assert (room.account(old.id).state, room.user_of(old).active_account_id) == ("active", old.id)


def test_s30_what_is_missing_is_found_repaired_and_said(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    with room.environment.database.session() as session:
        row = session.get_one(Account, account.id)
        row.connected_at = row.created_at.replace(year=2020)
        session.add(row)
    an_hour_ago = int((now().timestamp() - 3600) * 1000)
    fields = {"from": lead, "to": account.email, "subject": "Never told", "text": "Hello."}
    room.gmail.insert(account.email, [{"fields": fields, "internal_date": an_hour_ago}])
    room.gmail.expire_history(account.email)
    report = room.proving.prove(ProofInput(account_id=account.id))
    assert not report.failed_step
    proven = room.account(account.id)
    assert (proven.completeness_listed, proven.completeness_decided, proven.completeness_missing) == (1, 1, 0)
    assert [message.subject for message in room.messages(account.location_id)] == ["Never told"]


def insert_old(room: Mailroom, account: Account, number: int) -> None:
    """Mail that history never told of, and the account connected long before it."""
    with room.environment.database.session() as session:
        row = session.get_one(Account, account.id)
        row.connected_at = row.created_at.replace(year=2020)
        session.add(row)
    an_hour_ago = int((now().timestamp() - 3600) * 1000)
    fields = {"from": "who@nowhere.example", "to": account.email, "subject": "Never told", "text": "Hello."}
    room.gmail.insert(account.email, [{"fields": fields, "internal_date": an_hour_ago}] * number)
    room.gmail.expire_history(account.email)


def proofs(room: Mailroom, account_id: str) -> list[str]:
    with room.environment.database.session() as session:
        entries = timeline.listing(session, account_id, 100).items
    return [one.detail for one in entries if one.kind == "proof"]


def test_s30_no_throttle_loses_what_a_proof_repaired(room: Mailroom) -> None:
    account = room.connected()
    insert_old(room, account, 5)
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=1, **TOO_FAST)
    report = room.proving.prove(ProofInput(account_id=account.id))
    assert (report.failed_step, report.more) == (True, True)
    assert room.account(account.id).completeness_missing == 5 - report.repaired, "an honest number at once"
    while report.more:
        value = ProofInput(account_id=account.id, full=True, repaired=report.repaired)
        report = room.proving.prove(value)
    assert "5 had been missed and are synced now" in proofs(room, account.id)[0]
    assert room.account(account.id).completeness_missing == 0


def test_s30_a_proof_that_is_too_much_for_a_round_goes_on(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.connected()
    room.proving.prove(ProofInput(account_id=account.id))
    insert_old(room, account, 3)
    monkeypatch.setattr("activities.proving.PART", 1)
    monkeypatch.setattr("activities.proving.ROUND_S", 0.0)
    report, rounds = room.proving.prove(ProofInput(account_id=account.id, full=True)), 1
    while report.more:
        report = room.proving.prove(ProofInput(account_id=account.id, full=True, repaired=report.repaired))
        rounds += 1
    assert (rounds, report.repaired) == (3, 3)
    row = room.account(account.id)
    assert (row.completeness_listed, row.completeness_missing) == (3, 0)


def test_s30_in_a_catch_up_a_proof_only_looks(room: Mailroom) -> None:
    account = room.connected()
    insert_old(room, account, 2)
    report = room.proving.prove(ProofInput(account_id=account.id, look_only=True))
    assert report.more
    row = room.account(account.id)
    assert (row.completeness_listed, row.completeness_decided, row.completeness_missing) == (2, 0, 2)
    assert row.completeness_checked_at is not None


def test_s30_upkeep_that_fails_stays_due(room: Mailroom) -> None:
    account = room.connected()
    room.gmail.fault("gmail.users.settings.sendAs.list", mailbox=account.email, times=1, status=503)
    report = room.watching.keep_up(AccountInput(account_id=account.id))
    assert (report.failed_step, report.upkeep_at) == (True, None)
    report = room.watching.keep_up(AccountInput(account_id=account.id, failures=1))
    assert report.upkeep_at is not None
    assert (report.state, report.reason, report.next_action) == ("active", None, outcomes.RENEW)
    assert report.next_action_at == report.upkeep_at


def test_s30_of_an_upkeep_whose_proof_fails_only_the_proof_is_still_to_do(room: Mailroom) -> None:
    account = room.connected()
    room.gmail.fault("gmail.users.messages.list", mailbox=account.email, times=3, status=503)
    report = room.watching.keep_up(AccountInput(account_id=account.id))
    assert report.failed_step
    assert report.upkeep_at is not None
    assert report.upkeep_at > now() + timedelta(hours=20)


def test_reconciliation_wakes_only_accounts_with_news(room: Mailroom) -> None:
    quiet, busy = room.connected(), room.connected()
    room.gmail.deliver({"from": "x@nowhere.example", "to": busy.email, "subject": "News", "text": "."})
    before = room.gmail.usage(mailbox=quiet.email)["units"]
    report = room.reconciling.reconcile_batch(BatchInput(interval_s=0))
    assert busy.id in report.wake
    assert quiet.id not in report.wake
    assert room.gmail.usage(mailbox=quiet.email)["units"] - before == 2


def test_reconciliation_never_calls_a_mailbox_synced_that_was_not_read_once(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    account_id = room.grant(room.user(room.location()), mailbox)
    room.connecting.connect(AccountInput(account_id=account_id))
    report = room.reconciling.reconcile_batch(BatchInput(interval_s=0))
    assert account_id in report.wake
    assert room.account(account_id).last_synced_at is None


def test_reconciliation_doubts_a_watch_that_did_not_tell(room: Mailroom) -> None:
    told, untold = room.connected(), room.connected()
    room.gmail.deliver({"from": "x@nowhere.example", "to": untold.email, "subject": "News", "text": "."})
    report = room.reconciling.reconcile_batch(BatchInput(interval_s=0))
    assert untold.id in report.unannounced
    assert told.id not in report.unannounced


def test_a_grant_that_no_workflow_was_told_of_is_found(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    account_id = room.grant(room.user(room.location()), mailbox)
    assert account_id not in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).consented
    with room.environment.database.session() as session:
        row = session.get_one(Account, account_id)
        row.state_changed_at -= timedelta(minutes=5)
        session.add(row)
    assert account_id in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).consented
    room.connecting.connect(AccountInput(account_id=account_id))
    assert account_id not in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).consented


def test_s5_a_disconnect_that_no_workflow_was_told_of_is_found(room: Mailroom) -> None:
    account = room.connected()
    room.ask_to_disconnect(account.id)
    assert account.id not in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).disconnects
    with room.environment.database.session() as session:
        row = session.get_one(Account, account.id)
        assert row.disconnect_asked_at is not None
        row.disconnect_asked_at -= timedelta(minutes=5)
        session.add(row)
    assert account.id in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).disconnects
    room.connecting.disconnect(AccountInput(account_id=account.id))
    assert account.id not in room.reconciling.reconcile_batch(BatchInput(interval_s=0)).disconnects


def test_s23_contacts_are_imported_enriched_and_never_deleted(room: Mailroom) -> None:
    location = room.location()
    known = room.contact(location)
    mailbox = f"{unique('ann')}@gmail.com"
    room.gmail.create_mailbox(mailbox)
    second = f"{unique('second')}@lead.example"
    (name,) = room.gmail.put_contacts(mailbox, [{"name": "Lea Long", "emails": [known, second]}])
    room.gmail.put_contacts(mailbox, [{"name": "New Ned", "emails": [f"{unique('ned')}@new.example"]}])
    room.gmail.put_contacts(
        mailbox, [{"name": "Stray", "emails": [f"{unique('stray')}@x.example"]}], other=True
    )
    account_id = room.grant(room.user(location), mailbox)
    room.connecting.connect(AccountInput(account_id=account_id))
    value = ContactsInput(account_id=account_id)
    report = room.address_books.read_contacts(value)
    assert (report.matched, report.imported) == (1, 1)
    assert sorted(contact.name for contact in room.contacts(location)) == ["Lea", "New Ned"]
    room.gmail.delete_contact(mailbox, name)
    assert room.address_books.read_contacts(value).imported == 0
    assert len(room.contacts(location)) == 2
    room.gmail.expire_sync_tokens(mailbox)
    assert room.address_books.read_contacts(value).imported == 0
    assert len(room.contacts(location)) == 2
